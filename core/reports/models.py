"""Tables of what is sent in time, and of arranged dashboards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Json, Model, choice

EVERY = ("daily", "weekly", "monthly")
FORMATS = ("pdf", "xlsx", "csv")
COPY_STATES = ("due", "made", "mailed", "refused", "failed")


class ReportSchedule(Model):
    """A report that is sent in time: ``every`` day, week (``weekday``, 0 is Monday) or month (``month_day``, at most
    28) at ``hour`` of ``zone``. ``next_at`` is the next such time."""

    __tablename__ = "core_report_schedule"
    __table_args__ = (
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("month_day BETWEEN 1 AND 28", name="month_day"),
        Index("ix_core_report_schedule_due", "next_at", postgresql_where=text("NOT paused")),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    report: Mapped[str] = mapped_column(String(120), info={"pii": False})
    parameters: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict, info={"pii": False})
    period: Mapped[str] = mapped_column(String(20), info={"pii": False})
    every: Mapped[str] = choice(*EVERY)
    hour: Mapped[int]
    weekday: Mapped[int] = mapped_column(server_default="0", default=0)
    month_day: Mapped[int] = mapped_column(server_default="1", default=1)
    zone: Mapped[str] = mapped_column(String(64), info={"pii": False})
    format: Mapped[str] = choice(*FORMATS)
    paused: Mapped[bool] = mapped_column(server_default="false", default=False)
    next_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]


class ReportRecipient(Model):
    """Who gets a scheduled report."""

    __tablename__ = "core_report_recipient"

    schedule_id: Mapped[UUID] = mapped_column(
        ForeignKey("core_report_schedule.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[UUID] = mapped_column(
        ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class ReportCopy(Model):
    """One copy of a scheduled report for one member and one due time, which is made once.

    ``due`` until its file is made, ``mailed`` once the mail server took it; ``refused`` when its reader may not see
    the report any more or is gone, ``failed`` after the last try, with the code in ``error``.
    """

    __tablename__ = "core_report_copy"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at", "member_id"),
        Index("ix_core_report_copy_open", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_core_report_copy_member_id_due_at", "member_id", "due_at"),
    )

    id: Mapped[Id]
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("core_report_schedule.id", ondelete="CASCADE"))
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"))
    due_at: Mapped[Instant]
    state: Mapped[str] = choice(*COPY_STATES, default="due")
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    error: Mapped[str] = mapped_column(String(200), server_default="", default="", info={"pii": False})
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_file.id", ondelete="RESTRICT"))
    made_at: Mapped[Instant | None]


class Dashboard(Model):
    """How a member arranged the dashboard, or what a role begins with: ``widgets`` are ``{key, size, period}`` in
    order."""

    __tablename__ = "core_dashboard"
    __table_args__ = (CheckConstraint("(member_id IS NULL) <> (role IS NULL)", name="owner"),)

    id: Mapped[Id]
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), unique=True)
    role: Mapped[str | None] = mapped_column(String(64), unique=True)
    widgets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"pii": False})
    changed_at: Mapped[CreatedAt]
