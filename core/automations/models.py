"""Tables of automations, what they did, and what they may still do."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Identity, Index, Numeric, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import CreatedAt, Id, Instant, Json, Model

STATES = ("draft", "on", "off")
RUN_STATES = ("done", "partly", "failed", "limited", "loop")
TURN_STATES = ("waiting", "running", "done", "failed")


class Automation(Model):
    """A rule that an admin wrote. ``version`` is the one in force, ``latest`` the newest that was written.

    ``draft``: never turned on; ``on``; ``off``. ``enabled_by`` is who turned it on last. ``next_at`` is the next turn
    of one with a schedule that is on.
    """

    __tablename__ = "core_automation"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("state <> 'on' OR version IS NOT NULL", name="in_force"),
        Index("uq_core_automation_name", text("lower(name)"), unique=True),
        Index("ix_core_automation_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(120), info={"pii": False})
    description: Mapped[str] = mapped_column(String(500), server_default="", default="", info={"pii": False})
    state: Mapped[str] = mapped_column(String(10), server_default="draft", default="draft")
    version: Mapped[int | None]
    latest: Mapped[int] = mapped_column(server_default="1", default=1)
    enabled_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"), index=True)
    enabled_at: Mapped[Instant | None]
    next_at: Mapped[Instant | None] = mapped_column(info={"audit": False})
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.name


class AutomationVersion(Model):
    """What an automation said at some time: ``definition`` is a ``Definition`` as JSON. Never changed."""

    __tablename__ = "core_automation_version"

    automation_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    definition: Mapped[Json] = mapped_column(info={"pii": False})
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[CreatedAt]


class AutomationTurn(Model):
    """A turn over many members: of a schedule at ``due_at``, or of members chosen by hand (``key`` tells them apart).

    A turn is made once; its members are done in chunks by the job ``job_id``.
    """

    __tablename__ = "core_automation_turn"
    __table_args__ = (
        CheckConstraint(f"state IN {TURN_STATES}", name="state"),
        Index("uq_core_automation_turn_key", "automation_id", "key", unique=True),
        Index("ix_core_automation_turn_due_at", "due_at"),
        Index("ix_core_automation_turn_open", "id", postgresql_where=text("state IN ('waiting', 'running')")),
    )

    id: Mapped[Id]
    automation_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(80), info={"pii": False})
    due_at: Mapped[Instant]
    state: Mapped[str] = mapped_column(String(10), server_default="waiting", default="waiting")
    member_ids: Mapped[list[str] | None] = mapped_column(JSONB, info={"pii": False})  # None: every active member
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"), index=True)
    job_id: Mapped[UUID | None]
    seen: Mapped[int] = mapped_column(server_default="0", default=0)
    matched: Mapped[int] = mapped_column(server_default="0", default=0)
    finished_at: Mapped[Instant | None]


class AutomationRun(Model):
    """That an automation matched, and what came of it. Made once for each ``key``: ``event:<id>`` or
    ``turn:<id>:<member>``.

    - ``state``: ``done``; ``partly``: some actions failed and the others stand; ``failed``: nothing of it stands;
      ``limited``: a limit of the automation was reached; ``loop``: it would have gone round in circles.
    - ``code``, ``sentence``, ``params``: why it is not ``done``.
    - ``results``: one object an action, in order: ``{"action", "state", "result", "code", "sentence", "params"}``;
      ``state`` is ``done``, ``failed``, ``taken_back`` (it was done, then another failed) or ``left`` (not tried).
    """

    __tablename__ = "core_automation_run"
    __table_args__ = (
        CheckConstraint(f"state IN {RUN_STATES}", name="state"),
        Index("uq_core_automation_run_key", "automation_id", "key", unique=True),
        Index("ix_core_automation_run_automation_id_id", "automation_id", "id"),
        Index("ix_core_automation_run_event_id", "event_id", postgresql_where=text("event_id IS NOT NULL")),
        Index("ix_core_automation_run_at", "at"),
        Index("ix_core_automation_run_failed", "at", postgresql_where=text("state = 'failed'")),
    )

    id: Mapped[Id]
    automation_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation.id", ondelete="CASCADE"))
    version: Mapped[int]
    key: Mapped[str] = mapped_column(String(120))
    event_id: Mapped[UUID | None]
    event_name: Mapped[str] = mapped_column(String(120), server_default="", default="", info={"pii": False})
    turn_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_automation_turn.id", ondelete="SET NULL"), index=True)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"), index=True)
    state: Mapped[str] = mapped_column(String(10))
    code: Mapped[str] = mapped_column(String(60), server_default="", default="", info={"pii": False})
    sentence: Mapped[str] = mapped_column(String(1000), server_default="", default="", info={"pii": False})
    params: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict, info={"pii": False})
    results: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, server_default=text("'[]'"), default=list, info={"pii": False}
    )
    tries: Mapped[int] = mapped_column(server_default="1", default=1)
    took_ms: Mapped[int]
    correlation_id: Mapped[UUID]
    at: Mapped[CreatedAt]


class AutomationEffect(Model):
    """An event that a run published, or a job that it asked for: by these the chain of automations is known that led to
    an event."""

    __tablename__ = "core_automation_effect"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation_run.id", ondelete="CASCADE"), index=True)


class AutomationCount(Model):
    """How often an automation ran in a period, for one member or (``member_id`` None) altogether.

    ``begins`` is the first day, in UTC, of the day, week (Monday) or month; of ``ever`` the year 1.
    """

    __tablename__ = "core_automation_count"
    __table_args__ = (
        Index(
            "uq_core_automation_count",
            "automation_id",
            "member_id",
            "period",
            "begins",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    automation_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation.id", ondelete="CASCADE"))
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    period: Mapped[str] = mapped_column(String(10))
    begins: Mapped[date] = mapped_column(Date)
    count: Mapped[int]


class AutomationBudget(Model):
    """How much of a cap an automation has used up: ``name`` is what is counted, such as ``wallet.USD``."""

    __tablename__ = "core_automation_budget"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    automation_id: Mapped[UUID] = mapped_column(ForeignKey("core_automation.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    used: Mapped[int] = mapped_column(Numeric(38, 0))
