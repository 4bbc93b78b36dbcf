"""Each event reaches each subscriber once, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.clock import frozen
from core.doorbell import make_workers
from core.events import replay as replays
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.platform import Platform
from core.plugin import Plugin
from core.runtime import scheduler

SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)


class Told(Event):
    """Somebody told something."""

    event_name = "alpha.story.told"
    number: int


class Retold(Event):
    event_name = "alpha.story.retold"
    number: int


calls: list[tuple[str, Any]] = []
failing: set[Any] = set()
outside: list[UUID] = []


def put(session: Session, by: str, number: int) -> None:
    session.execute(text("INSERT INTO alpha_effect (by, number) VALUES (:by, :n)"), {"by": by, "n": number})


def write(session: Session, actor: Actor, event: StoredEvent) -> None:
    calls.append(("write", event.payload.number))
    put(session, "write", event.payload.number)
    if "write" in failing:
        raise RuntimeError("no luck today")


def batch(session: Session, actor: Actor, events: Sequence[StoredEvent]) -> None:
    calls.append(("batch", [event.payload.number for event in events]))
    for event in events:
        put(session, "batch", event.payload.number)
        if event.payload.number in failing:
            raise RuntimeError("poisoned")


def chain(session: Session, actor: Actor, event: StoredEvent) -> None:
    put(session, "chain", event.payload.number)
    publish(session, actor, Retold(number=event.payload.number))


def call(unit_of_work: Any, actor: Actor, event: StoredEvent) -> None:
    outside.append(event.id)
    with unit_of_work() as session:
        put(session, "call", event.payload.number)
    if "call" in failing:
        raise RuntimeError("no answer")
    if "crash" in failing:
        raise KeyboardInterrupt


ALPHA = Plugin(
    "alpha",
    version="1",
    label="",
    events=[Told, Retold],
    subscribers=[
        Subscriber(event=Told, handler=write, max_attempts=3),
        Subscriber(event=Told, handler=batch, batch=10),
        Subscriber(event=Told, handler=chain),
        Subscriber(event=Told, handler=call, kind="external", max_attempts=3, lease_seconds=60),
    ],
)
TABLE = "CREATE TABLE IF NOT EXISTS alpha_effect (id serial PRIMARY KEY, by text, number integer)"


class Bus:
    """The plugin alpha and what became of its events."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.deliverer = Deliverer(platform.database)

    def tell(self, *numbers: int, actor: Actor = SYSTEM) -> list[UUID]:
        with self.platform.unit_of_work(actor) as session:
            return publish(session, actor, *(Told(number=number) for number in numbers))

    def drain(self) -> int:
        return self.deliverer.drain()

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.platform.unit_of_work() as session:
            return [tuple(row) for row in session.execute(text(query), values)]

    def effects(self, by: str) -> list[int]:
        return [row[0] for row in self.rows("SELECT number FROM alpha_effect WHERE by = :by ORDER BY number", by=by)]

    def delivery(self, handler: str) -> tuple[Any, ...]:
        """State, attempts and error of the only delivery to a handler."""
        query = "SELECT state, attempts, last_error FROM core_delivery WHERE subscriber = :one"
        [found] = self.rows(query, one=f"alpha.{handler}")
        return tuple(found)

    def states(self) -> dict[str, int]:
        return dict(self.rows("SELECT state, count(*) FROM core_delivery GROUP BY state"))

    def toggle(self, enabled: bool) -> None:
        with self.platform.unit_of_work(SYSTEM) as session:
            lifecycle.set_enabled(session, SYSTEM, "alpha", enabled)


@pytest.fixture(scope="module")
def alpha(shop: Any) -> Platform:
    platform: Platform = shop.open(ALPHA)
    with platform.unit_of_work() as session:
        session.execute(text(TABLE))
    return platform


@pytest.fixture
def bus(shop: Any, alpha: Platform) -> Bus:
    shop.clear(alpha)
    for kept in (calls, failing, outside):
        kept.clear()
    with alpha.unit_of_work() as session:
        session.execute(text("TRUNCATE alpha_effect"))
    return Bus(alpha)


