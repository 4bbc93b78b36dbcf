"""The reports of contributions say what a plain count of the same rows says."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import TextClause, insert, text
from sqlalchemy.orm import Session

from core.clock import frozen
from core.reports.period import Period
from core.reports.run import run
from guildhall import Actor, new_id
from plugins.contributions import analytics, progress, reports
from plugins.contributions.models import Contribution

from .conftest import add_people

ZONE = "America/New_York"
PERIODS = [
    Period(date(2026, 1, 10), date(2026, 1, 30), ZONE),
    Period(date(2025, 11, 3), date(2026, 2, 20), ZONE),
    Period(date(2025, 3, 1), date(2026, 2, 28), "UTC"),
]


@pytest.fixture
def history(session: Session) -> list[dict]:
    """Four hundred contributions of a year, of twelve members and every state."""
    chance = random.Random(7)
    members = add_people(session, 12)
    codes = list(session.scalars(text("SELECT code FROM contributions_type ORDER BY code LIMIT 4")))
    rows = []
    for number in range(400):
        points = chance.randrange(50)
        rows.append(
            {
                "id": new_id(),
                "member_id": chance.choice(members[: 3 + number // 40]),
                "type": chance.choice(codes),
                "points": points,
                "correction": -min(points, chance.randrange(5)),
                "state": chance.choice(["counted"] * 6 + ["pending", "rejected", "reversed"]),
                "breakdown": [],
                "type_version": 1,
                "details": {},
                "source": "import",
                "event_key": str(number),
                "occurred_at": datetime(2025, 3, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(360 * 1440)),
                "local_day": date(2025, 1, 1),
                "counts_for_streak": True,
                "created_at": datetime(2026, 3, 1, tzinfo=UTC),
                "correlation_id": new_id(),
            }
        )
    session.execute(insert(Contribution), rows)
    progress.rebuild(session)
    return [row for row in rows if row["state"] == "counted"]


def inside(rows: list[dict], period: Period) -> list[dict]:
    return [row for row in rows if period.since <= row["occurred_at"] < period.until]


@pytest.mark.parametrize("period", PERIODS, ids=lambda one: one.step)
def test_by_type(session: Session, system: Actor, history: list[dict], period: Period) -> None:
    told = run(session, system, "contributions.by_type", period)
    rows = inside(history, period)
    assert {row[0]: row[2:] for row in told.rows} == {
        code: (
            len(mine := [row for row in rows if row["type"] == code]),
            len({row["member_id"] for row in mine}),
            sum(row["points"] + row["correction"] for row in mine),
        )
        for code in {row["type"] for row in rows}
    }
    assert told.totals["count"] == len(rows)


@pytest.mark.parametrize("period", PERIODS, ids=lambda one: one.step)
def test_active_members(session: Session, system: Actor, history: list[dict], period: Period) -> None:
    told = run(session, system, "contributions.active_members", period)
    zone = ZoneInfo(period.zone)

    def step(row: dict) -> date:
        return period.step_of(row["occurred_at"].astimezone(zone).date())

    first = {}
    for row in sorted(history, key=lambda one: one["occurred_at"]):
        first.setdefault(row["member_id"], step(row))
    expected = []
    for day in period.steps:
        mine = [row for row in inside(history, period) if step(row) == day]
        people = {row["member_id"] for row in mine}
        expected.append((day, len(people), sum(first[one] == day for one in people), len(mine)))
    assert list(told.rows) == expected


def test_retention(session: Session, system: Actor, history: list[dict]) -> None:
    period = PERIODS[2]
    months: dict = {}
    for row in history:
        months.setdefault(row["member_id"], set()).add(row["occurred_at"].date().replace(day=1))
    expected: dict = {}
    for mine in months.values():
        began = min(mine)
        cohort = expected.setdefault(began, [0] * 7)
        for month in mine:
            later = (month.year - began.year) * 12 + month.month - began.month
            if later < 7:
                cohort[later] += 1
    with frozen(datetime(2027, 1, 1, tzinfo=UTC)):
        told = run(session, system, "contributions.retention", period)
    assert list(told.rows) == [(month, *counts) for month, counts in sorted(expected.items())]
    with frozen(datetime(2026, 3, 31, tzinfo=UTC)):
        told = run(session, system, "contributions.retention", period)
    came = {row[0]: sum(cell is not None for cell in row[1:]) for row in told.rows}
    assert came == {month: min(7, (2026 - month.year) * 12 + 3 - month.month + 1) for month in came}


def test_cohorts_and_totals(session: Session, history: list[dict]) -> None:
    months: dict = {}
    for row in history:
        months.setdefault(row["member_id"], set()).add(row["occurred_at"].date().replace(day=1))
    since = sorted({min(mine) for mine in months.values()})[1]
    expected: dict = {}
    for mine in months.values():
        for month in mine:
            later = (month.year - min(mine).year) * 12 + month.month - min(mine).month
            cohort = expected.setdefault(min(mine), [])
            cohort += [0] * (later + 1 - len(cohort))
            cohort[later] += 1
    found = {one.month: one.active for one in analytics.cohorts(session, since + timedelta(days=20))}
    assert found == {month: active for month, active in expected.items() if month >= since}
    span = (date(2025, 6, 1), date(2025, 12, 31))
    days = analytics.days(session, *span)
    by_type: dict = {code: [one for one in days if one.type == code] for code in sorted({one.type for one in days})}
    assert analytics.totals(session, *span) == [
        (code, sum(one.count for one in mine), sum(one.points for one in mine)) for code, mine in by_type.items()
    ]


@pytest.mark.parametrize("query", [analytics._COHORTS, reports._RETENTION], ids=["cohorts", "retention"])
def test_who_came_again_is_read_from_the_aggregates(session: Session, query: TextClause) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    asked = dict.fromkeys(query._bindparams, at)
    told = "\n".join(session.scalars(text(f"EXPLAIN {query.text}"), asked))
    assert "contributions_progress" in told and "contributions_contribution" not in told


def test_who_is_new_is_not_looked_for_among_all_contributions(session: Session) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    asked = {"step": "day", "zone": "UTC", "since": at, "until": at + timedelta(days=30)}
    told = "\n".join(session.scalars(text(f"EXPLAIN {reports._ACTIVE.text}"), asked))
    assert told.count(" on contributions_contribution ") == 1 and "SubPlan" not in told
