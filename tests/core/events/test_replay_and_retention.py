"""Replay by filter runs as a job; what is old and delivered is deleted, what is not delivered never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import settings
from core.actor import Actor
from core.clock import frozen
from core.events import replay, retention
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.events.replay import ReplayFilter, replay_matching
from core.events.retention import SWEEP_JOB
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.plugin import Plugin

SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
failing: set[int] = set()


class Told(Event):
    event_name = "alpha.story.told"
    number: int


class Sung(Event):
    event_name = "alpha.song.sung"
    number: int


def first(session: Session, actor: Actor, event: StoredEvent) -> None:
    if event.payload.number in failing:
        raise RuntimeError("no luck today")


def second(session: Session, actor: Actor, event: StoredEvent) -> None: ...


ALPHA = Plugin(
    "alpha",
    version="1",
    label="",
    events=[Told, Sung],
    subscribers=[
        Subscriber(event=Told, handler=first, max_attempts=1),
        Subscriber(event=Told, handler=second),
        Subscriber(event=Sung, handler=lambda session, actor, event: None),
    ],
)


class Bus:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def tell(self, at: datetime, *events: Event) -> None:
        with frozen(at):
            with self.platform.unit_of_work(SYSTEM) as session:
                publish(session, SYSTEM, *events)
            Deliverer(self.platform.database).drain()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.platform.unit_of_work() as session:
            return [tuple(row) for row in session.execute(text(query))]

    def replay(self, **wanted: Any) -> JobRow:
        with self.platform.unit_of_work(SYSTEM) as session:
            job = replay_matching(session, SYSTEM, ReplayFilter(**wanted))
        return self.work(job)

    def sweep(self, at: datetime, **changes: Any) -> dict[str, Any]:
        with self.platform.unit_of_work(SYSTEM) as session:
            settings.write(session, SYSTEM, PlatformSettings, changes)
            job = enqueue(session, SYSTEM, f"core.{SWEEP_JOB}")
        with frozen(at):
            return dict(self.work(job).result or {})

    def work(self, job: JobRow) -> JobRow:
        run_next(self.platform.database)
        with self.platform.unit_of_work() as session:
            return session.get_one(JobRow, job.id)

    def waiting(self) -> list[tuple[str, str]]:
        return self.rows(  # type: ignore[return-value]
            "SELECT subscriber, e.payload->>'number' FROM core_delivery d JOIN core_event e ON e.id = event_id"
            " WHERE state = 'pending' ORDER BY d.id"
        )


@pytest.fixture
def bus(shop: Any) -> Bus:
    platform = shop.open(ALPHA)
    shop.clear(platform)
    failing.clear()
    return Bus(platform)


def test_dead_letters_are_replayed_with_progress(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "CHUNK", 2)
    failing.update(range(5))
    bus.tell(T0, *(Told(number=number) for number in range(7)))
    job = bus.replay()
    assert (job.state, job.result, job.done, job.total) == ("done", {"replayed": 5}, 5, 5)
    assert bus.waiting() == [("alpha.first", str(number)) for number in range(5)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"subscriber": "alpha.second"}, ["1", "2", "3"]),
        ({"event": "alpha.song.sung"}, ["9"]),
        ({"subscriber": "alpha.second", "since": T0 + DAY}, ["2", "3"]),
        ({"subscriber": "alpha.second", "since": T0 + DAY, "until": T0 + 2 * DAY}, ["2"]),
        ({"subscriber": "alpha.second", "event": "alpha.song.sung"}, []),
    ],
)
def test_what_was_done_is_replayed_by_subscriber_event_and_time(bus: Bus, wanted: Any, found: list[str]) -> None:
    for days in range(3):
        bus.tell(T0 + days * DAY, Told(number=days + 1))
    bus.tell(T0, Sung(number=9))
    assert bus.replay(state="done", **wanted).state == "done"
    assert [number for _, number in bus.waiting()] == found


def test_a_replay_goes_on_after_a_crash_and_takes_nothing_twice(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "CHUNK", 1)
    bus.tell(T0, Told(number=1), Told(number=2))
    with bus.platform.unit_of_work(SYSTEM) as session:
        job = replay_matching(session, SYSTEM, ReplayFilter(subscriber="alpha.second", state="done"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("core.jobs.run.Running.progress", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run_next(bus.platform.database)
    Deliverer(bus.platform.database).drain()  # the first is done again
    with frozen(datetime.now(UTC) + timedelta(minutes=2)):
        assert bus.work(job).result == {"replayed": 2}
    assert bus.waiting() == [("alpha.second", "2")]


def test_everything_that_was_ever_done_is_too_much() -> None:
    with pytest.raises(ValidationError, match="Name a subscriber or an event"):
        ReplayFilter(state="done")


def test_a_replay_is_audited(bus: Bus) -> None:
    bus.replay(subscriber="alpha.first")
    [(action, changes)] = bus.rows("SELECT action, changes FROM core_audit ORDER BY id DESC LIMIT 1")
    assert action == "core.delivery.replay_asked"
    assert changes == {"state": [None, "dead"], "subscriber": [None, "alpha.first"]}


def test_finished_deliveries_go_after_their_days(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    failing.add(3)
    bus.tell(T0, *(Told(number=number) for number in range(5)))
    bus.tell(T0 + 5 * DAY, Told(number=9))
    assert bus.sweep(T0 + 8 * DAY, delivery_days=7) == {"deliveries": 9, "jobs": 0, "events": 0}
    assert bus.rows("SELECT state, count(*) FROM core_delivery GROUP BY 1 ORDER BY 1") == [("dead", 1), ("done", 2)]
    assert bus.rows("SELECT count(*) FROM core_event") == [(6,)]


def test_events_go_with_their_deliveries_but_never_one_that_somebody_waits_for(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    failing.add(3)
    bus.tell(T0, *(Told(number=number) for number in range(5)))
    bus.tell(T0 + 20 * DAY, Told(number=9))
    assert bus.sweep(T0 + 21 * DAY, delivery_days=0, event_days=10) == {"deliveries": 0, "jobs": 0, "events": 4}
    assert bus.rows("SELECT payload->>'number' FROM core_event ORDER BY id") == [("3",), ("9",)]


def test_jobs_that_ended_are_kept_for_their_days_and_failed_ones_stay(bus: Bus) -> None:
    states = ("done", "cancelled", "failed", "queued")
    with bus.platform.unit_of_work() as session:
        for state in states:
            session.execute(
                text(
                    "INSERT INTO core_job (id, kind, state, params, actor_name, correlation_id, created_at, "
                    "finished_at, due_at) VALUES (uuidv7(), 'core.none', :state, '{}', 'test', uuidv7(), now(), :at, "
                    "'infinity')"
                ),
                {"state": state, "at": None if state == "queued" else T0},
            )
    assert bus.sweep(T0 + 6 * DAY, job_days=7)["jobs"] == 0
    assert bus.sweep(T0 + 8 * DAY, job_days=7)["jobs"] == 2
    assert sorted(bus.rows("SELECT state FROM core_job WHERE kind = 'core.none'")) == [("failed",), ("queued",)]
    assert bus.sweep(T0 + 5000 * DAY, job_days=0)["jobs"] == 0


def test_nothing_is_deleted_when_the_days_are_zero(bus: Bus) -> None:
    bus.tell(T0, Told(number=1))
    assert bus.sweep(T0 + 5000 * DAY, delivery_days=0, event_days=0) == {"deliveries": 0, "jobs": 0, "events": 0}


def test_figures_of_the_last_hour(bus: Bus) -> None:
    failing.add(2)
    bus.tell(T0, Told(number=1), Told(number=2))
    with frozen(T0 + timedelta(seconds=30)), bus.platform.unit_of_work() as session:
        rows = {row["subscriber"]: row for row in replay.lag(session)}
        minutes = replay.per_minute(session)
    assert (rows["alpha.first"]["hour"], rows["alpha.first"]["failed"]) == (1, 1)
    assert (len(minutes), minutes[-1]) == (60, (T0, 3, 1))
    with frozen(T0 + timedelta(hours=2)), bus.platform.unit_of_work() as session:
        assert {row["hour"] for row in replay.lag(session)} == {0}
