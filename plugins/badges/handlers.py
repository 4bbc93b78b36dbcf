"""What badges do when something happened."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent, locks
from plugins.contributions import BatchRecorded, Contribution, ContributionRecorded, TypeProgress

from . import filters, rewards
from .catalogue import current
from .evaluator import evaluate as award_what_is_earned
from .events import BatchAwarded
from .leaves import EMAIL_VERIFIED
from .models import Award


def evaluate(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A contribution was recorded: award what it tipped. Twice is as once."""
    payload: ContributionRecorded = event.payload
    tipped = {payload.member_id: payload.contribution_id}
    award_what_is_earned(
        session,
        actor,
        members=[payload.member_id],
        types=[payload.type],
        tipped=lambda: tipped,
        contributions=[payload.contribution_id],
    )


def evaluate_batch(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A chunk was imported: award what it brought, quietly; the last contribution of a member stands for it."""
    payload: BatchRecorded = event.payload

    @cache
    def tipped() -> dict[UUID, UUID]:
        query = select(Contribution.member_id, Contribution.id).where(Contribution.id.in_(payload.contribution_ids))
        query = query.order_by(Contribution.occurred_at, Contribution.id)
        return dict(session.execute(query).tuples().all())

    award_what_is_earned(
        session,
        actor,
        members=payload.member_ids,
        types=payload.types,
        tipped=tipped,
        contributions=payload.contribution_ids,
        quiet=True,
    )


def evaluate_claim(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A member was given the history of an outside identity: award what it brings, quietly."""
    member_id: UUID = event.payload.member_id
    moved = locks.members(session, [member_id, event.payload.from_member_id])
    filters.recount(session, current(session).filters, moved)
    types = session.scalars(select(TypeProgress.type).where(TypeProgress.member_id == member_id)).all()
    award_what_is_earned(session, actor, members=[member_id], types=types, tipped=dict, quiet=True)


def evaluate_email(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A member proved the e-mail address: award what that brings."""
    award_what_is_earned(session, actor, members=[event.payload.member_id], types=[EMAIL_VERIFIED], tipped=dict)


def reward_batch(session: Session, actor: Actor, event: StoredEvent) -> None:
    """A step of a recalculation gave many badges: ask for the rewards of those that have one; twice is as once."""
    payload: BatchAwarded = event.payload
    promised = {one.id: one.reward for one in current(session).badges if one.reward and one.id in payload.badge_ids}
    query = select(Award.badge_id, Award.member_id).where(Award.badge_id.in_(list(promised)))
    query = query.where(Award.awarded_at == payload.awarded_at, Award.member_id.in_(payload.member_ids))
    if promised and payload.awarded_at:
        found = session.execute(query).tuples()
        rewards.ask(session, actor, (rewards.Due(one, member, None, promised[one]) for one, member in found))
