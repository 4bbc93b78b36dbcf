"""Lists of resources: what an address asks of one, saved views of it, its rows as a file, and work on many of them."""
