"""The generation row: one number that grows whenever plugins are toggled or settings change.

Each process looks at it at most once a second; when it has grown, everything kept for the old one is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db.base import Model

LOOK_EVERY_SECONDS = 1.0


class Generation(Model):
    __tablename__ = "core_generation"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


@dataclass
class Cache:
    """What one process keeps for the generation it last saw."""

    value: int = -1
    looked_at: float = 0.0
    entries: dict[Hashable, Any] = field(default_factory=dict)


def _fresh(session: Session) -> Cache:
    cache: Cache = session.info["registry"].cache
    if time.monotonic() - cache.looked_at > LOOK_EVERY_SECONDS:
        value = session.scalar(text("SELECT value FROM core_generation WHERE id = 1")) or 0
        cache.looked_at = time.monotonic()
        if value != cache.value:
            cache.entries = {}
            cache.value = value
    return cache


def cached(session: Session, key: Hashable) -> Any:
    """What was kept under ``key`` for the present generation, or None. Not inside a changing transaction."""
    if session.info.get("generation_advanced"):
        return None
    return _fresh(session).entries.get(key)


def keep(session: Session, key: Hashable, value: Any) -> None:
    """Keep ``value`` until the generation grows; nothing is kept while this transaction is changing it."""
    if not session.info.get("generation_advanced"):
        _fresh(session).entries[key] = value


def advance(session: Session) -> None:
    """Let every process look again, once this transaction commits."""
    session.execute(text("UPDATE core_generation SET value = value + 1 WHERE id = 1"))
    session.info["generation_advanced"] = True


def version(session: Session) -> int:
    """The generation this process last saw; tokens carry it as ``perm_version``."""
    return _fresh(session).value
