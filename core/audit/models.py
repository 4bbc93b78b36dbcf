"""Tables of the audit trail: what was done, and the chain that seals it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Json, Model


class AuditRow(Model):
    """One act: who, when, from where, what changed, why. Append-only by trigger.

    A member who acts is named by ``actor_id`` alone; ``ip``, parts of ``changes`` and ``reason`` may be sealed under a
    member's key (``core.audit.reading`` opens them).
    """

    __tablename__ = "core_audit"
    __table_args__ = (
        Index("ix_core_audit_subject", "subject_type", "subject_id", "id"),
        Index("ix_core_audit_at", "at"),
        Index("ix_core_audit_action", "action", postgresql_ops={"action": "text_pattern_ops"}),
    )

    id: Mapped[Id]
    at: Mapped[CreatedAt]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[UUID | None] = mapped_column(index=True)
    actor_name: Mapped[str] = mapped_column(String(120))
    ip: Mapped[str | None] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(120))
    subject_type: Mapped[str] = mapped_column(String(120))
    subject_id: Mapped[str] = mapped_column(String(120))
    changes: Mapped[Json]
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))
    correlation_id: Mapped[UUID]
    impersonator_id: Mapped[UUID | None] = mapped_column(index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


class Seal(Model):
    """A link of the chain: each holds the digest of the one before and of its audit row."""

    __tablename__ = "core_audit_seal"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[UUID] = mapped_column(ForeignKey("core_audit.id"), unique=True)
    chain: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed_at: Mapped[CreatedAt]
