"""The table of pulled switches."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Instant, Model


class PulledSwitch(Model):
    """A switch that is off, since when, why, and until when if that is known. The audit trail keeps those before."""

    __tablename__ = "core_switch"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    pulled_at: Mapped[CreatedAt]
    until: Mapped[Instant | None]
    pulled_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
