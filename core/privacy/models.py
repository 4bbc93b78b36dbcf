"""Tables of what members asked for: copies of their data, and erasures."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Model, choice


class Export(Model):
    """A copy of a member's data: asked for, made by a job, fetched until ``expires_at``. One at a time is made."""

    __tablename__ = "core_export"
    __table_args__ = (
        Index("uq_core_export_waiting", "member_id", unique=True, postgresql_where="state = 'waiting'"),
        Index("ix_core_export_member_id_created_at", "member_id", "created_at"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"))
    asked_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"))
    state: Mapped[str] = choice("waiting", "ready", "expired", default="waiting")
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_file.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant | None]


class Erasure(Model):
    """That a member is to be erased from ``due_at`` on, and whether it was done. The row outlives what it erased."""

    __tablename__ = "core_erasure"
    __table_args__ = (
        Index("uq_core_erasure_waiting", "member_id", unique=True, postgresql_where="state = 'waiting'"),
        Index("ix_core_erasure_due_at", "due_at", postgresql_where="state = 'waiting'"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    asked_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"))
    state: Mapped[str] = choice("waiting", "withdrawn", "done", default="waiting")
    asked_at: Mapped[CreatedAt]
    due_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
