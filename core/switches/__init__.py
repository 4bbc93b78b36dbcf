"""Kill switches: what an admin can stop at once, everywhere, without losing anything."""
