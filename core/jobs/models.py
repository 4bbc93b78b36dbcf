"""Tables of background work."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import Count, CreatedAt, Id, Instant, Json, Model

CAUSED_BY = "caused_by"  # in a checkpoint, beside what the job saves: the event or the job that led to it
STATES = ("queued", "running", "done", "failed", "cancelled")


class JobRow(Model):
    """One piece of background work, from the moment it was asked for to its result."""

    __tablename__ = "core_job"
    __table_args__ = (
        Index("ix_core_job_open", "id", postgresql_where="state IN ('queued', 'running')"),
        Index("ix_core_job_ended", "finished_at", postgresql_where="state IN ('done', 'cancelled')"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(10), server_default="queued", default="queued")
    params: Mapped[Json]
    checkpoint: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict)
    result: Mapped[Json | None]
    error: Mapped[str | None] = mapped_column(Text)
    done: Mapped[Count] = mapped_column(server_default="0", default=0)
    total: Mapped[Count | None]
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    cancel_requested: Mapped[bool] = mapped_column(server_default="false", default=False)
    member_id: Mapped[UUID | None]
    actor_name: Mapped[str] = mapped_column(String(120))
    correlation_id: Mapped[UUID]
    impersonator_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    due_at: Mapped[CreatedAt] = mapped_column(server_default=func.now())
    started_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    lease_until: Mapped[Instant | None]


class ScheduleRow(Model):
    """When a schedule last ran and when its turn comes."""

    __tablename__ = "core_schedule"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    last_run_at: Mapped[Instant | None]
    next_run_at: Mapped[Instant]
