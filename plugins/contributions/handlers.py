"""What contributions do because of events."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent

from . import claims
from .errors import DuplicateEvent, InvalidContributionType
from .milestones import request_reward
from .models import Milestone, MilestoneReachedRow, Reward
from .service import record


def reward_milestone(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Ask for a reached milestone's reward; the reference makes it once. Milestones without reward ask for none.

    Where the member's history went to another one meanwhile, the reward is that one's, unless it was asked for.
    """
    reached = event.payload
    member_id = reached.member_id
    milestone = session.get_one(Milestone, reached.milestone_id)
    query = select(MilestoneReachedRow.contribution_id).where(MilestoneReachedRow.milestone_id == milestone.id)
    contribution_id = session.scalar(query.where(MilestoneReachedRow.member_id == member_id))
    if contribution_id is None:
        asked = select(Reward.id).where(Reward.reference == f"milestone:{milestone.id}:{member_id}")
        member_id = claims.successor(session, member_id)
        if member_id is None or session.scalar(asked) is not None:
            return
        contribution_id = session.scalar(query.where(MilestoneReachedRow.member_id == member_id))
    if milestone.reward_amount:
        request_reward(
            session,
            actor,
            member_id=member_id,
            amount=milestone.reward_amount,
            asset=milestone.reward_asset,
            reason="milestone",
            reference=f"milestone:{milestone.id}:{member_id}",
            contribution_id=contribution_id,
        )


def score_profile(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Score a member's completed profile, once; not where an admin has turned that type off."""
    member_id = event.payload.member_id
    try:
        with session.begin_nested():
            record(
                session,
                actor,
                member_id=member_id,
                type="profile.complete",
                event_key=f"profile:{member_id}",
                occurred_at=event.occurred_at,
            )
    except (DuplicateEvent, InvalidContributionType):
        return
