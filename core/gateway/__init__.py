"""The gateway: what every request passes, whatever it asks for. Identity, unit of work, errors, headers."""
