"""The wall: the only place (with core/db/base.py) that knows Flask-AppBuilder. Its traps are mended here, once."""
