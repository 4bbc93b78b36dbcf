"""Ask for background work, look after it, and let schedules ask for it in time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.clock import now
from core.db.session import CAUSES, RING, WITNESS
from core.errors import Conflict, NotFound
from core.i18n import _
from core.jobs.models import CAUSED_BY, JobRow, ScheduleRow
from core.observability import traces
from core.observability.committed import when_committed


class JobNotRetryable(Conflict):
    code = "JOB_NOT_RETRYABLE"
    sentence = _("Only a failed or cancelled job can be started again; this one is {state}.")


def enqueue(session: Session, actor: Actor, kind: str, params: dict[str, Any] | None = None) -> JobRow:
    """Write a job row; a worker starts it after the commit. ``kind`` is ``<plugin>.<job>``.

    What the actor does it for, correlation and cause, is what the job does it for.

    Raises LookupError for a kind that no loaded plugin declares.
    """
    if kind not in session.info["registry"].jobs:
        raise LookupError(f"no plugin declares the job {kind}")
    cause = actor.causation_id or session.info.get(CAUSES, {}).get(actor.correlation_id)
    job = JobRow(
        kind=kind,
        params=params or {},
        checkpoint={CAUSED_BY: str(cause)} if cause else {},
        member_id=actor.member_id,
        actor_name=actor.name[:120],
        correlation_id=actor.correlation_id,
        impersonator_id=actor.impersonator,
    )
    session.add(job)
    session.flush()
    session.info[RING] = True
    session.info.get(WITNESS, []).append(job.id)
    if mark := traces.mark(f"enqueue {kind}", job.correlation_id, job.id, job=job.id):
        when_committed(session, mark)
    return job


def enqueue_once(session: Session, actor: Actor, kind: str, params: dict[str, Any] | None = None) -> JobRow | None:
    """As ``enqueue``, but None while the same job with the same params waits or runs already."""
    same = JobRow.kind == kind, JobRow.params == (params or {}), JobRow.state.in_(("queued", "running"))
    if session.scalar(select(JobRow.id).where(*same).limit(1)):
        return None
    return enqueue(session, actor, kind, params)


def find(session: Session, job_id: UUID | None) -> JobRow | None:
    """A job as it stands now: ``state``, ``done`` of ``total``, ``error``; None when it was swept away."""
    return session.get(JobRow, job_id, populate_existing=True) if job_id else None


def cancel(session: Session, job_id: UUID) -> JobRow:
    """Ask a job to stop; it does at its next step. Raises NotFound."""
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None:
        raise NotFound()
    if job.state == "queued":
        job.state, job.finished_at = "cancelled", now()
    job.cancel_requested = True
    return job


def retry(session: Session, job_id: UUID) -> JobRow:
    """Start a failed or cancelled job again from its checkpoint. Raises NotFound, JobNotRetryable."""
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None:
        raise NotFound()
    if job.state not in ("failed", "cancelled"):
        raise JobNotRetryable(state=job.state)
    job.state, job.attempts, job.error, job.cancel_requested, job.finished_at = "queued", 0, None, False, None
    job.due_at = now()
    session.info[RING] = True
    return job


def turn_schedules(session: Session) -> list[str]:
    """Enqueue the job of every schedule whose turn has come; a missed turn is caught up once.

    Only the scheduler that leads calls this. Returns the schedules that ran.
    """
    registry = session.info["registry"]
    off = lifecycle.disabled(session)
    at = now()
    for name, schedule in registry.schedules.items():
        first = insert(ScheduleRow).values(name=name, next_run_at=at + schedule.every)
        session.execute(first.on_conflict_do_nothing())
    due = session.scalars(select(ScheduleRow).where(ScheduleRow.next_run_at <= at).with_for_update(skip_locked=True))
    ran = []
    for row in due:
        plugin = row.name.split(".")[0]
        if row.name not in registry.schedules or plugin in off:
            continue
        schedule = registry.schedules[row.name]
        actor = Actor.system(f"schedule {row.name}")
        waiting = select(JobRow.id).where(JobRow.state == "queued", JobRow.actor_name == actor.name[:120]).limit(1)
        if session.scalar(waiting) is None:
            enqueue(session, actor, f"{plugin}.{schedule.job}")
        row.last_run_at = at
        missed = (at - row.next_run_at) // schedule.every
        row.next_run_at += schedule.every * (missed + 1)
        ran.append(row.name)
    return ran
