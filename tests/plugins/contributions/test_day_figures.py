"""Figures by day are kept as things are recorded, and are at any moment what a plain count would say."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import frozen
from core.errors import DomainError
from core.platform import Platform
from guildhall import Actor, new_id
from plugins.contributions import analytics, corrections, figures, progress, queries, service, undoing
from plugins.contributions.claims import merge
from plugins.contributions.models import Contribution
from plugins.contributions.service import NewContribution

from .conftest import add_people, findings

FIRST, NOW = date(2026, 3, 1), datetime(2026, 3, 10, 12, tzinfo=UTC)
CODES = ("system.bonus", "git.commit")
_PLAIN = text("""
    SELECT (occurred_at AT TIME ZONE 'UTC')::date, type, count(*), sum(points + correction), count(DISTINCT member_id)
    FROM contributions_contribution WHERE state = 'counted' GROUP BY 1, 2 ORDER BY 1, 2
""")
_COUNTED_IDS = text("SELECT id FROM contributions_contribution WHERE state = 'counted' ORDER BY 1")
acts = st.lists(
    st.tuples(
        st.sampled_from(["one", "many", "many", "reverse", "override", "undo", "fold", "merge", "rebuild"]),
        st.integers(0, 3),
        st.integers(0, 99),
    ),
    max_size=12,
)


def plain(session: Session) -> list[tuple[Any, ...]]:
    return [(day, code, count, int(points), people) for day, code, count, points, people in session.execute(_PLAIN)]


def told(session: Session) -> list[tuple[Any, ...]]:
    days = analytics.days(session, FIRST, NOW.date())
    return [(one.day, one.type, one.count, one.points, one.members) for one in days]


def carry_out(session: Session, system: Actor, people: list[Any], act: str, who: int, number: int) -> None:
    day = NOW - timedelta(days=number % 4, hours=number % 24)
    counted = list(session.scalars(_COUNTED_IDS))
    if act == "one":
        with suppress(DomainError):  # a limit
            service.record(session, system, member_id=people[who], type=CODES[number % 2], occurred_at=day)
    elif act == "many":
        rows = [
            NewContribution(
                member_id=people[(who + n) % 4], type=CODES[(number + n) % 2], event_key=str(new_id()),
                occurred_at=day - timedelta(days=n % 3),
            )
            for n in range(3 if number % 2 else 60)
        ]  # fmt: skip
        service.record_many(session, system, rows, source="import")
    elif act == "fold":
        figures.fold(session)
    elif act == "rebuild":
        progress.rebuild(session)
    elif act == "merge" and people[who] != people[0]:
        merge(session, system, old_id=people[who], new_id=people[0])
        people[who] = people[0]
    elif counted:
        chosen = counted[number % len(counted)]
        if act == "reverse":
            corrections.reverse(session, system, chosen, reason="Spam")
        elif act == "override":
            corrections.override_score(session, system, chosen, points=number, reason="Too low")
        elif act == "undo":
            undoing.reverse_many(session, system, counted[: number % 5], reason="A wrong file")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(todo=acts)
def test_they_are_the_plain_count_whatever_was_done(session: Session, system: Actor, todo: list[Any]) -> None:
    point = session.begin_nested()
    try:
        people = add_people(session, 4)
        with frozen(NOW):
            for act, who, number in todo:
                carry_out(session, system, people, act, who, number)
                session.expire_all()
                assert told(session) == plain(session), (act, who, number)
            totals = {code: (count, points) for code, count, points in analytics.totals(session, FIRST, NOW.date())}
            by_day = dict(queries.by_day(session))
        for code in CODES:
            mine = [row for row in plain(session) if row[1] == code]
            assert totals.get(code, (0, 0)) == (sum(row[2] for row in mine), sum(row[3] for row in mine))
        assert sum(by_day.values()) == sum(row[2] for row in plain(session))
        assert findings(session) == []
    finally:
        point.rollback()


def test_many_at_once_and_folding_meanwhile(platform: Platform, system: Actor, people: Callable[..., Any]) -> None:
    everybody = people(8)

    def send(number: int) -> None:
        with platform.unit_of_work(system) as session:
            if number % 8 == 7:
                figures.fold(session)
                return
            row = NewContribution(member_id=everybody[number % 8], type="system.bonus", event_key=f"{number}")
            service.record_many(session, system, [row], source="system")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(send, range(64)))
    with platform.unit_of_work(system) as session:
        day = session.scalar(text("SELECT (max(occurred_at) AT TIME ZONE 'UTC')::date FROM contributions_contribution"))
        days = analytics.days(session, day - timedelta(days=1), day)
        assert (sum(one.count for one in days), max(one.members for one in days)) == (56, 7)
        assert findings(session) == []


@pytest.mark.parametrize(
    "query", [analytics._DAYS, analytics._TOTALS, queries._BY_DAY], ids=["days", "totals", "chart"]
)
def test_they_are_read_from_what_is_kept_alone(session: Session, query: Any) -> None:
    session.execute(
        text("""
        INSERT INTO contributions_day_figure (day, type, count, points, members)
        SELECT date '2020-01-01' + n, 'system.bonus', 1, 1, 1 FROM generate_series(1, 5000) n
    """)
    )
    session.execute(text("ANALYZE contributions_day_figure"))
    span = {"first": date(2026, 1, 1), "last": date(2026, 3, 31)}
    plan = "\n".join(session.scalars(text(f"EXPLAIN {query.text}"), span))
    assert "contributions_contribution" not in plan and "pk_contributions_day_figure" in plan


def test_whether_a_member_is_new_to_a_day_is_asked_of_an_index(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    rows = [NewContribution(member_id=ada, type="system.bonus", event_key=f"{n}") for n in range(300)]
    service.record_many(session, system, rows, source="import")
    session.execute(text("ANALYZE contributions_contribution"))
    added = f"SELECT id, member_id, type, occurred_at, points, 1 AS n FROM {Contribution.__tablename__} LIMIT 5"
    session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(session.scalars(text(f"EXPLAIN WITH added AS MATERIALIZED ({added}) {figures.CHANGES}")))
    assert re.search(r"Index (Only )?Scan (using|on) ix_contributions_contribution_(?!newest)", plan)
    assert "SubPlan" in plan and "Seq Scan on contributions_contribution c" not in plan
