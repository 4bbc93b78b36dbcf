from tests.core.workshop import eventually, plain_logs, shop, states, workshop

__all__ = ["eventually", "plain_logs", "shop", "states", "workshop"]
