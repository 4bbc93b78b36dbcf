"""Take back what an import brought: every contribution that counts is reversed by a compensating event."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from guildhall import Actor, locks, new_id, now, publish

from . import progress
from .events import ContributionCorrected
from .models import Contribution, Correction

# The key is free again, so that the same lines may be imported in another way.
_REVERSE = text("""
    UPDATE contributions_contribution SET correction = -points, state = 'reversed', reason = :reason,
        event_key = left(event_key, 150) || '~undone:' || id::text
    WHERE id = ANY(:ids)
""")


def reverse_many(session: Session, actor: Actor, contribution_ids: Sequence[UUID], *, reason: str) -> tuple[int, int]:
    """Reverse those that count and free their keys; returns how many they were and the points that went.

    Milestones, badges and paid rewards stay, and so do places in frequency limits. One event for each.
    """
    owners = select(Contribution.member_id).where(Contribution.id.in_(contribution_ids)).distinct()
    locks.members(session, session.scalars(owners).all())
    query = select(Contribution).where(Contribution.id.in_(contribution_ids), Contribution.state == "counted")
    found = session.scalars(query.order_by(Contribution.id), execution_options={"populate_existing": True}).all()
    if not found:
        return 0, 0
    progress.add(session, [progress.Change(one.id, -one.total, -1) for one in found])
    at = now()
    rows = [
        {
            "id": new_id(),
            "contribution_id": one.id,
            "kind": "reversal",
            "points": -one.total,
            "breakdown": [{"label": f"Reversal: {reason}", "points": -one.total}],
            "type_version": one.type_version,
            "reason": reason,
            "made_by": actor.member_id,
            "created_at": at,
            "correlation_id": actor.correlation_id,
        }
        for one in found
    ]
    session.execute(insert(Correction), rows)
    session.execute(_REVERSE, {"ids": [one.id for one in found], "reason": f"reversed: {reason}"[:120]})
    progress.settle(session, {one.member_id for one in found})
    events = [
        ContributionCorrected(
            contribution_id=one.id, member_id=one.member_id, type=one.type, kind="reversal", points=-one.total
        )
        for one in found
    ]
    gone = sum(one.total for one in found)
    publish(session, actor, *events)
    for one in found:
        session.expire(one)
    return len(events), gone
