"""Corrections: compensating events that add up, re-scored periods, and what verify makes of a lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.clock import frozen
from core.platform import Platform
from guildhall import Actor, DomainError, now
from plugins.contributions import corrections, queries, rescoring, seasons, service
from plugins.contributions.commands import group
from plugins.contributions.errors import DuplicateEvent
from plugins.contributions.models import Contribution, Correction, MemberProgress, Rescore
from plugins.contributions.service import NewContribution
from plugins.contributions.verify import CHECKS, verify

from .conftest import add_people, findings, picture
from .test_rules import edit

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def record(session: Session, actor: Actor, member_id: UUID, key: str, day: int = 0, **values: Any) -> Contribution:
    values = {"type": "git.commit", "occurred_at": NOON - timedelta(days=day), **values}
    return service.record(session, actor, member_id=member_id, event_key=key, **values)


class Context:
    """A job's context on one session, which dies where it is told to."""

    def __init__(self, session: Session, actor: Actor, rescore: Rescore, *, dies_after: int = 10**6) -> None:
        self.session, self.actor = session, actor
        self.job_id = rescore.id
        self.params = {"rescore_id": str(rescore.id)}
        self.saved: dict[str, Any] = {}
        self.pages = 0
        self.dies_after = dies_after

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        with self.session.begin_nested():
            yield self.session

    def progress(self, done: int, total: int | None = None) -> None:
        self.pages += 1
        if self.pages > self.dies_after:
            raise KeyboardInterrupt

    def checkpoint(self) -> dict[str, Any]:
        return self.saved

    def save(self, session: Session, **state: Any) -> None:
        self.saved = dict(state)


