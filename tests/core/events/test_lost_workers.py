"""While a worker was lost lately, a try is counted before it is made; else nothing is paid for that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import frozen
from core.events import lost
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.ids import new_id
from core.platform import Platform
from core.plugin import Plugin

SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
killers: set[int] = set()
failing: set[int] = set()
done: list[int] = []


class Told(Event):
    event_name = "alpha.story.told"
    number: int


def one(session: Session, actor: Actor, event: StoredEvent) -> None:
    many(session, actor, [event])


def many(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    for event in events:
        if event.payload.number in killers:
            raise KeyboardInterrupt  # as good as kill -9: nothing more is written
        if event.payload.number in failing:
            raise RuntimeError("no luck today")
        done.append(event.payload.number)


def plugin(**subscriber: Any) -> Plugin:
    return Plugin("alpha", version="1", label="", events=[Told], subscribers=[Subscriber(event=Told, **subscriber)])


@pytest.fixture
def bus(shop: Any) -> Any:
    """Opens a platform with one subscriber and publishes some numbers."""

    def start(*numbers: int, **subscriber: Any) -> Platform:
        platform: Platform = shop.open(plugin(**subscriber))
        shop.clear(platform)
        for kept in (killers, failing, done):
            kept.clear()
        with frozen(T0), platform.unit_of_work(SYSTEM) as session:
            publish(session, SYSTEM, *(Told(number=number) for number in numbers))
        return platform

    return start


def lose_a_worker(platform: Platform) -> None:
    worker = new_id()
    with frozen(T0), platform.unit_of_work() as session:
        lost.beat(session, worker)
    with frozen(T0 + timedelta(seconds=20)), platform.unit_of_work() as session:
        assert lost.look(session) == 1


def rows(platform: Platform) -> list[tuple[Any, ...]]:
    query = "SELECT state, attempts, last_error FROM core_delivery ORDER BY id"
    with platform.unit_of_work() as session:
        return [tuple(row) for row in session.execute(text(query))]


def drain(platform: Platform, at: datetime) -> int:
    with frozen(at):
        return Deliverer(platform.database).drain()


def test_tries_that_kill_are_counted_and_end_as_a_dead_letter(bus: Any) -> None:
    platform = bus(1, 2, handler=one, max_attempts=3)
    lose_a_worker(platform)
    killers.add(1)
    at = T0 + timedelta(minutes=1)
    for tries in range(3):
        with pytest.raises(KeyboardInterrupt):
            drain(platform, at + timedelta(minutes=tries))
    drain(platform, at + timedelta(minutes=5))
    assert rows(platform) == [("dead", 3, "The worker was lost at every try."), ("done", 1, None)]
    assert done == [2]


def test_a_batch_that_kills_costs_only_the_culprit(bus: Any) -> None:
    platform = bus(1, 2, 3, handler=many, batch=10, max_attempts=2)
    lose_a_worker(platform)
    killers.add(2)
    for tries in range(2):
        with pytest.raises(KeyboardInterrupt):
            drain(platform, T0 + timedelta(minutes=1 + tries))
    drain(platform, T0 + timedelta(minutes=10))
    assert [state for state, _, _ in rows(platform)] == ["done", "dead", "done"]
    assert sorted(done) == [1, 3]


def test_a_counted_try_that_fails_counts_once(bus: Any) -> None:
    platform = bus(1, handler=one)
    lose_a_worker(platform)
    failing.add(1)
    drain(platform, T0 + timedelta(minutes=1))
    assert rows(platform) == [("pending", 1, "RuntimeError: no luck today")]


def test_after_an_hour_without_a_loss_tries_are_free_again(bus: Any) -> None:
    platform = bus(1, handler=one)
    lose_a_worker(platform)
    with frozen(T0 + timedelta(hours=2)), platform.unit_of_work() as session:
        assert not lost.lately(session)


def test_a_worker_that_says_good_bye_or_comes_back_was_not_lost(bus: Any) -> None:
    platform, worker = bus(handler=one), new_id()
    with frozen(T0), platform.unit_of_work() as session:
        lost.beat(session, worker)
        lost.beat(session, gone := new_id())
        lost.leave(session, gone)
    with frozen(T0 + timedelta(minutes=1)), platform.unit_of_work() as session:
        assert lost.look(session) == 1  # the database was away for a minute
        lost.beat(session, worker)
    with frozen(T0 + timedelta(minutes=1)), platform.unit_of_work() as session:
        assert not lost.lately(session)


def test_without_a_loss_a_delivery_is_one_commit(bus: Any) -> None:
    platform = bus(1, handler=one)
    commits: list[object] = []
    sa_event.listen(platform.database.engine, "commit", commits.append)
    assert drain(platform, T0 + timedelta(minutes=1)) == 1
    assert len(commits) == 2  # the delivery, and the look that finds nothing more
