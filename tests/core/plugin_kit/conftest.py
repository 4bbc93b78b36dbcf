from tests.core.workshop import plain_logs, workshop

__all__ = ["plain_logs", "workshop"]
