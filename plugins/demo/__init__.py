"""A made-up community, the same every time, to look around in."""

from .service import load

__all__ = ["load"]
