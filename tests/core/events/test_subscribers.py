"""Who listens: absent plugins are remembered, one subscriber can be paused, people come before imports."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db import locks
from core.errors import NotFound
from core.events import deliver, subscribers
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.jobs.job import Job, JobContext
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.platform import Platform
from core.plugin import Plugin

SYSTEM = Actor.system("test")
heard: list[tuple[str, int]] = []


class Told(Event):
    event_name = "alpha.story.told"
    number: int


class Retold(Event):
    event_name = "alpha.story.retold"
    number: int


def listen(session: Session, actor: Actor, event: StoredEvent) -> None:
    heard.append(("alpha", event.payload.number))


def write_down(session: Session, actor: Actor, event: StoredEvent) -> None:
    heard.append(("beta", event.payload.number))


def pass_on(session: Session, actor: Actor, event: StoredEvent) -> None:
    publish(session, actor, Retold(number=event.payload.number))


def bring_in(context: JobContext) -> None:
    with context.unit_of_work() as session:
        publish(session, context.actor, Told(number=1))


ALPHA = Plugin(
    "alpha",
    version="1",
    label="",
    events=[Told, Retold],
    subscribers=[Subscriber(event=Told, handler=listen)],
    jobs=[Job(name="bring_in", label="", run=bring_in)],
)
BETA = Plugin("beta", version="1", label="", subscribers=[Subscriber(event=Told, handler=write_down)])


@pytest.fixture
def open_(shop: Any) -> Any:
    """Opens platforms on the one database, as upgraded at their start."""
    cleared: list[Platform] = []

    def start(*plugins: Plugin) -> Platform:
        platform: Platform = shop.open(*plugins)
        if not cleared:
            shop.clear(platform)
            heard.clear()
            cleared.append(platform)
        with platform.unit_of_work(SYSTEM) as session:
            subscribers.keep(session)
        return platform

    return start


def tell(platform: Platform, *numbers: int, actor: Actor = SYSTEM) -> None:
    with platform.unit_of_work(actor) as session:
        publish(session, actor, *(Told(number=number) for number in numbers))


def drain(platform: Platform) -> int:
    return Deliverer(platform.database).drain()


def rows(platform: Platform, query: str) -> list[tuple[Any, ...]]:
    with platform.unit_of_work() as session:
        return [tuple(row) for row in session.execute(text(query))]


def pause(platform: Platform, name: str, paused: bool) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        subscribers.set_paused(session, SYSTEM, name, paused)


def test_a_plugin_that_is_absent_misses_nothing(open_: Any) -> None:
    open_(ALPHA, BETA)
    without = open_(ALPHA)  # safe mode, disabled_plugins, or it could not be loaded
    tell(without, 1)
    drain(without)
    assert heard == [("alpha", 1)]
    assert rows(without, "SELECT subscriber FROM core_delivery WHERE state = 'pending'") == [("beta.write_down",)]
    drain(open_(ALPHA, BETA))
    assert heard == [("alpha", 1), ("beta", 1)]


def test_each_event_of_a_batch_has_its_own_cause(open_: Any) -> None:
    acted: list[tuple[StoredEvent, Actor]] = []

    def retell(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
        for event in events:
            acted.append((event, actor))
            number = event.payload.number
            by = event.actor if number % 2 else replace(actor, correlation_id=event.correlation_id)
            if number < 10:
                publish(session, by, Told(number=number + 10))

    platform = open_(replace(ALPHA, subscribers=[Subscriber(event=Told, handler=retell, batch=10)]))
    for number in range(4):
        tell(platform, number, actor=Actor.system("test"))
    drain(platform)
    chain = rows(
        platform,
        "SELECT (c.payload->>'number')::int, (e.payload->>'number')::int, c.correlation_id = e.correlation_id "
        "FROM core_event e JOIN core_event c ON c.id = e.causation_id ORDER BY 1",
    )
    assert chain == [(number, number + 10, True) for number in range(4)]
    mixed = {actor.causation_id for event, actor in acted if event.payload.number < 10}
    assert mixed == {None}, "the batch as a whole was caused by none of them"
    assert all(event.actor.causation_id == event.id and event.actor.name == "alpha.retell" for event, _by in acted)


def test_what_was_published_under_one_lock_is_taken_in_the_order_of_commits(open_: Any) -> None:
    platform = open_(ALPHA)
    committed: list[int] = []

    def publisher(number: int) -> None:
        with platform.unit_of_work(SYSTEM) as session:
            locks.advisory(session, "the ordering key")
            committed.append(number)
            publish(session, SYSTEM, Told(number=number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(publisher, range(24)))
    drain(platform)
    assert [number for _by, number in heard] == committed


def test_nothing_is_kept_for_a_plugin_that_was_never_there(open_: Any) -> None:
    alone = open_(ALPHA)
    tell(alone, 1)
    assert rows(alone, "SELECT subscriber FROM core_delivery") == [("alpha.listen",)]


def test_a_handler_that_its_plugin_gave_up_leaves_dead_letters_and_gets_no_more(open_: Any) -> None:
    both = open_(ALPHA, BETA)
    tell(both, 1)
    newer = open_(ALPHA, replace(BETA, version="2", subscribers=[]))
    tell(newer, 2)
    assert rows(newer, "SELECT state, last_error FROM core_delivery WHERE subscriber = 'beta.write_down'") == [
        ("dead", "Its plugin no longer declares this handler.")
    ]


def test_deliveries_wait_while_the_plugin_of_their_event_is_absent(open_: Any) -> None:
    tell(open_(ALPHA, BETA), 1)
    alone = open_(BETA)
    assert drain(alone) == 0
    assert rows(alone, "SELECT DISTINCT state, attempts FROM core_delivery") == [("pending", 0)]


def test_a_paused_subscriber_waits_and_the_others_go_on(open_: Any) -> None:
    both = open_(ALPHA, BETA)
    pause(both, "beta.write_down", True)
    tell(both, 1)
    drain(both)
    assert heard == [("alpha", 1)]
    with both.unit_of_work() as session:
        assert not deliver.waiting(session)
    pause(both, "beta.write_down", False)
    drain(both)
    assert heard == [("alpha", 1), ("beta", 1)]
    done = "SELECT action, subject_id FROM core_audit WHERE action LIKE 'core.subscriber%' ORDER BY id DESC LIMIT 2"
    assert rows(both, done) == [
        ("core.subscriber.resumed", "beta.write_down"),
        ("core.subscriber.paused", "beta.write_down"),
    ]


def test_a_pause_outlives_a_restart(open_: Any) -> None:
    pause(open_(ALPHA, BETA), "beta.write_down", True)
    again = open_(ALPHA, BETA)
    tell(again, 1)
    drain(again)
    assert heard == [("alpha", 1)]


def test_a_subscriber_that_nobody_knows_cannot_be_paused(open_: Any) -> None:
    with pytest.raises(NotFound):
        pause(open_(ALPHA), "alpha.nobody", True)


def test_what_people_cause_comes_before_what_an_import_causes(open_: Any) -> None:
    alone = open_(ALPHA)
    tell(alone, 1, 2, actor=Actor.system("import", bulk=True))
    tell(alone, 3)
    drain(alone)
    assert [number for _, number in heard] == [3, 1, 2]


def test_people_come_first_across_subscribers(open_: Any) -> None:
    both = open_(ALPHA, BETA)
    tell(both, 1, actor=Actor.system("import", bulk=True))
    tell(both, 2)
    drain(both)
    assert [number for _, number in heard] == [2, 2, 1, 1]


def test_jobs_and_what_bulk_leads_to_are_bulk(open_: Any) -> None:
    plugin = replace(
        ALPHA, subscribers=[Subscriber(event=Told, handler=pass_on), Subscriber(event=Retold, handler=listen)]
    )
    alone = open_(plugin)
    with alone.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, "alpha.bring_in")
    assert run_next(alone.database)
    drain(alone)
    assert rows(alone, "SELECT subscriber, priority FROM core_delivery ORDER BY id") == [
        ("alpha.pass_on", 1),
        ("alpha.listen", 1),
    ]


def test_a_delivery_that_another_worker_holds_does_not_stop_other_subscribers(open_: Any) -> None:
    both = open_(ALPHA, BETA)
    tell(both, 1)
    held = text("SELECT 1 FROM core_delivery WHERE subscriber = 'alpha.listen' FOR UPDATE")
    with both.database.engine.connect() as other:
        other.execute(held)
        assert drain(both) == 1
        assert heard == [("beta", 1)]
        other.rollback()
    assert drain(both) == 1