def test_an_override_and_a_reversal_compensate_and_nothing_is_edited(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        first, second, third = (record(session, system, ada, str(day), day) for day in (0, 1, 2))
        corrections.override_score(session, system, second.id, points=105, reason="It was a big one")
        assert (second.points, second.correction, second.total) == (5, 100, 105)
        assert queries.facts(session, [ada])[ada].points == 115
        corrections.reverse(session, system, second.id, reason="Spam")
        facts = queries.facts(session, [ada])[ada]
    assert (facts.points, facts.count_by_type, facts.streak_current, facts.streak_best) == (10, {"git.commit": 2}, 1, 1)
    assert (second.state, second.points, second.total) == ("reversed", 5, 0)
    kept = [(one.kind, one.points, one.reason) for one in corrections.corrections_of(session, second.id)]
    assert kept == [("override", 100, "It was a big one"), ("reversal", -105, "Spam")]
    assert (facts.first_at, facts.last_at) == (third.occurred_at, first.occurred_at)
    assert findings(session) == []
    for act in (corrections.reverse, lambda *a, **k: corrections.override_score(*a, points=1, **k)):
        with pytest.raises(DomainError) as refused:
            act(session, system, second.id, reason="Again")
        assert (refused.value.code, "reversed" in refused.value.message) == ("NOT_COUNTED", True)
    with pytest.raises(DomainError):
        corrections.override_score(session, system, first.id, points=-1, reason="Below")
    with pytest.raises(DomainError):
        corrections.reverse(session, system, first.id, reason=" ")


def test_reversing_the_only_one_leaves_no_trace_in_the_sums(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    with frozen(NOON):
        record(session, system, bob, "b")
        before = picture(session, "contributions_contribution", "contributions_limit_slot", "reached")
        corrections.reverse(session, system, record(session, system, ada, "a").id, reason="Mistake")
    assert picture(session, "contributions_contribution", "contributions_limit_slot", "reached") == before
    assert findings(session) == []


def test_corrections_cannot_be_changed_in_the_database(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    made = service.record(session, system, member_id=ada, type="git.commit")
    corrections.reverse(session, system, made.id, reason="Spam")
    for statement in ("UPDATE contributions_correction SET points = 1", "DELETE FROM contributions_correction"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(statement))


def test_two_reversals_at_once_reverse_once(platform: Platform, people: Callable[..., Any], system: Actor) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        made = service.record(session, system, member_id=ada, type="git.commit").id

    def reverse(_n: int) -> str:
        try:
            with platform.unit_of_work(system) as session:
                corrections.reverse(session, system, made, reason="Spam")
        except DomainError as problem:
            return problem.code
        return "reversed"

    with ThreadPoolExecutor(16) as threads:
        told = list(threads.map(reverse, range(16)))
    assert sorted(told) == ["NOT_COUNTED"] * 15 + ["reversed"]
    with platform.unit_of_work(system) as session:
        assert findings(session) == []


def test_a_period_is_tried_without_effect_then_applied_once_across_a_crash(
    session: Session, system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = add_people(session, 2)
    monkeypatch.setattr(rescoring, "PAGE", 2)
    with frozen(NOON):
        made = [record(session, system, who, f"{who}{day}", day) for who in (ada, bob) for day in (0, 1, 2)]
        corrections.override_score(session, system, made[0].id, points=50, reason="By hand")
        corrections.reverse(session, system, made[1].id, reason="Spam")
        edit(session, system, base_points=8)
        before = picture(session)
        span = {"starts_at": NOON - timedelta(days=1), "ends_at": NOON + timedelta(seconds=1)}
        row = rescoring.try_out(session, system, reason="New rules", **span)
        with pytest.raises(DomainError) as early:
            rescoring.apply(session, system, row.id)
        assert early.value.code == "RESCORE_NOT_READY"
        figures = rescoring.run(Context(session, system, row))
        assert (figures["contributions"], figures["changed"], figures["points"]) == (3, 2, 6)
        assert picture(session) == before
        rescoring.apply(session, system, row.id)
        dying = Context(session, system, row, dies_after=0)
        with pytest.raises(KeyboardInterrupt):
            rescoring.run(dying)
        again = Context(session, system, row)
        again.saved = dying.saved
        assert rescoring.run(again)["points"] == 6
        assert rescoring.run(Context(session, system, row))["applied"]["points"] == 6
    session.expire_all()
    assert [one.total for one in made] == [50, 0, 5, 8, 8, 5]
    assert session.scalar(select(MemberProgress.points).where(MemberProgress.member_id == bob)) == 21
    assert len(session.scalars(select(Correction).where(Correction.kind == "rescore")).all()) == 2
    assert findings(session) == []


events = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 9), st.sampled_from(["git.commit", "git.merge", "admin.granted"])),
    max_size=8,
    unique_by=lambda one: one,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=events, data=st.data())
def test_any_order_of_arrival_ends_in_one_state(session: Session, system: Actor, history: Any, data: Any) -> None:
    orders = [history, data.draw(st.permutations(history))]
    seen = []
    for order in orders:
        with session.begin_nested() as savepoint, frozen(NOON):
            ada, bob = add_people(session, 2, joined_at=NOON)
            who = {ada: "ada", bob: "bob"}
            for person, day, code in order:
                record(session, system, [ada, bob][person], f"{person}{day}{code}", day, type=code)
            assert findings(session) == []
            state = str(picture(session, "reached"))
            for member_id, name in who.items():
                state = state.replace(repr(member_id), name)
            seen.append(sorted(state))
            savepoint.rollback()
    assert seen[0] == seen[1]


def test_a_storm_of_duplicates_scores_once(platform: Platform, people: Callable[..., Any], system: Actor) -> None:
    [ada] = people()

    def send(n: int) -> None:
        with platform.unit_of_work(system) as session:
            if n % 2:
                row = NewContribution(member_id=ada, type="git.merge", event_key="k")
                service.record_many(session, system, [row] * 3)
                return
            with suppress(DuplicateEvent):
                service.record(session, system, member_id=ada, type="git.merge", event_key="k")

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(send, range(64)))
    with platform.unit_of_work(system) as session:
        assert session.scalar(select(MemberProgress.points)) == 10
        assert findings(session) == []


