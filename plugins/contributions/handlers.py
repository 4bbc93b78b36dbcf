"""What contributions do because of events."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent

from .milestones import request_reward
from .models import Milestone, MilestoneReachedRow


def reward_milestone(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Ask for a reached milestone's reward; the reference makes it once. Milestones without reward ask for none."""
    reached = event.payload
    query = select(Milestone, MilestoneReachedRow.contribution_id).join(MilestoneReachedRow)
    query = query.where(Milestone.id == reached.milestone_id, MilestoneReachedRow.member_id == reached.member_id)
    milestone, contribution_id = session.execute(query).one()
    if milestone.reward_amount:
        request_reward(
            session,
            actor,
            member_id=reached.member_id,
            amount=milestone.reward_amount,
            asset=milestone.reward_asset,
            reason="milestone",
            reference=f"milestone:{milestone.id}:{reached.member_id}",
            contribution_id=contribution_id,
        )