@pytest.fixture
def handled_by(alpha: Platform) -> Iterator[Callable[..., None]]:
    """Let another function handle what ``alpha.<name>`` listens to, for this test."""
    before = dict(alpha.registry.subscribers)

    def change(name: str, handler: Callable[..., None]) -> None:
        alpha.registry.subscribers[f"alpha.{name}"] = replace(before[f"alpha.{name}"], handler=handler)

    yield change
    alpha.registry.subscribers.update(before)


def test_an_event_and_its_deliveries_come_with_the_commit(bus: Bus) -> None:
    bus.tell(1)
    subscribers = {f"alpha.{name}" for name in ("write", "batch", "chain", "call")}
    assert {row[0] for row in bus.rows("SELECT subscriber FROM core_delivery")} == subscribers
    assert bus.rows("SELECT name, payload FROM core_event") == [("alpha.story.told", {"number": 1})]


def test_neither_event_nor_deliveries_survive_a_rollback(bus: Bus) -> None:
    with pytest.raises(RuntimeError), bus.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Told(number=1))
        raise RuntimeError
    assert bus.rows("SELECT 1 FROM core_event UNION ALL SELECT 1 FROM core_delivery") == []


def test_an_event_that_nobody_declares_is_refused(bus: Bus) -> None:
    class Rumour(Event):
        event_name = "alpha.rumour.spread"

    with pytest.raises(LookupError, match=r"alpha\.rumour\.spread"), bus.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Rumour())


def test_every_subscriber_is_reached_once(bus: Bus) -> None:
    bus.tell(1, 2)
    assert bus.drain() == 8
    assert {by: bus.effects(by) for by in ("write", "batch", "chain", "call")} == {
        "write": [1, 2],
        "batch": [1, 2],
        "chain": [1, 2],
        "call": [1, 2],
    }
    assert bus.states() == {"done": 8}
    assert bus.drain() == 0


def test_a_handler_that_raises_leaves_no_effect_and_others_are_unaffected(bus: Bus) -> None:
    failing.add("write")
    bus.tell(1)
    bus.drain()
    assert bus.effects("write") == []
    assert bus.delivery("write") == ("pending", 1, "RuntimeError: no luck today")
    assert (bus.effects("batch"), bus.effects("chain"), bus.effects("call")) == ([1], [1], [1])


