"""Fixtures of the workshop, for tests of reports."""

from tests.core.workshop import plain_logs, shop, workshop

__all__ = ["plain_logs", "shop", "workshop"]
