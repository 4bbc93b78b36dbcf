"""The table of Idempotency-Key: the first answer of each key."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Json, Model


class IdempotencyRow(Model):
    """What the first request with a key was answered. ``scope`` is who asked and where.

    ``core.rest.retention`` says for how long.
    """

    __tablename__ = "core_idempotency"
    __table_args__ = (
        Index("ix_core_idempotency_created_at", "created_at"),
        Index("ix_core_idempotency_forms", "created_at", postgresql_where=text("starts_with(scope, 'form:')")),
    )

    scope: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    body: Mapped[Json] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
