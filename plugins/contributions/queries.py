"""What contributions can tell: facts of members, progress, leaderboards, figures over time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from guildhall import Member, now

from . import figures
from .boards import Leaderboard, Period, Rank, leaderboard
from .heirs import heirs, reward_owners
from .models import (
    Contribution,
    ContributionType,
    Level,
    MemberProgress,
    Milestone,
    MonthProgress,
    Review,
    TypeProgress,
)
from .rules import window_start

NEWEST_FIRST = ((Contribution.occurred_at, True), (Contribution.id, True))

_FACTS = """
    SELECT m.id, m.joined_at, m.time_zone, p.points, p.streak_current, p.streak_best, p.last_day, p.first_at, p.last_at,
        (SELECT max(l.number) FROM contributions_level l WHERE l.enabled AND l.threshold <= p.points) AS level,
        (SELECT jsonb_object_agg(t.type, t.count) FROM contributions_type_progress t WHERE t.member_id = m.id) AS counts
    FROM core_member m LEFT JOIN contributions_progress p ON p.member_id = m.id WHERE m.id {of}
"""
_FACTS_OF_ONE = text(_FACTS.format(of="= (CAST(:ids AS uuid[]))[1]"))  # its plan is kept
_FACTS_OF_MANY = text(_FACTS.format(of="= ANY(:ids)"))
_BY_DAY = text(f"""
    SELECT span.day::date, coalesce(sum(counted.count), 0)::bigint
    FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), interval '1 day') AS span (day)
    LEFT JOIN ({figures.WITHIN}) counted ON counted.day = span.day::date GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """What badge rules ask about a member, from the aggregates alone. ``streak_current`` is as of now."""

    points: int = 0
    count_by_type: dict[str, int] = field(default_factory=dict)
    streak_current: int = 0
    streak_best: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    level: int = 0
    joined_at: datetime


def facts(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, MemberFacts]:
    """Facts of each existing member of ``member_ids``, in one query; members without contributions have zeros."""
    ids, found = list(member_ids), dict[UUID, MemberFacts]()
    for row in session.execute(_FACTS_OF_ONE if len(ids) == 1 else _FACTS_OF_MANY, {"ids": ids}):
        if row.points is None:
            found[row.id] = MemberFacts(joined_at=row.joined_at)
            continue
        found[row.id] = MemberFacts(
            points=int(row.points),
            count_by_type=row.counts or {},
            streak_current=streak_now(row.streak_current, row.last_day, row.time_zone),
            streak_best=row.streak_best,
            first_at=row.first_at,
            last_at=row.last_at,
            level=row.level or 0,
            joined_at=row.joined_at,
        )
    return found


def streak_now(run: int, last_day: date | None, zone: str) -> int:
    """The streak as of now: the run that ended on ``last_day``, or 0 once a whole local day was missed."""
    today = now().astimezone(ZoneInfo(zone)).date()
    return run if last_day is not None and last_day >= today - timedelta(days=1) else 0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A member's own view: totals, this month (UTC), streak as of now, by type, and the next milestone."""

    points: int
    count: int
    month_points: int
    month_count: int
    streak_current: int
    streak_best: int
    first_at: datetime | None
    last_at: datetime | None
    by_type: list[dict[str, Any]]
    next_milestone: int | None
    level: int
    level_label: str | None
    next_level: int | None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What the member page tells of a member's progress: points this month are of UTC's, the streak is as of now."""

    points: int
    count: int
    month_points: int
    streak_current: int
    streak_best: int
    last_at: datetime | None
    next_milestone: int | None


def overview(session: Session, member_id: UUID) -> Overview | None:
    """A member's progress in one statement; None before anything counted."""
    month = select(MonthProgress.points).where(
        MonthProgress.member_id == member_id, MonthProgress.month == window_start("month", now()).date()
    )
    following = select(func.min(Milestone.threshold)).where(
        Milestone.enabled, Milestone.threshold > MemberProgress.points
    )
    query = select(MemberProgress, Member.time_zone, month.scalar_subquery(), following.scalar_subquery())
    found = session.execute(query.join(Member, Member.id == MemberProgress.member_id).where(Member.id == member_id))
    row = found.one_or_none()
    if row is None:
        return None
    total, zone, month_points, threshold = row
    return Overview(
        points=total.points,
        count=total.count,
        month_points=month_points or 0,
        streak_current=streak_now(total.streak_current, total.last_day, zone),
        streak_best=total.streak_best,
        last_at=total.last_at,
        next_milestone=threshold,
    )


