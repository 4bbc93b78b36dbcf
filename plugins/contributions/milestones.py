"""Milestones: reached once for each member, and a reward asked for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import and_, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, new_id, now, publish

from .events import MilestoneReached, RewardRequested
from .models import MemberProgress, Milestone, MilestoneReachedRow, Reward

Gains = Mapping[UUID, Sequence[tuple[UUID, int]]]


def reach(session: Session, actor: Actor, gains: Gains, points: Mapping[UUID, int], *, quiet: bool = False) -> None:
    """Note the milestones that members reached just now, and publish each.

    ``gains``: by member, the contributions in the order they were recorded with their points; ``points``: the
    members' points after them. The caller holds the members' locks; the unique key makes each milestone once.
    """
    reached = exists().where(
        MilestoneReachedRow.member_id == MemberProgress.member_id,
        MilestoneReachedRow.milestone_id == Milestone.id,
    )
    due = session.execute(
        select(MemberProgress.member_id, Milestone.id, Milestone.threshold)
        .join(Milestone, and_(Milestone.enabled, Milestone.threshold <= MemberProgress.points))
        .where(MemberProgress.member_id.in_(list(points)), ~reached)
        .order_by(MemberProgress.member_id, Milestone.threshold)
    ).all()
    if not due:
        return
    at = now()
    rows = [
        {
            "id": new_id(),
            "member_id": member_id,
            "milestone_id": milestone_id,
            "created_at": at,
            "contribution_id": _crossing(gains[member_id], points[member_id], threshold),
        }
        for member_id, milestone_id, threshold in due
    ]
    session.execute(insert(MilestoneReachedRow), rows)
    publish(
        session,
        actor,
        *(MilestoneReached(member_id=m, milestone_id=i, threshold=threshold, quiet=quiet) for m, i, threshold in due),
    )


def _crossing(gains: Sequence[tuple[UUID, int]], after: int, threshold: int) -> UUID:
    """The contribution with which the points came to ``threshold``."""
    total = after - sum(points for _, points in gains)
    for contribution_id, points in gains:
        total += points
        if total >= threshold:
            return contribution_id
    return gains[-1][0]


def request_reward(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    amount: int,
    asset: str,
    reason: str,
    reference: str,
    contribution_id: UUID | None = None,
) -> UUID | None:
    """Ask the wallet to pay ``amount`` (smallest units) once for ``reference``; None when it was asked before."""
    row = insert(Reward).values(
        id=new_id(),
        member_id=member_id,
        amount=amount,
        asset=asset,
        reason=reason,
        reference=reference,
        contribution_id=contribution_id,
        created_at=now(),
    )
    reward_id = session.scalar(row.on_conflict_do_nothing(index_elements=["reference"]).returning(Reward.id))
    if reward_id is not None:
        publish(
            session,
            actor,
            RewardRequested(
                reward_id=reward_id,
                member_id=member_id,
                amount=amount,
                asset=asset,
                reason=reason,
                reference=reference,
                contribution_id=contribution_id,
            ),
        )
    return reward_id
