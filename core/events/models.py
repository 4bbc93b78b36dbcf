"""Tables of the outbox: what happened, and one row for each subscriber it must reach."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Json, Model

STATES = ("pending", "done", "dead")
INTERACTIVE, BULK = 0, 1


class EventRow(Model):
    """An event, written in the transaction that caused it."""

    __tablename__ = "core_event"
    __table_args__ = (
        Index("ix_core_event_name_id", "name", "id"),
        Index("ix_core_event_correlation_id", "correlation_id"),
        Index(
            "ix_core_event_member",
            text("(payload ->> 'member_id')"),
            "id",
            postgresql_where=text("(payload ->> 'member_id') IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120))
    version: Mapped[int]
    payload: Mapped[Json]
    occurred_at: Mapped[CreatedAt]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[UUID | None]
    impersonator_id: Mapped[UUID | None]
    correlation_id: Mapped[UUID]
    causation_id: Mapped[UUID | None]


class Delivery(Model):
    """One event on its way to one subscriber."""

    __tablename__ = "core_delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "subscriber"),
        Index(
            "ix_core_delivery_due", "subscriber", "priority", "due_at", "id", postgresql_where=text("state = 'pending'")
        ),
        Index("ix_core_delivery_done", "subscriber", "done_at", postgresql_where=text("state = 'done'")),
        Index("ix_core_delivery_dead", "id", postgresql_where=text("state = 'dead'")),
        Index("ix_core_delivery_dead_subscriber", "subscriber", "id", postgresql_where=text("state = 'dead'")),
        Index("ix_core_delivery_retrying", "subscriber", postgresql_where=text("state = 'pending' AND attempts > 0")),
        Index("ix_core_delivery_failed", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("core_event.id", ondelete="CASCADE"))
    subscriber: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(10), server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[Instant]
    done_at: Mapped[Instant | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    failed_at: Mapped[Instant | None]


class SubscriberRow(Model):
    """A subscriber that was once loaded. Events reach it also while its plugin is absent, until it is purged."""

    __tablename__ = "core_subscriber"

    id: Mapped[str] = mapped_column(String(160), primary_key=True)
    event_name: Mapped[str] = mapped_column(String(120))
    plugin: Mapped[str] = mapped_column(String(60))
    paused: Mapped[bool] = mapped_column(server_default="false")
    seen_at: Mapped[Instant]


class WorkerRow(Model):
    """A worker process that lives, or was lost: it neither beats nor said good-bye."""

    __tablename__ = "core_worker"

    id: Mapped[Id]
    seen_at: Mapped[Instant]
    lost_at: Mapped[Instant | None]
