"""Ids sort by time, the clock can be held, an actor is what it may do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.actor import Actor
from core.clock import frozen, now, rfc3339
from core.errors import PermissionMissing, Unauthenticated
from core.ids import new_id

T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)


def test_ids_are_version_7_and_never_the_same() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}


def test_ids_tell_when_they_were_made() -> None:
    before = datetime.now(UTC).timestamp() * 1000
    made = new_id().int >> 80
    assert before - 1 <= made <= datetime.now(UTC).timestamp() * 1000


def test_ids_begin_with_a_time_that_never_goes_back() -> None:
    times = [new_id().int >> 64 for _ in range(1000)]
    assert times == sorted(times)


def test_a_held_clock_holds_in_its_own_thread_alone() -> None:
    seen: list[datetime] = []
    with frozen(T0):
        thread = threading.Thread(target=lambda: seen.append(now()))
        thread.start()
        thread.join()
        with frozen(T0 + timedelta(days=1)):
            assert now() == T0 + timedelta(days=1)
        assert now() == T0
    assert seen[0] != T0
    assert now().tzinfo is UTC


def test_times_are_written_in_utc() -> None:
    assert rfc3339(datetime(2031, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == "2031-05-01T12:00:00Z"


def test_the_system_may_do_everything_and_others_what_they_hold() -> None:
    assert Actor.system().can("wallet:transfer:create")
    member = Actor(kind="member", name="Amina", permissions=frozenset({"wallet:account:list"}))
    member.require("wallet:account:list")
    with pytest.raises(PermissionMissing, match="wallet:transfer:create"):
        member.require("wallet:transfer:create")


def test_nobody_is_asked_to_sign_in() -> None:
    with pytest.raises(Unauthenticated):
        Actor(kind="anonymous", name="anonymous").require("wallet:account:list")


def test_an_actor_goes_on_with_the_cause_of_an_event() -> None:
    event, correlation = new_id(), new_id()
    actor = Actor.system("a").caused_by(event, correlation)
    assert (actor.name, actor.causation_id, actor.correlation_id) == ("a", event, correlation)
