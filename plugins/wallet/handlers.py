"""The wallet's reactions to events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent

from .service import RewardRequest, request_rewards


def pay_reward(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    """Pay what ``contributions.reward.requested`` asks for; a reference that was seen before changes nothing."""
    requests = [
        RewardRequest(
            reward_id=event.payload.reward_id,
            member_id=event.payload.member_id,
            amount=event.payload.amount,
            asset=event.payload.asset,
            reason=event.payload.reason,
            reference=event.payload.reference,
            contribution_id=event.payload.contribution_id,
            correlation_id=event.correlation_id,
        )
        for event in events
    ]
    request_rewards(session, actor, requests)
