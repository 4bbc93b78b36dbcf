"""What is kept of the outbox, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import now
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read

SWEEP_JOB = "sweep_events"
CHUNK = 1000
NIL = UUID(int=0)
_DELIVERIES = text("""
    DELETE FROM core_delivery WHERE id IN (
        SELECT d.id FROM core_delivery d
        WHERE d.subscriber = :subscriber AND d.state = 'done' AND d.done_at < :before LIMIT :most
    ) RETURNING id
""")
_SUBSCRIBERS = text("SELECT DISTINCT subscriber FROM core_delivery WHERE state = 'done' ORDER BY 1")
_JOBS = text("""
    DELETE FROM core_job WHERE id IN (
        SELECT id FROM core_job WHERE state IN ('done', 'cancelled') AND finished_at < :before LIMIT :most
        FOR UPDATE SKIP LOCKED
    ) RETURNING id
""")
_BULK = text("DELETE FROM core_bulk_run WHERE coalesce(finished_at, created_at) < :before")
_IMPORTS = text("""
    DELETE FROM core_import i WHERE coalesce(ended_at, created_at) < :before
        AND NOT EXISTS (SELECT 1 FROM core_job j WHERE j.id = i.job_id)
""")
_PAGE = text("SELECT id, occurred_at FROM core_event WHERE id > :after ORDER BY id LIMIT :most")
_HELD = text("SELECT event_id FROM core_delivery WHERE event_id = ANY(:ids) AND state <> 'done'")
# The lock keeps a replay from reviving a delivery between the look and the deletion.
_LOCK = text("SELECT event_id, state FROM core_delivery WHERE event_id = ANY(:ids) ORDER BY id FOR UPDATE")
_EVENTS = text("DELETE FROM core_event WHERE id = ANY(:ids)")


def run_sweep(context: JobContext) -> dict[str, Any]:
    """The job: delete old deliveries and jobs that ended, then events nobody waits for, a thousand at a time."""
    with context.unit_of_work() as session:
        settings = read(session, PlatformSettings)
        names = list(session.scalars(_SUBSCRIBERS))
    deliveries = events = 0
    if settings.delivery_days:
        before = now() - timedelta(days=settings.delivery_days)
        for name in names:
            while True:
                with context.unit_of_work() as session:
                    wanted = {"subscriber": name, "before": before, "most": CHUNK}
                    gone = len(session.scalars(_DELIVERIES, wanted).all())
                deliveries += gone
                context.progress(deliveries + events)
                if gone < CHUNK:
                    break
    jobs = 0
    if settings.job_days:
        before = now() - timedelta(days=settings.job_days)
        while True:
            with context.unit_of_work() as session:
                gone = len(session.scalars(_JOBS, {"before": before, "most": CHUNK}).all())
            jobs += gone
            context.progress(deliveries + jobs)
            if gone < CHUNK:
                break
        with context.unit_of_work() as session:
            session.execute(_BULK, {"before": before})
            session.execute(_IMPORTS, {"before": before})
    if settings.event_days:
        after: UUID | None = NIL
        before = now() - timedelta(days=settings.event_days)
        while after is not None:
            with context.unit_of_work() as session:
                after, gone = sweep_events(session, after, before)
            events += gone
            context.progress(deliveries + jobs + events)
    return {"deliveries": deliveries, "jobs": jobs, "events": events}


def sweep_events(session: Session, after: UUID, before: datetime) -> tuple[UUID | None, int]:
    """Delete, of the next thousand events past ``after``, those from before ``before`` with nothing undelivered.

    Returns where to go on (None at the end), and how many were deleted with their finished deliveries.
    """
    page = session.execute(_PAGE, {"after": after, "most": CHUNK}).tuples().all()
    old = [key for key, occurred_at in page if occurred_at < before]
    held = set(session.scalars(_HELD, {"ids": old}))
    held |= {
        key
        for key, state in session.execute(_LOCK, {"ids": [key for key in old if key not in held]}).tuples()
        if state != "done"
    }
    gone = [key for key in old if key not in held]
    session.execute(_EVENTS, {"ids": gone})
    more = len(page) == CHUNK and len(old) > 0
    return (page[-1][0] if more else None), len(gone)
