"""What became of a record, field by field, and how to bring back what was; read from the audit trail."""
