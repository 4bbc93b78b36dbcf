from tests.core.workshop import states, workshop

__all__ = ["states", "workshop"]
