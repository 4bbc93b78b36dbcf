"""What a job and a schedule are, as a plugin declares them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor


class JobContext(Protocol):
    """What a running job is given."""

    job_id: UUID
    actor: Actor
    params: dict[str, Any]

    def unit_of_work(self) -> AbstractContextManager[Session]:
        """A session of its own transaction; a job opens as many as it has steps."""

    def progress(self, done: int, total: int | None = None) -> None:
        """Show how far the job is. Raises JobCancelled when an admin asked to stop, or another worker has the job."""

    def checkpoint(self) -> dict[str, Any]:
        """What the last try saved, so that a restarted job goes on where it was."""

    def save(self, session: Session, **state: Any) -> None:
        """Save a checkpoint in the step's own transaction. Raises JobCancelled when another worker has the job."""


class JobCancelled(Exception):
    """An admin asked the job to stop; what its finished steps did stays."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A kind of background work. ``run(context)`` may return a JSON object as its result.

    It runs at least once: after a crash it is started again with its checkpoint, up to ``max_attempts``; after a
    failure too, each time after a longer wait. While it runs its lease is renewed, however long a step takes. What it
    publishes is delivered after what people cause.
    """

    name: str
    label: str
    run: Callable[[JobContext], dict[str, Any] | None]
    max_attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Runs ``job`` every ``every``; missed turns are caught up by one run, not by many."""

    name: str
    job: str
    every: timedelta
