"""Analytics: what happened by day and type, cohorts of members, and the events themselves for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from . import figures
from .models import Contribution

MOST_DAYS = 366
_DAYS = text(f"{figures.WITHIN} ORDER BY day, type")
_TOTALS = text(f"""
    SELECT type, sum(count)::bigint, sum(points) FROM ({figures.WITHIN}) days GROUP BY type ORDER BY type
""")
_COHORTS = text("""
    SELECT cohort, ((extract(year FROM month) - extract(year FROM cohort)) * 12
        + extract(month FROM month) - extract(month FROM cohort))::int AS age, count(*)
    FROM (
        SELECT member_id, date_trunc('month', first_at AT TIME ZONE 'UTC')::date AS cohort
        FROM contributions_progress WHERE first_at >= :since
    ) firsts JOIN contributions_month_progress USING (member_id) GROUP BY 1, 2 ORDER BY 1, 2
""")


@dataclass(frozen=True, kw_only=True)
class DayFigures:
    """What counted on a UTC day of one type; ``members`` are those who did it."""

    day: date
    type: str
    count: int
    points: int
    members: int


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Members whose first month (UTC) it was; ``active[n]`` of them contributed ``n`` months later."""

    month: date
    active: list[int]


def days(session: Session, first: date, last: date) -> list[DayFigures]:
    """Figures of each day and type, ``first`` to ``last`` with both; at most 366 days, the newest ones."""
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    return [
        DayFigures(day=day, type=code, count=count, points=int(points), members=people)
        for day, code, count, points, people in session.execute(_DAYS, {"first": first, "last": last})
    ]


def totals(session: Session, first: date, last: date) -> list[tuple[str, int, int]]:
    """Type, number and points of what counted from ``first`` to ``last`` with both, by type."""
    span = {"first": first, "last": last}
    return [(code, count, int(points)) for code, count, points in session.execute(_TOTALS, span)]


def cohorts(session: Session, since: date) -> list[Cohort]:
    """Cohorts by month from ``since`` on, oldest first."""
    found: dict[date, list[int]] = {}
    for month, age, count in session.execute(_COHORTS, {"since": _midnight(since.replace(day=1))}):
        active = found.setdefault(month, [])
        active += [0] * (age - len(active)) + [count]
    return [Cohort(month=month, active=active) for month, active in found.items()]


def events(session: Session, after: tuple[datetime, UUID] | None, until: datetime, most: int) -> Sequence[Contribution]:
    """Up to ``most`` contributions of any state that were recorded before ``until``, in order, after a place in it."""
    place = tuple_(Contribution.occurred_at, Contribution.id)
    query = select(Contribution).where(Contribution.occurred_at < until)
    if after is not None:
        query = query.where(place > after)
    return session.scalars(query.order_by(Contribution.occurred_at, Contribution.id).limit(most)).all()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
