"""The worker process: the two Dramatiq actors on threads of their own."""

from __future__ import annotations

import signal
import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.db.session import Database
from core.doorbell import make_workers
from core.events import lost
from core.events.deliver import Deliverer
from core.ids import new_id
from core.platform import Platform
from core.runtime.lifeline import watch

log = structlog.get_logger("worker")


class Pulse:
    """Shows that this worker lives, and notices those that no longer do. A lost database is waited for."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.id = new_id()

    def beat(self) -> None:
        try:
            with self.database.unit_of_work() as session:
                lost.beat(session, self.id)
                silent = lost.look(session)
        except SQLAlchemyError as problem:
            log.warning("the worker cannot show that it lives", error=str(problem))
            return
        if silent:
            log.warning("workers were lost; deliveries are claimed with care for an hour", workers=silent)

    def leave(self) -> None:
        try:
            with self.database.unit_of_work() as session:
                lost.leave(session, self.id)
        except SQLAlchemyError as problem:
            log.warning("the worker could not say good-bye", error=str(problem))


def work(platform: Platform) -> None:
    """Deliver and run jobs until told to stop; what is being done is finished first."""
    if platform.bell is None:
        raise SystemExit("Set GUILDHALL_REDIS_URL: the worker is woken through Redis.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch()
    deliverer = Deliverer(platform.database)
    workers = make_workers(platform.database, platform.bell, platform.config.worker_threads, deliverer)
    pulse = Pulse(platform.database)
    pulse.beat()  # before the first delivery, which may be the one that takes the worker with it
    for one in workers:
        one.start()
    platform.bell.ring_all()
    log.info("worker started", threads=platform.config.worker_threads)
    while not stop.wait(lost.BEAT_SECONDS):
        pulse.beat()
        deliverer.interrupt_overdue()
    for one in workers:
        one.stop(timeout=15_000)
    pulse.leave()
    platform.database.dispose()
