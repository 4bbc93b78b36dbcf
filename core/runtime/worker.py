"""The worker process: the two Dramatiq actors on threads of their own."""

from __future__ import annotations

import signal
import threading

import structlog

from core.doorbell import make_workers
from core.platform import Platform
from core.runtime.lifeline import watch

log = structlog.get_logger("worker")


def work(platform: Platform) -> None:
    """Deliver and run jobs until told to stop; what is being done is finished first."""
    if platform.bell is None:
        raise SystemExit("Set GUILDHALL_REDIS_URL: the worker is woken through Redis.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch()
    workers = make_workers(platform.database, platform.bell, platform.config.worker_threads)
    for one in workers:
        one.start()
    platform.bell.ring_all()
    log.info("worker started", threads=platform.config.worker_threads)
    stop.wait()
    for one in workers:
        one.stop(timeout=15_000)
    platform.database.dispose()
