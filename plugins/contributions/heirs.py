"""Who was given whose history: a former member's belongs to the one whose claim of the identity was approved."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from .models import Claim, Reward


def heirs(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """By former member, who has the history now; members who still have theirs are left out."""
    claims = select(Claim.from_member_id, Claim.member_id).where(
        Claim.from_member_id.in_(list(member_ids)), Claim.state == "approved"
    )
    return {old: new for old, new in session.execute(claims.order_by(Claim.decided_at)) if old is not None}


def reward_owners(session: Session, reward_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Whose each reward is now; one that its member's heir had for the same stays the former member's."""
    found = session.execute(select(Reward.id, Reward.member_id).where(Reward.id.in_(list(reward_ids))))
    return dict(found.tuples().all())
