"""Locks, taken as statements of their own before the reading one, always in sorted order.

READ COMMITTED gives each statement a new snapshot, so what is read after the lock is what the lock guards.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_MEMBERS = text("SELECT id FROM core_member WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")


def members(session: Session, ids: Iterable[UUID]) -> set[UUID]:
    """Lock members until the transaction ends; returns the ids that exist."""
    return set(session.scalars(_MEMBERS, {"ids": sorted(set(ids))}))


def advisory(session: Session, name: str) -> None:
    """Wait for the transaction-long advisory lock called ``name``."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def try_advisory(session: Session, name: str) -> bool:
    """Take the transaction-long advisory lock called ``name`` if nobody holds it."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool(session.scalar(query, {"name": name}))