# A lie that scoring or its sums might tell, and the check that names it.
LIES = {
    "total: points": ("total", "UPDATE contributions_progress SET points = points + 1"),
    "total: count": ("total", "UPDATE contributions_progress SET count = count + 1"),
    "total: last": ("total", "UPDATE contributions_progress SET last_at = last_at + interval '1 second'"),
    "total: gone": ("total", "DELETE FROM contributions_progress"),
    "type": ("type", "UPDATE contributions_type_progress SET points = points - 1"),
    "month": ("month", "UPDATE contributions_month_progress SET count = count + 1"),
    "day": ("day", "UPDATE contributions_day_progress SET streak_count = streak_count + 1"),
    "streak": ("streak", "UPDATE contributions_progress SET streak_best = streak_best + 1"),
    "week board": ("board", "UPDATE contributions_board_progress SET points = points + 1 WHERE board LIKE 'week:%'"),
    "season board": ("board", "DELETE FROM contributions_board_progress WHERE board LIKE 'season:%'"),
    "figures": (
        "figures",
        "INSERT INTO contributions_day_change (day, type, count, points, members)"
        " SELECT day, type, 0, 0, 1 FROM contributions_day_change LIMIT 1",
    ),
    "rank": ("rank", "INSERT INTO contributions_rank_change (bucket, members) VALUES (0, 1)"),
    "score edited": ("breakdown", "UPDATE contributions_contribution SET points = points + 1"),
    "line edited": ("breakdown", "UPDATE contributions_contribution SET breakdown = '[]'"),
    "correction without event": ("correction", "UPDATE contributions_contribution SET correction = correction + 1"),
    "counted twice": ("total", "UPDATE contributions_contribution SET state = 'counted' WHERE state = 'reversed'"),
    "pending without review": ("review", "UPDATE contributions_contribution SET state = 'pending'"),
    "counted under review": (
        "review",
        "INSERT INTO contributions_review (id, contribution_id, member_id, signals, state, created_at)"
        " SELECT gen_random_uuid(), id, member_id, '[]', 'open', now() FROM contributions_contribution LIMIT 1",
    ),
    "type: gone": ("type", "DELETE FROM contributions_type_progress"),
    "month: of nobody": (
        "month",
        "UPDATE contributions_month_progress SET month = month - interval '1 month'",
    ),
    "streak: last day": ("streak", "UPDATE contributions_progress SET last_day = last_day - 1"),
    "correction's line": (
        "correction_breakdown",
        "SET LOCAL session_replication_role = replica; UPDATE contributions_correction SET breakdown = '[]'",
    ),
    "correction's points": (
        "correction",
        "SET LOCAL session_replication_role = replica; UPDATE contributions_correction SET points = points - 1",
    ),
    "correction: gone": (
        "correction",
        "SET LOCAL session_replication_role = replica; DELETE FROM contributions_correction",
    ),
    "rank of a kept board": (
        "standing",
        "INSERT INTO contributions_standing (board, member_id, rank, points, count)"
        " SELECT 'season:x', member_id, 2, points, count FROM contributions_progress",
    ),
    "undone import that counts": (
        "import",
        "INSERT INTO contributions_import (id, name, state, created_at)"
        " VALUES ('00000000-0000-0000-0000-000000000001', 'x', 'undone', now());"
        "INSERT INTO contributions_import_row SELECT '00000000-0000-0000-0000-000000000001', id"
        " FROM contributions_contribution",
    ),
}


def test_every_proof_is_attacked() -> None:
    assert {check for check, _statement in LIES.values()} == set(CHECKS)


def test_the_command_names_the_first_broken_row_of_each_proof(
    platform: Platform, people: Callable[..., Any], system: Actor
) -> None:
    first, second = people(2)
    with platform.unit_of_work(system) as session:
        for one in (first, second):
            service.record(session, system, member_id=one, type="git.commit")
        session.execute(text("UPDATE contributions_progress SET points = points + 1"))
    told = CliRunner().invoke(group, ["verify"], obj=platform)
    assert told.exit_code == 1
    assert f"total {first}: stored" in told.output and f"total {second}: stored" in told.output
    assert str(first)[:8] in told.output.split("total ")[1].split("\n")[0]


@pytest.mark.parametrize("lie", LIES)
def test_verify_names_every_lie(session: Session, system: Actor, lie: str) -> None:
    [ada] = add_people(session)
    span = {"name": "Spring", "starts_at": now() - timedelta(days=9), "ends_at": now() + timedelta(days=9)}
    seasons.create_season(session, system, span)
    for key in "abc":
        service.record(session, system, member_id=ada, type="git.commit", event_key=key)
    gone = service.record(session, system, member_id=ada, type="git.commit", event_key="d")
    corrections.reverse(session, system, gone.id, reason="Spam")
    assert findings(session) == []
    check, statement = LIES[lie]
    for one in statement.split(";"):
        session.execute(text(one))
    assert verify(session)[check]
    assert check in CHECKS
