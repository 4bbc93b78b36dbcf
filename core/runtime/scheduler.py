"""The scheduler process: one leads, by an advisory lock; it looks at the tables every second."""

from __future__ import annotations

import signal
import threading

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.actor import Actor
from core.audit.seal import seal
from core.events.deliver import waiting as deliveries_wait
from core.jobs.queue import turn_schedules
from core.jobs.run import waiting as jobs_wait
from core.platform import Platform
from core.runtime.lifeline import watch

log = structlog.get_logger("scheduler")
TICK_SECONDS = 1.0


def lead(platform: Platform) -> None:
    """Wait to be the leader, then tick until told to stop. A lost database is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch()
    while not stop.is_set():
        try:
            with platform.database.engine.connect() as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                while not connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended('core.scheduler', 0))")):
                    if stop.wait(TICK_SECONDS):
                        return
                log.info("scheduler leads")
                while not stop.wait(TICK_SECONDS):
                    connection.execute(text("SELECT 1"))  # the lock is ours only while this connection lives
                    tick(platform)
        except SQLAlchemyError as problem:
            log.warning("scheduler lost the database", error=str(problem))
            stop.wait(TICK_SECONDS)
    platform.database.dispose()


def tick(platform: Platform) -> None:
    """One look: seal the audit trail, turn the schedules, ring for what is due."""
    with platform.unit_of_work(Actor.system("scheduler")) as session:
        seal(session)
    with platform.unit_of_work(Actor.system("scheduler")) as session:
        turn_schedules(session)
    if platform.bell is None:
        return
    with platform.unit_of_work() as session:
        for name, waits in {"deliver": deliveries_wait, "run_job": jobs_wait}.items():
            if waits(session):
                platform.bell.ring(name)
