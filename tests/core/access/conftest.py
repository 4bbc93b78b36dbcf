from tests.core.workshop import eventually, states, workshop

__all__ = ["eventually", "states", "workshop"]
