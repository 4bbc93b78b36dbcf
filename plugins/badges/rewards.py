"""What a badge is worth: asked for once for each member, and paid by the wallet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from guildhall import Actor
from plugins.contributions import service as contributions

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Reward:
    """``amount`` in the smallest unit of ``asset``."""

    amount: int
    asset: str


@dataclass(frozen=True, slots=True)
class Due:
    """A badge that a member was given, the contribution that tipped it, and what was promised for it."""

    badge_id: UUID
    member_id: UUID
    contribution_id: UUID | None
    reward: Reward | None


def ask(session: Session, actor: Actor, given: Iterable[Due]) -> None:
    """Ask for the rewards of what was given. A badge is paid for once for each member: not when it is given back."""
    due = [one for one in given if one.reward]
    if not due:
        return
    # Of a claimed history the references name the former member, so the unique key alone would not know them again.
    paid = contributions.rewarded(session, {one.member_id for one in due}, "badge")
    had = {(member_id, reference.split(":")[1]) for member_id, reference in paid}
    rows = [
        {
            "member_id": one.member_id,
            "amount": one.reward.amount,
            "asset": one.reward.asset,
            "reason": "badge",
            "reference": f"badge:{one.badge_id}:{one.member_id}",
            "contribution_id": one.contribution_id,
        }
        for one in due
        if one.reward and (one.member_id, str(one.badge_id)) not in had
    ]
    for start in range(0, len(rows), AT_ONCE):
        contributions.request_rewards(session, actor, rows[start : start + AT_ONCE])
