"""Checkpoints: where every chain stood, sealed with the installation's key, one a day and each upon the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import new_id, now, seal

from ..models import Checkpoint

CONTEXT = "wallet.checkpoint"
Moved = tuple[UUID, int, bytes]  # account, version, tip

_PREVIOUS = text("SELECT root, entries FROM wallet_checkpoint ORDER BY day DESC LIMIT 1")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('wallet_checkpoint'))")
_MOVED = text("""
    INSERT INTO wallet_tip (checkpoint_id, account_id, version, tip)
    SELECT :id, a.id, a.version, a.tip FROM wallet_account a
    LEFT JOIN LATERAL (
        SELECT t.version FROM wallet_tip t WHERE t.account_id = a.id ORDER BY t.version DESC LIMIT 1
    ) seen ON true
    WHERE a.version > coalesce(seen.version, 0)
    RETURNING account_id, version, tip
""")
_TOTAL = text("SELECT count(*) AS accounts, coalesce(sum(version), 0) AS entries FROM wallet_account WHERE version > 0")


def make_checkpoint(session: Session) -> Checkpoint | None:
    """Note where every chain stands. One a day (UTC): None when today has one already."""
    at = now()
    session.execute(_LOCK)
    if session.scalar(text("SELECT 1 FROM wallet_checkpoint WHERE day = :day"), {"day": at.date()}):
        return None
    previous = session.execute(_PREVIOUS).first()
    checkpoint_id = new_id()
    moved = [(row.account_id, row.version, bytes(row.tip)) for row in session.execute(_MOVED, {"id": checkpoint_id})]
    total = session.execute(_TOTAL).one()
    made = root(bytes(previous.root) if previous else b"", moved)
    values = {
        "id": checkpoint_id,
        "day": at.date(),
        "root": made,
        "accounts": total.accounts,
        "entries": int(total.entries),
        "seal": seal(session, CONTEXT, sealed(at.date(), made, int(total.entries)), about=str(at.date())),
        "made_at": at,
    }
    session.execute(insert(Checkpoint).values(values))
    return session.get(Checkpoint, checkpoint_id)


def root(previous: bytes, moved: Iterable[Moved]) -> bytes:
    """SHA-256 of the previous root and of each moved account's id, version (8 bytes) and tip, by id."""
    digest = hashlib.sha256(previous)
    for account_id, version, tip in sorted(moved):
        digest.update(account_id.bytes + version.to_bytes(8, "big") + tip)
    return digest.digest()


def sealed(day: date, made: bytes, entries: int) -> bytes:
    """What the seal of a checkpoint holds."""
    return f"v1|{day.isoformat()}|{made.hex()}|{entries}".encode()
