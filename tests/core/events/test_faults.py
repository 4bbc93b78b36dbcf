"""The engines fail under the bus, or there is too much of everything: each effect is still made once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config import Config
from core.actor import Actor
from core.db.session import Database
from core.doorbell import make_workers
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.platform import Platform
from core.plugin import Plugin
from core.runtime import scheduler
from core.runtime.postgres import EmbeddedPostgres

SYSTEM = Actor.system("test")
TABLE = "CREATE TABLE IF NOT EXISTS alpha_effect (event uuid, by text, PRIMARY KEY (event, by))"
FULL = os.environ.get("SCALE") == "full"
holding = threading.Event()


class Told(Event):
    event_name = "alpha.story.told"
    number: int


def effect(session: Session, by: str, event: StoredEvent) -> None:
    session.execute(text("INSERT INTO alpha_effect VALUES (:event, :by)"), {"event": event.id, "by": by})


def single(session: Session, actor: Actor, event: StoredEvent) -> None:
    effect(session, "single", event)


def batch(session: Session, actor: Actor, events: list[StoredEvent]) -> None:
    for event in events:
        effect(session, "batch", event)


def hang(session: Session, actor: Actor, event: StoredEvent) -> None:
    if not holding.is_set():
        session.execute(text("SELECT pg_sleep(600)"))


def spin(session: Session, actor: Actor, event: StoredEvent) -> None:
    while not holding.is_set():
        time.sleep(0.01)


def nothing(session: Session, actor: Actor, events: list[StoredEvent]) -> None: ...


def plugin(*subscribers: Subscriber) -> Plugin:
    return Plugin("alpha", version="1", label="", events=[Told], subscribers=subscribers)


BOTH = plugin(
    Subscriber(event=Told, handler=single, max_attempts=1000), Subscriber(event=Told, handler=batch, batch=10)
)


def count(database: Database, what: str) -> int:
    with database.unit_of_work() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {what}")) or 0)


@contextmanager
def working(platform: Platform, threads: int = 3) -> Iterator[None]:
    assert platform.bell is not None
    workers = make_workers(platform.database, platform.bell, threads)
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop(timeout=5000)


@pytest.fixture
def opened(shop: Any) -> Callable[[Plugin], Platform]:
    def start(declared: Plugin) -> Platform:
        platform: Platform = shop.open(declared)
        with platform.unit_of_work() as session:
            session.execute(text(TABLE))
        shop.clear(platform)
        with platform.unit_of_work() as session:
            session.execute(text("TRUNCATE alpha_effect"))
        holding.clear()
        return platform

    return start


def tell(platform: Platform, count: int) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, *(Told(number=number) for number in range(count)))


@pytest.mark.faults
def test_postgresql_is_killed_under_load_and_every_effect_is_made_once(
    tmp_path: Path, cluster: Any, eventually: Callable[..., None]
) -> None:
    config = Config(home=tmp_path, secret_key="x" * 40)
    postgres = EmbeddedPostgres(tmp_path)
    url = postgres.start()
    platform = Platform(config, url, cluster.redis_url, [BOTH])
    published: list[int] = []
    ended = threading.Event()

    def publish_on() -> None:
        while not ended.is_set():
            try:
                tell(platform, 5)
                published.append(5)
            except SQLAlchemyError:
                ended.wait(0.1)

    def poll() -> None:
        while not ended.wait(0.2):
            if platform.bell is not None:
                platform.bell.ring("deliver")

    try:
        platform.upgrade()
        with platform.unit_of_work() as session:
            session.execute(text(TABLE))
        threads = [threading.Thread(target=work, daemon=True) for work in (publish_on, poll)]
        with working(platform):
            for thread in threads:
                thread.start()
            for _ in range(2):
                before = count(platform.database, "alpha_effect")
                eventually(lambda before=before: count(platform.database, "alpha_effect") > before + 50, 60)
                pid = int((Path(postgres.data) / "postmaster.pid").read_text().split()[0])
                os.kill(pid, signal.SIGKILL)
                postgres.start()
            ended.set()
            threads[0].join(20)
            with platform.unit_of_work() as session:
                session.execute(text("UPDATE core_delivery SET due_at = now() WHERE state = 'pending'"))
            if platform.bell is not None:
                platform.bell.client.flushdb()
            eventually(lambda: Deliverer(platform.database).drain() == 0 and not count_pending(platform), 60)
        events = count(platform.database, "core_event WHERE name = 'alpha.story.told'")
        assert events >= sum(published) > 0
        assert count(platform.database, "alpha_effect WHERE by = 'single'") == events
        assert count(platform.database, "alpha_effect WHERE by = 'batch'") == events
    finally:
        ended.set()
        platform.database.dispose()
        postgres.destroy()


def count_pending(platform: Platform) -> int:
    with platform.unit_of_work() as session:
        session.execute(text("UPDATE core_delivery SET due_at = now() WHERE state = 'pending' AND due_at > now()"))
    return count(platform.database, "core_delivery WHERE state <> 'done'")


def test_redis_forgets_everything_again_and_again(opened: Any, eventually: Callable[..., None]) -> None:
    platform = opened(BOTH)
    client = platform.bell.client
    with working(platform):
        for _ in range(5):
            tell(platform, 20)
            client.flushdb()
            scheduler.tick(platform)  # the look of each second
        client.flushdb()
        scheduler.tick(platform)
        eventually(lambda: not count(platform.database, "core_delivery WHERE state <> 'done'"))
    assert count(platform.database, "alpha_effect") == 200


def test_a_handler_that_hangs_in_the_database_ends_by_itself_and_stops_nobody(
    opened: Any, eventually: Callable[..., None]
) -> None:
    slow = Subscriber(event=Told, handler=hang, lease_seconds=1, max_attempts=1)
    platform = opened(plugin(slow, Subscriber(event=Told, handler=single)))
    with working(platform, threads=2):
        tell(platform, 5)
        eventually(lambda: count(platform.database, "alpha_effect WHERE by = 'single'") == 5)
        eventually(lambda: count(platform.database, "core_delivery WHERE state = 'dead'") == 5)
    with platform.unit_of_work() as session:
        [error] = set(session.scalars(text("SELECT last_error FROM core_delivery WHERE state = 'dead'")))
    assert "statement timeout" in error


def test_a_handler_that_hangs_in_python_is_interrupted(opened: Any, eventually: Callable[..., None]) -> None:
    platform = opened(plugin(Subscriber(event=Told, handler=spin, lease_seconds=1, max_attempts=1)))
    tell(platform, 1)
    deliverer = Deliverer(platform.database)
    thread = threading.Thread(target=deliverer.drain)
    thread.start()
    try:
        eventually(lambda: deliverer.interrupt_overdue() == 1)
        thread.join(20)
        assert not thread.is_alive()
    finally:
        holding.set()
    with platform.unit_of_work() as session:
        state, error = session.execute(text("SELECT state, last_error FROM core_delivery")).one()
    assert state == "dead" and error.startswith(("HandlerTooSlow", "InternalError"))


def rss() -> int:
    """Kibibytes that this process holds."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def test_a_long_queue_is_drained_with_flat_memory(opened: Any) -> None:
    """SCALE=full takes two hundred thousand deliveries."""
    platform = opened(plugin(Subscriber(event=Told, handler=nothing, batch=500)))
    many = 200_000 if FULL else 10_000
    with platform.unit_of_work() as session:
        session.execute(
            text("""
                WITH told AS (
                    INSERT INTO core_event (id, name, version, payload, occurred_at, actor_kind, correlation_id)
                    SELECT uuidv7(), 'alpha.story.told', 1, jsonb_build_object('number', n), now(), 'system', uuidv7()
                    FROM generate_series(1, :many) n RETURNING id
                )
                INSERT INTO core_delivery (event_id, subscriber, due_at) SELECT id, 'alpha.nothing', now() FROM told
            """),
            {"many": many},
        )
    deliverer = Deliverer(platform.database)
    for _ in range(4):  # what the first steps load stays
        deliverer.step()
    before = rss()
    delivered = 4 * 500 + deliverer.drain(seconds=3600)
    assert delivered == many
    assert rss() - before < 20_000, "a queue of any length needs the memory of a batch"
