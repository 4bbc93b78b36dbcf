"""The one source of time. Everything asks ``now()``, so that tests and replays can move it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_source: ContextVar[Callable[[], datetime] | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """The present, as an aware UTC datetime."""
    source = _source.get()
    return source() if source else datetime.now(UTC)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold the clock at ``at`` (aware) in this thread or task."""
    token = _source.set(lambda: at)
    try:
        yield
    finally:
        _source.reset(token)


def rfc3339(at: datetime) -> str:
    """``at`` in UTC as RFC 3339 with ``Z``."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
