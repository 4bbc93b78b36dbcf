"""GraphQL: reading by the same declarations that REST is made of, and the stream of events."""
