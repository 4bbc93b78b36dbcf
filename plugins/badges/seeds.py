"""The badges a new community starts with. All can be edited; a seed never overwrites what an admin changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, _, new_id, now

from .models import Badge, BadgeVersion

Row = tuple[str, str, str, str, int | None, str, dict[str, Any]]


def _points(value: int) -> dict[str, Any]:
    return {"type": "points.threshold", "value": value}


def _count(event: str, count: int = 1) -> dict[str, Any]:
    return {"type": "event.count", "event": event, "count": count}


def _streak(days: int) -> dict[str, Any]:
    return {"type": "streak", "days": days}


def _badge(slug: str) -> dict[str, Any]:
    return {"type": "badge.held", "badge": slug}


SEEDS: list[Row] = [
    ("points-100", _("Hundred"), _("Earned 100 points."), "Milestone", 1, "coin", _points(100)),
    ("points-500", _("Five Hundred"), _("Earned 500 points."), "Milestone", 2, "coins", _points(500)),
    ("points-1000", _("Thousand"), _("Earned 1,000 points."), "Milestone", 3, "star", _points(1000)),
    ("streak-7", _("Week in a Row"), _("Contributed on 7 days in a row."), "Milestone", 2, "flame", _streak(7)),
    ("streak-30", _("Month in a Row"), _("Contributed on 30 days in a row."), "Milestone", 4, "calendar", _streak(30)),
    ("commits-10", _("Committer"), _("Made 10 commits."), "Milestone", 1, "git-commit", _count("git.commit", 10)),
    ("commits-100", _("Regular"), _("Made 100 commits."), "Milestone", 3, "brand-git", _count("git.commit", 100)),
    (
        "participant",
        _("Participant"),
        _("Took part in a challenge."),
        "Challenge",
        1,
        "flag",
        _count("challenge.participation"),
    ),
    (
        "finalist",
        _("Finalist"),
        _("Reached the final of a challenge."),
        "Challenge",
        3,
        "target",
        _count("challenge.finalist"),
    ),
    ("winner", _("Winner"), _("Won a challenge."), "Challenge", 4, "trophy", _count("challenge.win")),
    (
        "profile-complete",
        _("Complete Profile"),
        _("Filled in the whole profile."),
        "Profile",
        1,
        "user-check",
        _count("profile.complete"),
    ),
    (
        "verified-email",
        _("Confirmed Address"),
        _("Confirmed the e-mail address."),
        "Profile",
        1,
        "mail",
        {"type": "email.verified"},
    ),
    ("contributor", _("Contributor"), _("Made a first contribution."), "Special", 1, "heart", _count("*")),
    (
        "early-supporter",
        _("Early Supporter"),
        _("Joined before 2025 and contributed."),
        "Special",
        2,
        "rocket",
        {"all": [{"type": "member.before", "date": "2025-01-01"}, _count("*")]},
    ),
    (
        "elite-creator",
        _("Elite Creator"),
        _("10 approved submissions and 5,000 points."),
        "Special",
        5,
        "sparkles",
        {"all": [_count("submission.approved", 10), _points(5000)]},
    ),
    (
        "pillar",
        _("Pillar"),
        _("1,000 points and a week in a row."),
        "Special",
        4,
        "building-community",
        {"all": [_points(1000), _streak(7)]},
    ),
    (
        "legend",
        _("Legend"),
        _("A pillar of the community with 100 commits or a challenge won."),
        "Special",
        5,
        "award",
        {"all": [_badge("pillar"), {"any": [_badge("commits-100"), _badge("winner")]}]},
    ),
]


def seed(session: Session, actor: Actor) -> None:
    """Write the badges that are not there yet."""
    columns = ("slug", "name", "description", "category", "level", "icon", "criteria")
    rows = [{"id": new_id(), "created_at": now(), **dict(zip(columns, row, strict=True))} for row in SEEDS]
    session.execute(insert(Badge).values(rows).on_conflict_do_nothing(index_elements=["slug"]))
    present = select(Badge.id, Badge.version, Badge.criteria, Badge.created_at)
    versions = insert(BadgeVersion).from_select(["badge_id", "version", "criteria", "created_at"], present)
    session.execute(versions.on_conflict_do_nothing())
