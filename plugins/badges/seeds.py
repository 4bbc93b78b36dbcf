"""The badges a new community starts with. All can be edited; a seed never overwrites what an admin changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Seeded, _, new_id, now

from .models import Badge, BadgeVersion, Category

Row = tuple[str, str, str, str, int | None, str, dict[str, Any]]


def _points(value: int) -> dict[str, Any]:
    return {"type": "points.threshold", "value": value}


def _count(event: str, count: int = 1) -> dict[str, Any]:
    return {"type": "event.count", "event": event, "count": count}


def _streak(days: int) -> dict[str, Any]:
    return {"type": "streak", "days": days}


def _badge(slug: str) -> dict[str, Any]:
    return {"type": "badge.held", "badge": slug}


CATEGORIES = {
    "milestone": _("Milestone"),
    "challenge": _("Challenge"),
    "profile": _("Profile"),
    "special": _("Special"),
}
SEEDS: list[Row] = [
    ("points-100", _("Hundred"), _("Earned 100 points."), "milestone", 1, "coin", _points(100)),
    ("points-500", _("Five Hundred"), _("Earned 500 points."), "milestone", 2, "coins", _points(500)),
    ("points-1000", _("Thousand"), _("Earned 1,000 points."), "milestone", 3, "star", _points(1000)),
    ("streak-7", _("Week in a Row"), _("Contributed on 7 days in a row."), "milestone", 2, "flame", _streak(7)),
    ("streak-30", _("Month in a Row"), _("Contributed on 30 days in a row."), "milestone", 4, "calendar", _streak(30)),
    ("commits-10", _("Committer"), _("Made 10 commits."), "milestone", 1, "git-commit", _count("git.commit", 10)),
    ("commits-100", _("Regular"), _("Made 100 commits."), "milestone", 3, "brand-git", _count("git.commit", 100)),
    (
        "participant",
        _("Participant"),
        _("Took part in a challenge."),
        "challenge",
        1,
        "flag",
        _count("challenge.participation"),
    ),
    (
        "finalist",
        _("Finalist"),
        _("Reached the final of a challenge."),
        "challenge",
        3,
        "target",
        _count("challenge.finalist"),
    ),
    ("winner", _("Winner"), _("Won a challenge."), "challenge", 4, "trophy", _count("challenge.win")),
    (
        "profile-complete",
        _("Complete Profile"),
        _("Filled in the whole profile."),
        "profile",
        1,
        "user-check",
        _count("profile.complete"),
    ),
    (
        "verified-email",
        _("Confirmed Address"),
        _("Confirmed the e-mail address."),
        "profile",
        1,
        "mail",
        {"type": "email.verified"},
    ),
    ("contributor", _("Contributor"), _("Made a first contribution."), "special", 1, "heart", _count("*")),
    (
        "early-supporter",
        _("Early Supporter"),
        _("Joined before 2025 and contributed."),
        "special",
        2,
        "rocket",
        {"all": [{"type": "member.before", "date": "2025-01-01"}, _count("*")]},
    ),
    (
        "elite-creator",
        _("Elite Creator"),
        _("10 approved submissions and 5,000 points."),
        "special",
        5,
        "sparkles",
        {"all": [_count("submission.approved", 10), _points(5000)]},
    ),
    (
        "pillar",
        _("Pillar"),
        _("1,000 points and a week in a row."),
        "special",
        4,
        "building-community",
        {"all": [_points(1000), _streak(7)]},
    ),
    (
        "legend",
        _("Legend"),
        _("A pillar of the community with 100 commits or a challenge won."),
        "special",
        5,
        "award",
        {"all": [_badge("pillar"), {"any": [_badge("commits-100"), _badge("winner")]}]},
    ),
]


SEEDED = Seeded({slug: (name, description) for slug, name, description, *_rest in SEEDS})
SEEDED_CATEGORIES = Seeded({slug: (name,) for slug, name in CATEGORIES.items()})


def seed(session: Session, actor: Actor) -> None:
    """Write the badges that are not there yet, and the categories that they are of."""
    columns = ("slug", "name", "description", "category", "level", "icon", "criteria")
    there = set(session.scalars(select(Badge.slug)))
    rows = [dict(zip(columns, row, strict=True)) for row in SEEDS if row[0] not in there]
    if rows:
        needed = {row["category"] for row in rows}  # no others: an admin may have deleted them
        categories = [
            {"slug": slug, "name": name, "position": 10 * place, "created_at": now()}
            for place, (slug, name) in enumerate(CATEGORIES.items(), 1)
            if slug in needed
        ]
        session.execute(insert(Category).values(categories).on_conflict_do_nothing(index_elements=["slug"]))
        badges = [{"id": new_id(), "created_at": now(), **row} for row in rows]
        session.execute(insert(Badge).values(badges).on_conflict_do_nothing(index_elements=["slug"]))
    present = select(Badge.id, Badge.version, Badge.criteria, Badge.created_at)
    versions = insert(BadgeVersion).from_select(["badge_id", "version", "criteria", "created_at"], present)
    session.execute(versions.on_conflict_do_nothing())
