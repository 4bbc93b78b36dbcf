"""What badges do when something happened."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent
from plugins.contributions import BatchRecorded, Contribution, ContributionRecorded, TypeProgress

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


def evaluate_claim(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A member was given the history of an outside identity: award what it brings, quietly."""
    member_id: UUID = event.payload.member_id
    types = session.scalars(select(TypeProgress.type).where(TypeProgress.member_id == member_id)).all()
    award_what_is_earned(session, actor, members=[member_id], types=types, tipped=dict, quiet=True)
