"""Reviews: everything that waits for a person's decision, in one inbox; kinds are declared by plugins."""