def test_an_effect_whose_acknowledgement_cannot_commit_is_undone(bus: Bus, handled_by: Any) -> None:
    def write_what_is_there_already(session: Session, actor: Actor, event: StoredEvent) -> None:
        session.execute(text("CREATE TABLE late (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        put(session, "write", 1)
        session.execute(text("INSERT INTO late VALUES (1), (1)"))

    handled_by("write", write_what_is_there_already)
    bus.tell(1)
    bus.drain()
    state, attempts, error = bus.delivery("write")
    assert (state, attempts) == ("pending", 1)
    assert "UniqueViolation" in error
    assert bus.effects("write") == []


def test_tries_are_spaced_ever_wider_and_end_as_a_dead_letter(bus: Bus) -> None:
    failing.add("write")
    at, waits = T0, []
    with frozen(at):
        bus.tell(1)
    for _ in range(3):
        with frozen(at):
            bus.drain()
            bus.drain()  # nothing more is due at this time
        [(due,)] = bus.rows("SELECT due_at FROM core_delivery WHERE subscriber = 'alpha.write'")
        waits.append((due - at).total_seconds())
        at = due
    assert 1 <= waits[0] <= 2 <= waits[1] <= 4 <= waits[2] <= 8
    assert bus.delivery("write") == ("dead", 3, "RuntimeError: no luck today")
    assert calls.count(("write", 1)) == 3
    with frozen(at + timedelta(days=30)):
        assert bus.drain() == 0


def test_a_handler_that_recovers_is_done(bus: Bus) -> None:
    failing.add("write")
    with frozen(T0):
        bus.tell(1)
        bus.drain()
    failing.clear()
    with frozen(T0 + timedelta(seconds=2)):
        assert bus.drain() == 1
    assert bus.delivery("write") == ("done", 2, None)
    assert bus.effects("write") == [1]


def test_batches_are_as_large_as_declared(bus: Bus) -> None:
    bus.tell(*range(25))
    bus.drain()
    assert [len(numbers) for name, numbers in calls if name == "batch"] == [10, 10, 5]


def test_a_poisoned_batch_costs_only_the_culprit(bus: Bus) -> None:
    failing.add(4)
    bus.tell(*range(10))
    bus.drain()
    assert bus.effects("batch") == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    query = "SELECT payload->>'number', d.state, d.attempts FROM core_delivery d JOIN core_event e ON e.id = event_id "
    assert bus.rows(query + "WHERE subscriber = 'alpha.batch' AND d.state <> 'done'") == [("4", "pending", 1)]


def test_an_unreadable_event_costs_only_itself(bus: Bus) -> None:
    bus.tell(1, 2)
    with bus.platform.unit_of_work() as session:
        session.execute(text("UPDATE core_event SET payload = '{\"number\": \"many\"}' WHERE payload->>'number' = '1'"))
    bus.drain()
    assert (bus.effects("write"), bus.effects("batch")) == ([2], [2])


def test_an_external_call_is_outside_any_transaction(bus: Bus) -> None:
    failing.add("call")
    with frozen(T0):
        bus.tell(1)
        bus.drain()
    assert bus.effects("call") == [1]
    assert bus.delivery("call") == ("pending", 1, "RuntimeError: no answer")


def test_an_external_delivery_in_hand_is_not_taken_by_another(bus: Bus) -> None:
    failing.add("crash")
    with frozen(T0):
        bus.tell(1)
        with pytest.raises(KeyboardInterrupt):
            bus.drain()
        failing.clear()
        bus.drain()
        assert len(outside) == 1


def test_a_crash_between_call_and_acknowledgement_calls_again_with_the_same_event(bus: Bus) -> None:
    failing.add("crash")
    with frozen(T0):
        [event] = bus.tell(1)
        with pytest.raises(KeyboardInterrupt):
            bus.drain()
    failing.clear()
    with frozen(T0 + timedelta(seconds=61)):
        bus.drain()
    assert outside == [event, event]
    assert bus.delivery("call") == ("done", 2, None)


def test_an_external_call_that_kills_its_worker_each_time_ends_as_a_dead_letter(bus: Bus) -> None:
    failing.add("crash")
    with frozen(T0):
        bus.tell(1)
    for tries in range(3):
        with frozen(T0 + timedelta(minutes=2 * tries)), pytest.raises(KeyboardInterrupt):
            bus.drain()
    with frozen(T0 + timedelta(hours=1)):
        bus.drain()
    assert bus.delivery("call") == ("dead", 3, "The worker was lost at every try.")
    assert len(outside) == 3


def test_a_late_failure_does_not_undo_what_another_worker_acknowledged(bus: Bus, handled_by: Any) -> None:
    other = Deliverer(bus.platform.database)

    def slow(unit_of_work: Any, actor: Any, event: Any) -> None:
        if not outside:
            outside.append(event.id)
            with frozen(T0 + timedelta(minutes=2)):
                other.drain()
            raise RuntimeError("too late")
        call(unit_of_work, actor, event)

    handled_by("call", slow)
    with frozen(T0):
        bus.tell(1)
        bus.drain()
    assert bus.delivery("call") == ("done", 2, None)


def test_the_doorbell_wakes_workers_and_duplicate_rings_do_nothing(bus: Bus, eventually: Callable[..., None]) -> None:
    assert bus.platform.bell is not None
    workers = make_workers(bus.platform.database, bus.platform.bell, 2)
    for worker in workers:
        worker.start()
    bus.tell(1)
    for _ in range(5):
        bus.platform.bell.client.delete("guildhall:bell:deliver")
        bus.platform.bell.ring("deliver")
    eventually(lambda: bus.states() == {"done": 4})
    for worker in workers:
        worker.join()
        worker.stop(timeout=5000)
    assert (bus.effects("write"), bus.effects("call")) == ([1], [1])


def test_rings_are_one_message_while_nobody_answers(bus: Bus) -> None:
    bell = bus.platform.bell
    assert bell is not None
    for number in range(5):
        bus.tell(number)
    assert bell.client.llen("dramatiq:guildhall.deliveries") == 1
    bell.answered("deliver")
    bus.tell(6)
    assert bell.client.llen("dramatiq:guildhall.deliveries") == 2


def test_the_poll_rings_for_what_a_flushed_redis_forgot(bus: Bus) -> None:
    bell = bus.platform.bell
    assert bell is not None
    bus.tell(1)
    bell.client.flushdb()
    assert bell.client.llen("dramatiq:guildhall.deliveries") == 0
    scheduler.tick(bus.platform)
    assert bell.client.llen("dramatiq:guildhall.deliveries") == 1
    bus.drain()
    bell.client.flushdb()
    scheduler.tick(bus.platform)
    assert bell.client.llen("dramatiq:guildhall.deliveries") == 0


def test_deliveries_of_a_disabled_plugin_wait_and_are_made_when_it_is_back(bus: Bus) -> None:
    bus.tell(1)
    bus.toggle(False)
    bus.tell(2)
    assert bus.drain() == 0
    assert bus.states() == {"pending": 8}
    bus.toggle(True)
    assert bus.drain() == 8
    assert bus.effects("write") == [1, 2]


def test_correlation_and_causation_follow_the_chain(bus: Bus) -> None:
    actor = Actor.system("somebody")
    [event] = bus.tell(1, actor=actor)
    bus.drain()
    query = "SELECT correlation_id, causation_id FROM core_event WHERE name = :name"
    assert bus.rows(query, name="alpha.story.told") == [(actor.correlation_id, None)]
    assert bus.rows(query, name="alpha.story.retold") == [(actor.correlation_id, event)]


@pytest.mark.parametrize("state", ["done", "dead"])
def test_replay_delivers_again_what_is_done_or_dead(bus: Bus, state: str) -> None:
    bus.tell(1)
    bus.drain()
    with bus.platform.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE core_delivery SET state = :s, attempts = 7, last_error = 'x'"), {"s": state})
        ids = list(session.scalars(text("SELECT id FROM core_delivery WHERE subscriber = 'alpha.write'")))
        assert replays.replay(session, SYSTEM, ids, reason="to see") == 1
        assert replays.replay(session, SYSTEM, ids) == 0  # it waits already
    assert bus.delivery("write") == ("pending", 0, None)
    bus.drain()
    assert bus.delivery("write") == ("done", 1, None)
    assert bus.rows("SELECT action, reason FROM core_audit ORDER BY id DESC LIMIT 1") == [
        ("core.delivery.replayed", "to see")
    ]


def test_replay_dead_takes_one_subscriber_or_all(bus: Bus) -> None:
    bus.tell(1)
    with bus.platform.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE core_delivery SET state = 'dead'"))
        assert replays.replay_dead(session, SYSTEM, "alpha.write") == 1
        assert replays.replay_dead(session, SYSTEM) == 3


def test_lag_tells_the_age_of_the_oldest_due(bus: Bus) -> None:
    with frozen(T0):
        bus.tell(1)
    with frozen(T0 + timedelta(seconds=90)), bus.platform.unit_of_work() as session:
        rows = {row["subscriber"]: row for row in replays.lag(session)}
    assert rows["alpha.write"]["pending"] == 1
    assert float(rows["alpha.write"]["lag"]) == 90


def test_handlers_act_as_their_subscriber(bus: Bus, handled_by: Any) -> None:
    seen: list[Actor] = []
    handled_by("write", lambda session, actor, event: seen.append(actor))
    bus.tell(1)
    bus.drain()
    assert [(actor.kind, actor.name) for actor in seen] == [("system", "alpha.write")]
