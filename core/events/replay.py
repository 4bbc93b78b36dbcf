"""What an admin can do with deliveries, and what the event pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.session import RING

_REPLAY = text("""
    UPDATE core_delivery SET state = 'pending', attempts = 0, due_at = :at, last_error = NULL, done_at = NULL
    WHERE state IN ('dead', 'done') AND id = ANY(:ids) RETURNING id
""")
_DEAD = text("SELECT id FROM core_delivery WHERE state = 'dead' AND (:subscriber = '' OR subscriber = :subscriber)")
_LAG = text("""
    SELECT subscriber,
        count(*) FILTER (WHERE state = 'pending') AS pending,
        count(*) FILTER (WHERE state = 'pending' AND attempts > 0) AS retrying,
        count(*) FILTER (WHERE state = 'dead') AS dead,
        count(*) FILTER (WHERE state = 'done') AS done,
        coalesce(extract(epoch FROM :at - min(due_at) FILTER (WHERE state = 'pending' AND due_at <= :at)), 0) AS lag
    FROM core_delivery GROUP BY subscriber ORDER BY subscriber
""")


def replay(session: Session, actor: Actor, delivery_ids: Sequence[int], reason: str | None = None) -> int:
    """Deliver again what was delivered or is dead; handlers make a second effect impossible. Audited.

    Returns how many deliveries wait anew. Pending ones are left as they are.
    """
    ids = session.scalars(_REPLAY, {"ids": list(delivery_ids), "at": now()}).all()
    if ids:
        session.info[RING] = True
        changes: dict[str, Any] = {"deliveries": [None, [str(one) for one in ids[:100]]], "count": [None, len(ids)]}
        record(
            session,
            actor,
            "core.delivery.replayed",
            subject_type="delivery",
            subject_id=ids[0],
            changes=changes,
            reason=reason,
        )
    return len(ids)


def replay_dead(session: Session, actor: Actor, subscriber: str = "") -> int:
    """Deliver every dead letter again, of one subscriber or of all."""
    return replay(session, actor, session.scalars(_DEAD, {"subscriber": subscriber}).all())


def lag(session: Session) -> list[dict[str, Any]]:
    """For each subscriber: pending, retrying, dead and done deliveries, and the age of the oldest due, in seconds."""
    return [dict(row) for row in session.execute(_LAG, {"at": now()}).mappings()]
