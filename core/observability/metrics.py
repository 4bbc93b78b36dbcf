"""The figures that a process counts itself; those read from tables are made when ``/metrics`` is asked.

Labels come from what is declared (routes, error codes, events, subscribers, jobs), never from what a stranger sends.
Processes that share ``PROMETHEUS_MULTIPROC_DIR`` are summed by whichever of them is asked; it must be set before this
module is imported.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WORK_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0)
JOB_BUCKETS = (0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

REQUESTS = Counter("guildhall_requests", "Requests answered.", ["route", "method", "status"])
LATENCY = Histogram("guildhall_request_seconds", "Time to answer a request.", ["route"], buckets=ANSWER_BUCKETS)
ERRORS = Counter("guildhall_errors", "Failures answered, by their stable code.", ["code"])
PUBLISHED = Counter("guildhall_events", "Events published and committed.", ["name"])
DELIVERED = Counter(
    "guildhall_delivery_tries",
    "Deliveries tried: done, failed (will be tried again) or dead.",
    ["subscriber", "outcome"],
)
DELIVERY = Histogram(
    "guildhall_delivery_seconds",
    "Time of one call of a subscriber; a batch is one call.",
    ["subscriber"],
    buckets=WORK_BUCKETS,
)
JOBS = Counter(
    "guildhall_job_tries", "Jobs tried: done, cancelled, queued (will be tried again) or failed.", ["kind", "outcome"]
)
JOB = Histogram("guildhall_job_seconds", "Time of one try of a job.", ["kind"], buckets=JOB_BUCKETS)


@contextmanager
def timed(histogram: Histogram, label: str) -> Iterator[None]:
    """Observe how long the block takes, whether it ends well or not."""
    began = time.perf_counter()
    try:
        yield
    finally:
        histogram.labels(label).observe(time.perf_counter() - began)


def counted() -> bytes:
    """What this process and those that share its folder have counted, as Prometheus reads it."""
    if SHARED not in os.environ:
        return generate_latest(REGISTRY)
    collected = CollectorRegistry()
    multiprocess.MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
    return generate_latest(collected)


def serve(port: int, host: str) -> None:
    """Answer ``/metrics`` on a port of its own: for a worker or scheduler that shares no folder with the web."""
    if port and SHARED not in os.environ:
        start_http_server(port, host)
