"""Run one job: claim it under a lease, call it, keep its result."""

from __future__ import annotations

import contextvars
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.clock import now
from core.db.session import CAUSES, Database
from core.jobs.job import JobCancelled
from core.jobs.models import CAUSED_BY, JobRow
from core.observability import metrics, traces
from core.switches import service as switches

LEASE = timedelta(seconds=60)
BEAT_SECONDS = 15.0
LONGEST_WAIT = timedelta(hours=1)
log = structlog.get_logger("jobs")


class Running:
    """The context that a running job works with (``core.jobs.job.JobContext``)."""

    def __init__(self, database: Database, job: JobRow) -> None:
        self.job_id: UUID = job.id
        self.params: dict[str, Any] = dict(job.params)
        self.actor = Actor(
            kind="member" if job.member_id else "system",
            name=job.actor_name,
            member_id=job.member_id,
            correlation_id=job.correlation_id,
            causation_id=job.id,
            impersonator=job.impersonator_id,
            bulk=True,
        )
        self._mine = (JobRow.id == job.id, JobRow.attempts == job.attempts, JobRow.state == "running")
        self._database = database
        self._cause = {key: value for key, value in job.checkpoint.items() if key == CAUSED_BY}
        self._checkpoint = {key: value for key, value in job.checkpoint.items() if key != CAUSED_BY}

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        with self._database.unit_of_work(self.actor) as session:
            session.info[CAUSES] = {self.actor.correlation_id: self.job_id}
            yield session

    def progress(self, done: int, total: int | None = None) -> None:
        values: dict[str, Any] = {"done": done, "lease_until": now() + LEASE}
        if total is not None:
            values["total"] = total
        with self._database.unit_of_work() as session:
            statement = update(JobRow).where(*self._mine).values(**values)
            if session.scalar(statement.returning(JobRow.cancel_requested)) is not False:
                raise JobCancelled()

    def checkpoint(self) -> dict[str, Any]:
        return dict(self._checkpoint)

    def save(self, session: Session, **state: Any) -> None:
        self._checkpoint = {**self._checkpoint, **state}
        statement = update(JobRow).where(*self._mine).values(checkpoint={**self._checkpoint, **self._cause})
        statement = statement.values(lease_until=now() + LEASE)
        if session.scalar(statement.returning(JobRow.id)) is None:
            raise JobCancelled()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease from a thread, so that a long step is not taken for a dead worker's."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_SECONDS):
                try:
                    self.finish(lease_until=now() + LEASE)
                except SQLAlchemyError as problem:
                    log.warning("the lease of a job was not renewed", job=str(self.job_id), error=str(problem))

        present = contextvars.copy_context()
        thread = threading.Thread(target=present.run, args=(beat,), name=f"lease {self.job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()

    def finish(self, **values: Any) -> None:
        """Write what became of this try, unless the lease was lost and another worker has the job."""
        with self._database.unit_of_work() as session:
            session.execute(update(JobRow).where(*self._mine).values(values))


def _due(session: Session) -> Select[JobRow]:
    """The jobs whose turn it is, or whose worker died."""
    off = lifecycle.disabled(session)
    stopped = switches.stopped_jobs(session)
    known = session.info["registry"].jobs
    kinds = [kind for kind in known if kind.split(".")[0] not in off and kind not in stopped]
    turn = and_(JobRow.state == "queued", or_(JobRow.due_at <= now(), JobRow.cancel_requested))
    lost = and_(JobRow.state == "running", JobRow.lease_until < now())
    return select(JobRow).where(JobRow.kind.in_(kinds), or_(turn, lost)).order_by(JobRow.id).limit(1)


def waiting(session: Session) -> bool:
    """Whether a job could be run now."""
    return session.scalar(_due(session)) is not None


def run_next(database: Database) -> bool:
    """Run the oldest job that waits (or whose worker died); False when there is none."""
    registry = database.info["registry"]
    with database.unit_of_work() as session:
        job = session.scalar(_due(session).with_for_update(skip_locked=True))
        if job is None:
            return False
        declared = registry.jobs[job.kind]
        if job.cancel_requested:
            job.state, job.finished_at = "cancelled", now()
            return True
        if job.attempts >= declared.max_attempts:
            job.state, job.finished_at = "failed", now()
            job.error = job.error or "The worker was lost at every try."
            return True
        job.state, job.started_at, job.lease_until = "running", job.started_at or now(), now() + LEASE
        job.attempts += 1
    context = Running(database, job)
    state, result, error = "done", None, None
    try:
        with _watched(job), context.kept_alive():
            result = declared.run(context)
            json.dumps(result)
    except JobCancelled:
        state = "cancelled"
    except Exception as problem:
        log.exception(
            "job failed",
            job=str(job.id),
            kind=job.kind,
            attempt=job.attempts,
            correlation_id=str(job.correlation_id),
        )
        state = "queued" if job.attempts < declared.max_attempts else "failed"
        result, error = None, f"{type(problem).__name__}: {problem}"[:2000]
    metrics.JOBS.labels(job.kind, state).inc()
    again = {"due_at": now() + _wait(job.attempts)} if state == "queued" else {"finished_at": now()}
    context.finish(state=state, result=result, error=error, **again)
    return True


def _wait(tried: int) -> timedelta:
    """How long after try number ``tried`` the next may be made: 10 s, 20 s, 40 s, … with some chance in it."""
    return min(timedelta(seconds=5 * 2**tried), LONGEST_WAIT) * random.uniform(0.5, 1)


@contextmanager
def _watched(job: JobRow) -> Iterator[None]:
    """One try of a job: timed, traced, and with the correlation id in every line that it logs."""
    with (
        structlog.contextvars.bound_contextvars(correlation_id=str(job.correlation_id), job=str(job.id)),
        traces.span(f"job {job.kind}", job.correlation_id, job.id, job=job.id, attempt=job.attempts),
        metrics.timed(metrics.JOB, job.kind),
    ):
        yield
