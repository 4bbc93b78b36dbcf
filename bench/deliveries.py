"""Deliveries by the worker's own threads, against an actor of Dramatiq that does nothing, with as many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text

from bench.cluster import Cluster
from bench.figures import Figure, pairs
from core.actor import Actor
from core.doorbell import make_workers
from core.platform import Platform
from core.plugin import Plugin
from guildhall import Event, StoredEvent, Subscriber, publish

DISK = True
THREADS = 4
SINGLE, BATCHED, MESSAGES = 1000, 6000, 1000
BATCH = 50
PATIENCE = 60  # seconds


class Counter:
    """Counts what was handled and tells when all of it is."""

    def __init__(self) -> None:
        self._lock, self._left, self.done = threading.Lock(), 0, threading.Event()

    def expect(self, count: int) -> None:
        self._left = count
        self.done.clear()

    def add(self, count: int = 1) -> None:
        with self._lock:
            self._left -= count
            if self._left <= 0:
                self.done.set()


class OneHappened(Event):
    event_name = "bench.one.happened"
    number: int


class ManyHappened(Event):
    event_name = "bench.many.happened"
    number: int


def listener(counter: Counter) -> Plugin:
    """A plugin that only listens."""

    def one(session: Any, actor: Actor, event: StoredEvent) -> None:
        counter.add()

    def many(session: Any, actor: Actor, events: Sequence[StoredEvent]) -> None:
        counter.add(len(events))

    subscribers = [
        Subscriber(event=OneHappened, handler=one),
        Subscriber(event=ManyHappened, handler=many, batch=BATCH),
    ]
    return Plugin("bench", version="1", label="Bench", events=[OneHappened, ManyHappened], subscribers=subscribers)


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    counter = Counter()
    with cluster.platform(cluster.create("bench_deliveries"), [listener(counter)]) as platform:

        def single() -> float:
            return _deliver(platform, counter, [OneHappened(number=number) for number in range(SINGLE)])

        def batch() -> float:
            return _deliver(platform, counter, [ManyHappened(number=number) for number in range(BATCHED)])

        def nothing() -> float:
            return _dramatiq(cluster.redis_url, counter)

        one, many = pairs(single, nothing), pairs(batch, nothing)
    notes.append(
        f"deliveries: {THREADS} threads in one process on either side, all work queued beforehand; {SINGLE:,} single,"
        f" {BATCHED:,} in batches of {BATCH}, {MESSAGES:,} messages of Dramatiq. A delivery is a durable transaction, a"
        " message is not."
    )
    unit, limit = "deliveries/s", "against Dramatiq's no-op actor"
    return [
        Figure(figure=f"single, {limit}", value=one.value, unit=unit, limit=one.limit, paired=one.ratio, target=0.5),
        Figure(figure=f"batch, {limit}", value=many.value, unit=unit, limit=many.limit, paired=many.ratio, target=4),
    ]


def _deliver(platform: Platform, counter: Counter, events: Sequence[Event]) -> float:
    actor = Actor.system("bench")
    bell = platform.bell
    assert bell is not None
    bell.client.flushdb()
    counter.expect(len(events))
    with platform.unit_of_work(actor) as session:
        session.execute(text("TRUNCATE core_event, core_delivery"))
        publish(session, actor, *events)
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE core_event, core_delivery"))
        connection.execute(text("CHECKPOINT"))
    workers = make_workers(platform.database, bell, THREADS)
    rate = _time(workers, counter, len(events))
    with platform.unit_of_work() as session:
        left = session.scalar(text("SELECT count(*) FROM core_delivery WHERE state <> 'done'"))
    if left:
        raise RuntimeError(f"{left} deliveries are left")
    return rate


def _dramatiq(redis_url: str, counter: Counter) -> float:
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    broker = RedisBroker(client=client)  # with Dramatiq's own middleware, as it comes
    actor = dramatiq.actor(counter.add, broker=broker, actor_name="nothing", queue_name="bench")
    counter.expect(MESSAGES)
    for _ in range(MESSAGES):
        actor.send()
    worker = dramatiq.Worker(broker, queues={"bench"}, worker_threads=THREADS, worker_timeout=200)
    return _time([worker], counter, MESSAGES)


def _time(workers: Sequence[dramatiq.Worker], counter: Counter, count: int) -> float:
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    ended = counter.done.wait(PATIENCE)
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.stop(timeout=15_000)
    if not ended:
        raise RuntimeError(f"{count} took longer than {PATIENCE} s")
    return count / seconds
