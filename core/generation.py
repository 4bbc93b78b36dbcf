"""The generation row: one number that grows whenever plugins are toggled or settings change.

Each process looks at it at most once a second, and with every request of somebody who is signed in, whose session is
read together with it; when it has grown, everything kept for the old one is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, event, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db.base import Model

LOOK_EVERY_SECONDS = 1.0
NEVER = float("-inf")
ADVANCED, KEPT = "generation_advanced", "generation_kept"


class Generation(Model):
    __tablename__ = "core_generation"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


@dataclass
class Cache:
    """What one process keeps for the generation it last saw."""

    value: int = -1
    looked_at: float = NEVER
    entries: dict[Hashable, Any] = field(default_factory=dict)

    def forget(self) -> None:
        """Keep nothing, as a new process does: for one that is given another database."""
        self.value, self.looked_at, self.entries = -1, NEVER, {}


def _fresh(session: Session) -> Cache:
    cache: Cache = session.info["registry"].cache
    if time.monotonic() - cache.looked_at > LOOK_EVERY_SECONDS:
        value = session.scalar(text("SELECT value FROM core_generation WHERE id = 1")) or 0
        cache.looked_at = time.monotonic()
        if value != cache.value:
            cache.entries = {}
            cache.value = value
    return cache


def saw(session: Session, value: int) -> None:
    """Note the generation that another statement has just read, so that this process need not look for itself.

    Not from inside a transaction that changes it. An older one than the newest seen makes the process look again.
    """
    if session.info.get(ADVANCED):
        return
    cache: Cache = session.info["registry"].cache
    if value < cache.value:
        cache.looked_at = NEVER
        return
    cache.looked_at = time.monotonic()
    if value > cache.value:
        cache.entries = {}
        cache.value = value


def cached(session: Session, key: Hashable) -> Any:
    """What was kept under ``key`` for the present generation, or None. Not inside a changing transaction."""
    if session.info.get(ADVANCED):
        return None
    session.info[KEPT] = _fresh(session).entries
    return session.info[KEPT].get(key)


def keep(session: Session, key: Hashable, value: Any) -> None:
    """Keep ``value``, read after ``cached`` missed, until the generation grows.

    It goes where ``cached`` looked: when the generation has grown since, that place is thrown away already, and what
    was read before is not taken for new. Nothing is kept while this transaction is changing it.
    """
    if not session.info.get(ADVANCED) and KEPT in session.info:
        session.info[KEPT][key] = value


def advance(session: Session) -> None:
    """Let every process look again, once this transaction commits."""
    session.execute(text("UPDATE core_generation SET value = value + 1 WHERE id = 1"))
    session.info[ADVANCED] = True


def version(session: Session) -> int:
    """The generation this process last saw; tokens carry it as ``perm_version``."""
    return _fresh(session).value


@event.listens_for(Session, "after_commit")
def _look_again(session: Session) -> None:
    """The process that made a change sees it at once."""
    if not session.in_nested_transaction() and session.info.pop(ADVANCED, False):
        session.info["registry"].cache.looked_at = NEVER


@event.listens_for(Session, "after_rollback")
def _nothing_advanced(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(ADVANCED, None)
