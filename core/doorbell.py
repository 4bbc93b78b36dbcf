"""The doorbell: tells the workers through Redis that there is something to do. It is never the truth.

Rings are coalesced: while one message waits, no other is sent. Losing one costs a second, since the scheduler
looks at the tables every second.
"""

from __future__ import annotations

from collections.abc import Callable

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from core.db.session import Database
from core.events.deliver import Deliverer
from core.jobs.run import run_next

log = structlog.get_logger("doorbell")
JOB_THREADS = 2
QUEUES = {"deliver": "guildhall.deliveries", "run_job": "guildhall.jobs"}


class Doorbell:
    """Rings for one Redis; made anew after a fork by the client itself."""

    def __init__(self, redis_url: str) -> None:
        self.client = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self.broker = RedisBroker(client=self.client)
        for queue in QUEUES.values():
            self.broker.declare_queue(queue)

    def ring(self, *actor_names: str) -> None:
        """Wake one worker each, unless a ring already waits. Never raises: the tables hold the truth."""
        try:
            asked = self.client.pipeline(transaction=False)
            for actor_name in actor_names:
                asked.set(f"guildhall:bell:{actor_name}", 1, nx=True, px=1000)
            for actor_name, first in zip(actor_names, asked.execute(), strict=True):
                if first:
                    message = dramatiq.Message[None](
                        queue_name=QUEUES[actor_name], actor_name=actor_name, args=(), kwargs={}, options={}
                    )
                    self.broker.enqueue(message)
        except (redis.RedisError, dramatiq.errors.ConnectionError) as problem:
            log.warning("doorbell did not ring", error=str(problem))

    def ring_all(self) -> None:
        self.ring(*QUEUES)

    def answered(self, actor_name: str) -> None:
        """Let the next ring through: whatever it announces may have been missed by the round now starting."""
        try:
            self.client.delete(f"guildhall:bell:{actor_name}")
        except redis.RedisError as problem:
            log.warning("doorbell did not reset", error=str(problem))


def make_workers(
    database: Database, bell: Doorbell, threads: int, deliverer: Deliverer | None = None
) -> list[dramatiq.Worker]:
    """The two generic actors, each on threads of its own, so that a long job never delays a delivery."""
    deliverer = deliverer or Deliverer(database)

    def deliver() -> None:
        bell.answered("deliver")
        deliverer.drain(seconds=30, more=lambda: bell.ring("deliver"))

    def run_job() -> None:
        bell.answered("run_job")
        while run_next(database):
            bell.ring("run_job")

    handlers: dict[str, Callable[[], None]] = {"deliver": deliver, "run_job": run_job}
    day = 24 * 3600 * 1000  # our own time limits and retries are in the tables
    workers = []
    for name, queue in QUEUES.items():
        broker = RedisBroker(client=bell.client)  # type: ignore[no-untyped-call]
        declare = dramatiq.actor(broker=broker, actor_name=name, queue_name=queue, max_retries=0, time_limit=day)
        declare(handlers[name])
        count = threads if name == "deliver" else JOB_THREADS
        workers.append(dramatiq.Worker(broker, queues={queue}, worker_threads=count, worker_timeout=200))
    return workers