def progress_of(session: Session, member_id: UUID) -> Progress | None:
    """How far a member got; None when there is no such member."""
    known = facts(session, [member_id]).get(member_id)
    if known is None:
        return None
    total = session.get(MemberProgress, member_id, populate_existing=True)
    month = session.get(MonthProgress, (member_id, window_start("month", now()).date()), populate_existing=True)
    types = session.execute(
        select(TypeProgress.type, ContributionType.label, TypeProgress.count, TypeProgress.points)
        .join(ContributionType, ContributionType.code == TypeProgress.type)
        .where(TypeProgress.member_id == member_id)
        .order_by(TypeProgress.points.desc(), TypeProgress.type)
    )
    following = select(func.min(Milestone.threshold)).where(Milestone.enabled, Milestone.threshold > known.points)
    threshold = session.scalar(following)
    above = session.scalar(select(func.min(Level.threshold)).where(Level.enabled, Level.threshold > known.points))
    return Progress(
        points=known.points,
        count=total.count if total else 0,
        month_points=month.points if month else 0,
        month_count=month.count if month else 0,
        streak_current=known.streak_current,
        streak_best=known.streak_best,
        first_at=known.first_at,
        last_at=known.last_at,
        by_type=[dict(row) for row in types.mappings()],
        next_milestone=None if threshold is None else int(threshold),
        level=known.level,
        level_label=session.scalar(select(Level.label).where(Level.number == known.level)),
        next_level=None if above is None else int(above),
    )


def contributions(
    *, member_id: UUID | None = None, type: str | None = None, state: str | None = None
) -> Select[Contribution]:
    """The query of contributions; unsorted, for paging by NEWEST_FIRST."""
    query: Select[Contribution] = select(Contribution)
    for column, value in ((Contribution.member_id, member_id), (Contribution.type, type), (Contribution.state, state)):
        if value is not None:
            query = query.where(column == value)
    return query


def type_names(session: Session) -> dict[str, str]:
    """What each type of contribution is called, by its code; in English where it is one of ours."""
    return dict(session.execute(select(ContributionType.code, ContributionType.label)).tuples().all())


def latest(session: Session, member_id: UUID, most: int = 10) -> Sequence[Contribution]:
    """A member's newest contributions."""
    query = contributions(member_id=member_id).order_by(*(column.desc() for column, _ in NEWEST_FIRST))
    return session.scalars(query.limit(most)).all()


def newest_at(session: Session) -> datetime | None:
    """When the newest counted contribution occurred."""
    query = select(Contribution.occurred_at).where(Contribution.state == "counted")
    return session.scalar(query.order_by(Contribution.occurred_at.desc()).limit(1))


def by_day(session: Session, days: int = 90) -> list[tuple[date, int]]:
    """Counted contributions on each of the ``days`` UTC days that end with the last day present; empty without any.

    The window follows the data, so that a history that ends in the past still shows.
    """
    newest = newest_at(session)
    if newest is None:
        return []
    last = newest.astimezone(UTC).date()
    first = last - timedelta(days=days - 1)
    return [(day, count) for day, count in session.execute(_BY_DAY, {"first": first, "last": last})]


def last_days(session: Session, days: int = 30) -> tuple[int, int]:
    """Counted contributions of the last ``days`` times 24 hours, and of as many before."""
    middle = now() - timedelta(days=days)
    recent = Contribution.occurred_at >= middle
    query = select(func.count().filter(recent), func.count().filter(~recent))
    counted = query.where(Contribution.state == "counted", Contribution.occurred_at >= middle - timedelta(days=days))
    this, before = session.execute(counted).one()
    return this, before


def under_review(session: Session, member_ids: Iterable[UUID]) -> set[UUID]:
    """Those of ``member_ids`` with a contribution that is held back until somebody has reviewed it."""
    held = select(Review.member_id).where(Review.member_id.in_(list(member_ids)), Review.state == "open")
    return set(session.scalars(held))


def rejected(session: Session, contribution_ids: Collection[UUID]) -> set[UUID]:
    """Those of ``contribution_ids`` that a review rejected."""
    if not contribution_ids:
        return set()
    found = select(Review.contribution_id).where(Review.contribution_id.in_(contribution_ids))
    return set(session.scalars(found.where(Review.state == "rejected")))


__all__ = [
    "Leaderboard",
    "MemberFacts",
    "Period",
    "Progress",
    "Rank",
    "by_day",
    "contributions",
    "facts",
    "heirs",
    "last_days",
    "latest",
    "leaderboard",
    "newest_at",
    "progress_of",
    "rejected",
    "reward_owners",
    "streak_now",
    "under_review",
]
