"""What people may ask of those who hold their data: a copy of it, and that it be erased."""
