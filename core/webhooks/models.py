"""Tables of outbound webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.crypto.sealed import Sealed
from core.db.base import CreatedAt, Id, Instant, Model

STATES = ("active", "off", "gone", "failing")


class Webhook(Model):
    """An address that events are sent to. ``events`` are names, or patterns such as ``wallet.*``.

    State ``off`` is by an admin, ``gone`` by the other side's 410, ``failing`` when nothing arrived for days; what
    waits for it waits on. ``rests_until``: nothing is sent before, since the last tries failed in a row.
    """

    __tablename__ = "core_webhook"
    __table_args__ = (CheckConstraint(f"state IN {STATES}", name="state"),)

    id: Mapped[Id]
    url: Mapped[str] = mapped_column(String(500), info={"pii": False})
    description: Mapped[str] = mapped_column(String(200), server_default="", default="", info={"pii": False})
    events: Mapped[list[str]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(String(10), server_default="active", default="active")
    secret: Mapped[str] = mapped_column(Sealed("core.webhook"))
    former_secret: Mapped[str | None] = mapped_column(Sealed("core.former_webhook"))
    former_until: Mapped[Instant | None]
    failures: Mapped[int] = mapped_column(server_default="0", default=0, info={"audit": False})
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), info={"audit": False})
    rests_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), info={"audit": False})
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.description or self.url


class WebhookAttempt(Model):
    """One request to a webhook, and what came back: ``status`` is None where nothing did."""

    __tablename__ = "core_webhook_attempt"
    __table_args__ = (
        Index("ix_core_webhook_attempt_webhook_id_id", "webhook_id", "id"),
        Index("ix_core_webhook_attempt_event_id", "event_id"),
        Index("ix_core_webhook_attempt_at", "at"),
    )

    id: Mapped[Id]
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("core_webhook.id", ondelete="CASCADE"))
    event_id: Mapped[UUID]
    event_name: Mapped[str] = mapped_column(String(120))
    at: Mapped[Instant]
    took_ms: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str] = mapped_column(String(200), server_default="", default="")
    answer: Mapped[str] = mapped_column(Text, server_default="", default="")

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def resting(webhook: Webhook, at: datetime) -> bool:
    """Whether nothing is sent to it at ``at``, since its last tries failed in a row."""
    return webhook.rests_until is not None and webhook.rests_until > at
