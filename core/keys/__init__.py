"""Keys in use: their rotation while serving, and the command line for it. Audited, so it stands above core.crypto."""
