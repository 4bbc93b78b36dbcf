"""REST: blueprints with one envelope, one way to authorise, one way to be idempotent."""
