"""Comments on records: what the staff write to each other about a record or a member, never for that member."""
