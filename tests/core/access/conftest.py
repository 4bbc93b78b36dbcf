from tests.core.workshop import eventually, shop, states, workshop

__all__ = ["eventually", "shop", "states", "workshop"]
