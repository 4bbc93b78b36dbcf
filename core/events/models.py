"""Tables of the outbox: what happened, and one row for each subscriber it must reach."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Json, Model

STATES = ("pending", "done", "dead", "paused")


class EventRow(Model):
    """An event, written in the transaction that caused it."""

    __tablename__ = "core_event"
    __table_args__ = (
        Index("ix_core_event_name_id", "name", "id"),
        Index("ix_core_event_correlation_id", "correlation_id"),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120))
    version: Mapped[int]
    payload: Mapped[Json]
    occurred_at: Mapped[CreatedAt]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[UUID | None]
    correlation_id: Mapped[UUID]
    causation_id: Mapped[UUID | None]


class Delivery(Model):
    """One event on its way to one subscriber."""

    __tablename__ = "core_delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "subscriber"),
        Index("ix_core_delivery_due", "due_at", "id", postgresql_where="state = 'pending'"),
        Index("ix_core_delivery_state_id", "state", "id"),
        Index("ix_core_delivery_subscriber_state", "subscriber", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("core_event.id", ondelete="CASCADE"))
    subscriber: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(10), server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[Instant]
    done_at: Mapped[Instant | None]
    last_error: Mapped[str | None] = mapped_column(Text)
