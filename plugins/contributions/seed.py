"""What a new community starts with; an admin's edits are never overwritten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, _, new_id, now

from .models import TIERS, ContributionType, Level, Milestone, TypeVersion
from .types import keep_version

TYPES: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("challenge.participation", _("Took part in a challenge"), 15, {}),
    ("challenge.finalist", _("Challenge finalist"), 50, {}),
    ("challenge.win", _("Won a challenge"), 100, {}),
    ("submission.approved", _("Submission approved"), 25, {}),
    ("profile.complete", _("Profile completed"), 10, {"limits": [{"per": "ever", "count": 1}]}),
    ("system.bonus", _("Bonus from the system"), 10, {"counts_for_streak": False}),
    ("admin.granted", _("Granted by an admin"), 10, {"counts_for_streak": False}),
    ("referral.success", _("Successful referral"), 20, {"limits": [{"per": "day", "count": 10}]}),
    ("daily.login", _("Daily sign-in"), 1, {"limits": [{"per": "day", "count": 1}]}),
    ("learning.completed", _("Learning completed"), 20, {}),
    ("git.commit", _("Commit"), 5, {}),
    ("git.merge", _("Merge"), 10, {}),
    ("git.release", _("Release"), 50, {}),
    ("git.review", _("Review"), 5, {}),
    ("git.issue", _("Closed issue"), 5, {}),
    ("milestone.reached", _("Milestone reached"), 0, {"counts_for_streak": False}),
)
LEVELS = (
    (1, 1, _("Newcomer")),
    (2, 100, _("Regular")),
    (3, 500, _("Contributor")),
    (4, 2000, _("Pillar")),
    (5, 10000, _("Legend")),
)
MILESTONES = ((100, 10), (500, 50), (1000, 100), (5000, 500))


def seed(session: Session, actor: Actor) -> None:
    """Write the types, milestones and levels that are missing."""
    same: dict[str, Any] = {
        "bonus": [],
        "tiers": TIERS,
        "limits": [],
        "counts_for_streak": True,
        "created_at": now(),
    }
    types = [
        {**same, "id": new_id(), "code": code, "label": label, "base_points": base, **more}
        for code, label, base, more in TYPES
    ]
    session.execute(insert(ContributionType).values(types).on_conflict_do_nothing(index_elements=["code"]))
    milestones = [
        {
            "id": new_id(),
            "threshold": threshold,
            "label": f"{threshold:,} points",
            "reward_amount": reward,
            "reward_asset": "POINTS",
            "created_at": now(),
        }
        for threshold, reward in MILESTONES
    ]
    session.execute(insert(Milestone).values(milestones).on_conflict_do_nothing(index_elements=["threshold"]))
    levels = [
        {"id": new_id(), "number": number, "threshold": threshold, "label": label, "created_at": now()}
        for number, threshold, label in LEVELS
    ]
    session.execute(insert(Level).values(levels).on_conflict_do_nothing())
    first = select(ContributionType).where(~exists().where(TypeVersion.type == ContributionType.code))
    for row in session.scalars(first):
        keep_version(session, actor, row)
