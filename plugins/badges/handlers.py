"""What badges do when something happened."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent
from plugins.contributions import BatchRecorded, Contribution, ContributionRecorded

from .evaluator import evaluate as award_what_is_earned


def evaluate(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A contribution was recorded: award what it tipped. Twice is as once."""
    payload: ContributionRecorded = event.payload
    tipped = {payload.member_id: payload.contribution_id}
    award_what_is_earned(session, actor, members=[payload.member_id], types=[payload.type], tipped=lambda: tipped)


def evaluate_batch(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A chunk was imported: award what it brought, quietly; the last contribution of a member stands for it."""
    payload: BatchRecorded = event.payload

    @cache
    def tipped() -> dict[UUID, UUID]:
        query = select(Contribution.member_id, Contribution.id).where(Contribution.id.in_(payload.contribution_ids))
        query = query.order_by(Contribution.occurred_at, Contribution.id)
        return dict(session.execute(query).tuples().all())

    award_what_is_earned(session, actor, members=payload.member_ids, types=payload.types, tipped=tipped, quiet=True)
