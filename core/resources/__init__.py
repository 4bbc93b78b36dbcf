"""What a resource declares and does with its records: columns, transitions, files, events on change, deletion."""
