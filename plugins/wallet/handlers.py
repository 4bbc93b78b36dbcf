"""The wallet's reactions to events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from guildhall import Actor, StoredEvent

from .service import RewardRequest, hand_over, request_rewards, settle_flagged, take_over


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


def settle_reviewed(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Pay or refuse what waited for ``contributions.review.decided``; a second delivery finds nothing."""
    decided = event.payload
    settle_flagged(
        session,
        actor,
        member_id=decided.member_id,
        contribution_id=decided.contribution_id,
        released=decided.state == "released",
    )


def follow_claim(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Waiting rewards follow a history to its owner, but for what that one was rewarded for already."""
    claimed = event.payload
    hand_over(session, actor, old=claimed.from_member_id, new=claimed.member_id, twice=claimed.duplicate_rewards)


def move_wallets(session: Session, actor: Actor, event: StoredEvent) -> None:
    """What a former member's wallets hold follows the history to its owner, once; a second delivery finds nothing."""
    claimed = event.payload
    take_over(
        session,
        actor,
        claim_id=claimed.claim_id,
        old=claimed.from_member_id,
        new=claimed.member_id,
        twice=claimed.duplicate_rewards,
    )
