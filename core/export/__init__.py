"""Tables on their way out of Guildhall: the same columns and rows as CSV, XLSX or PDF."""
