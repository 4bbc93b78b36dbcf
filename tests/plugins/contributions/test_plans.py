"""What is asked often reads indexes and little else, and one contribution is a handful of statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from guildhall import Actor
from plugins.contributions import boards, ranks, risk, scoring_context, service, verify

from .conftest import add_people

PEOPLE = """
    INSERT INTO core_member (id, display_name, status, tier, locale, time_zone, source, joined_at)
    SELECT uuidv7(), 'Somebody', 'active', 'free', '', 'UTC', 'import', now() FROM generate_series(1, 5000)
"""
POINTS = (
    "INSERT INTO contributions_progress (member_id, count, points) SELECT id, 1, hashtext(id::text) & 8191"
    " FROM core_member",
    """INSERT INTO contributions_board_progress (board, member_id, count, points)
    SELECT 'week:2026-03-09', member_id, count, points FROM contributions_progress""",
    """INSERT INTO contributions_type_progress (type, member_id, count, points)
    SELECT 'git.commit', member_id, count, points FROM contributions_progress""",
    """INSERT INTO contributions_month_progress (month, member_id, count, points)
    SELECT '2026-03-01', member_id, count, points FROM contributions_progress""",
)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []
    engine = session.get_bind().engine

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan(session: Session, query: str, **params: Any) -> str:
    return "\n".join(session.scalars(text(f"EXPLAIN {query}"), params))


@pytest.fixture
def crowd(session: Session) -> Session:
    """Five thousand members with points."""
    session.execute(text(PEOPLE))
    for statement in POINTS:
        session.execute(text(statement))
    ranks.rebuild(session)
    session.execute(text("ANALYZE core_member, contributions_progress, contributions_board_progress"))
    session.execute(text("ANALYZE contributions_type_progress, contributions_month_progress"))
    return session


@pytest.mark.parametrize("which", [{}, {"period": "week"}, {"period": "month"}, {"type": "git.commit"}], ids=str)
def test_the_best_of_a_board_are_read_from_its_index_alone(crowd: Session, which: dict[str, Any]) -> None:
    board = boards.find(crowd, at=datetime(2026, 3, 10, tzinfo=UTC), **which)
    query = boards._best(board.table, board.where).text
    told = plan(crowd, query, **board.params, top=25, key=board.key)
    assert f"Index Only Scan Backward using ix_{board.table}_rank" in told
    assert not re.search(r"Seq Scan on contributions_\w*progress", told)


def test_a_rank_reads_one_bucket_and_not_the_members(crowd: Session) -> None:
    told = plan(crowd, ranks._ABOVE.text, bucket=30, points=490, edge=496)
    assert "Seq Scan on contributions_progress" not in told and "ix_contributions_progress_rank" in told


def test_what_scoring_asks_first_reads_indexes(crowd: Session) -> None:
    at = datetime(2026, 3, 10, tzinfo=UTC)
    [member] = crowd.scalars(text("SELECT id FROM core_member LIMIT 1"))
    told = plan(crowd, scoring_context.KNOWN, ids=[member], codes=["git.commit"], first=at, last=at, disabled=False)
    assert "Seq Scan on core_member" not in told
    told = plan(crowd, risk._IDLE.text, ids=[member], participation="challenge.participation", most=3)
    assert "Seq Scan on contributions_type_progress" not in told


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("state = 'rejected'", "state"),
        ("source = 'webhook'", "source"),
        ("state = 'counted' AND occurred_at > '2026-03-01'", "newest"),
    ],
)
def test_rare_contributions_are_found_without_reading_the_others(
    session: Session, system: Actor, where: str, index: str
) -> None:
    [ada] = add_people(session)
    often = [service.NewContribution(member_id=ada, type="system.bonus", event_key=f"{n}") for n in range(500)]
    service.record_many(session, system, often, source="import")
    session.execute(text("ANALYZE contributions_contribution"))
    session.execute(text("SET LOCAL enable_seqscan = off"))
    query = f"SELECT id FROM contributions_contribution WHERE {where} ORDER BY occurred_at DESC, id DESC LIMIT 26"
    assert f"Scan Backward using ix_contributions_contribution_{index} " in plan(session, query)


def test_streaks_of_everybody_are_not_compared_each_with_each(crowd: Session) -> None:
    told = plan(crowd, f"{verify.CHECKS['streak']} LIMIT 100")
    assert "Nested Loop" not in told


def test_one_contribution_is_four_statements_and_a_streak(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    service.record(session, system, member_id=ada, type="git.commit")  # the first brings a level and a day
    with statements(session) as sent:
        service.record(session, system, member_id=ada, type="git.commit")
    told = [re.sub(r"\s+", " ", one).strip() for one in sent]
    assert [one[:6] for one in told] == ["SELECT", "SELECT", "WITH s", "WITH e"], told


def test_ten_times_as_many_contributions_are_no_more_statements(session: Session, system: Actor) -> None:
    everybody = add_people(session, 20)
    counts = []
    for number in (100, 1000):
        rows = [
            service.NewContribution(member_id=everybody[n % 20], type="system.bonus", event_key=f"{number}-{n}")
            for n in range(number)
        ]
        with statements(session) as sent:
            service.record_many(session, system, rows, source="system")
        counts.append(len(sent))
    assert counts[1] <= counts[0] + 4  # more milestones are reached
