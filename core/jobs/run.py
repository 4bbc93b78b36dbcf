"""Run one job: claim it under a lease, call it, keep its result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.clock import now
from core.db.session import Database
from core.jobs.job import JobCancelled
from core.jobs.models import JobRow

LEASE = timedelta(seconds=60)
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
        )
        self._mine = (JobRow.id == job.id, JobRow.attempts == job.attempts, JobRow.state == "running")
        self._database = database
        self._checkpoint = dict(job.checkpoint)

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        with self._database.unit_of_work(self.actor) as session:
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
        statement = update(JobRow).where(*self._mine).values(checkpoint=self._checkpoint, lease_until=now() + LEASE)
        if session.scalar(statement.returning(JobRow.id)) is None:
            raise JobCancelled()

    def finish(self, **values: Any) -> None:
        """Write the end of this try, unless the lease was lost and another worker has the job."""
        with self._database.unit_of_work() as session:
            session.execute(update(JobRow).where(*self._mine).values(values))


def run_next(database: Database) -> bool:
    """Run the oldest job that waits (or whose worker died); False when there is none."""
    registry = database.info["registry"]
    with database.unit_of_work() as session:
        off = lifecycle.disabled(session)
        kinds = [kind for kind in registry.jobs if kind.split(".")[0] not in off]
        lost = and_(JobRow.state == "running", JobRow.lease_until < now())
        query = select(JobRow).where(JobRow.kind.in_(kinds), or_(JobRow.state == "queued", lost))
        job = session.scalar(query.order_by(JobRow.id).limit(1).with_for_update(skip_locked=True))
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
        result = declared.run(context)
        json.dumps(result)
    except JobCancelled:
        state = "cancelled"
    except Exception as problem:
        log.exception("job failed", job=str(job.id), kind=job.kind, attempt=job.attempts)
        state = "queued" if job.attempts < declared.max_attempts else "failed"
        result, error = None, f"{type(problem).__name__}: {problem}"[:2000]
    context.finish(state=state, result=result, error=error, finished_at=None if state == "queued" else now())
    return True
