"""What happened, what a kind of it is worth, and what corrected it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column, relationship

from guildhall import Amount, CreatedAt, Id, Instant, Json, Mapped, Member, Model, ShortText, Slug

STATES = ("counted", "pending", "rejected", "reversed")
SOURCES = ("system", "admin", "challengeEngine", "import", "webhook", "automation")
BY_HAND = 0  # the type_version of what was scored by a person and by no version of the rules
TIERS = {"free": 10000, "pro": 15000, "enterprise": 20000}


class ContributionType(Model):
    """What a kind of contribution is worth. Each edit raises ``version``; contributions keep the one they had.

    ``bonus``, ``limits``, ``adjustments`` and ``tiers`` have the shapes of ``rules.Bonus``, ``rules.Limit``,
    ``rules.Adjustment`` and basis points by tier; ``details_schema`` is a JSON Schema (draft 2020-12) of the details.
    ``adjustment_cap`` is the most that the adjustments together may add.
    """

    __tablename__ = "contributions_type"
    __table_args__ = (
        CheckConstraint("base_points >= 0", name="base_points"),
        CheckConstraint("cap IS NULL OR cap >= 0", name="cap"),
        CheckConstraint("cooldown_seconds >= 0", name="cooldown"),
    )

    id: Mapped[Id]
    code: Mapped[Slug] = mapped_column(unique=True)
    label: Mapped[ShortText]
    base_points: Mapped[Amount] = mapped_column(default=0, server_default="0")
    bonus: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    tiers: Mapped[Json] = mapped_column(default=lambda: dict(TIERS), server_default=text("'{}'"))
    limits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    cooldown_seconds: Mapped[int] = mapped_column(default=0, server_default="0")
    cap: Mapped[Amount | None]
    details_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    adjustments: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    adjustment_cap: Mapped[Amount | None]
    counts_for_streak: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class TypeVersion(Model):
    """The rules of a type as they were at a version; never changed."""

    __tablename__ = "contributions_type_version"
    __table_args__ = (UniqueConstraint("type", "version"),)

    id: Mapped[Id]
    type: Mapped[str] = mapped_column(String(80), ForeignKey("contributions_type.code", ondelete="CASCADE"))
    version: Mapped[int]
    rules: Mapped[Json]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    created_at: Mapped[CreatedAt]


class Contribution(Model):
    """Something a member did. (``type``, ``event_key``) is unique: the same thing scores once.

    ``points`` are what it was scored, and stay; ``correction`` is the sum of its corrections, so that it is worth
    ``total``. ``breakdown`` is a list of ``{"label", "points"}`` that sums to ``points``; ``type_version`` is that of
    the rules, or BY_HAND. ``local_day`` is the day in the member's time zone at receipt, so that moving house does not
    rewrite streaks. A rejected one keeps 0 points and the reason, so that a retry gets the same answer.
    """

    __tablename__ = "contributions_contribution"
    __table_args__ = (
        UniqueConstraint("type", "event_key"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("points + correction >= 0", name="total"),
        Index("ix_contributions_contribution_member", "member_id", "occurred_at"),
        Index("ix_contributions_contribution_type", "type", "occurred_at"),
        Index("ix_contributions_contribution_newest", "occurred_at", "id", postgresql_include=["state"]),
        # What is rare is found without reading past what is not.
        Index(
            "ix_contributions_contribution_state", "state", "occurred_at", "id", postgresql_where="state <> 'counted'"
        ),
        Index("ix_contributions_contribution_source", "source", "occurred_at", "id"),
        # The times of a member's contributions of a type, for counts within some days: the table itself is not read.
        Index(
            "ix_contributions_contribution_counted",
            "member_id",
            "type",
            "occurred_at",
            postgresql_where="state = 'counted'",
        ),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    type: Mapped[str] = mapped_column(String(80), ForeignKey("contributions_type.code", ondelete="RESTRICT"))
    points: Mapped[Amount]
    correction: Mapped[Amount] = mapped_column(default=0, server_default="0")
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(120), info={"pii": False})
    breakdown: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"pii": False})
    type_version: Mapped[int]
    details: Mapped[Json]
    source: Mapped[str] = mapped_column(String(16))
    event_key: Mapped[str] = mapped_column(String(200))
    challenge_id: Mapped[UUID | None]
    submission_id: Mapped[UUID | None]
    occurred_at: Mapped[Instant]
    local_day: Mapped[date] = mapped_column(Date)
    counts_for_streak: Mapped[bool]
    created_at: Mapped[CreatedAt]
    correlation_id: Mapped[UUID]
    fingerprint: Mapped[int | None] = mapped_column(BigInteger)

    member: Mapped[Member] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"{self.type} ({self.total})"

    @property
    def total(self) -> int:
        """What it is worth after corrections; 0 unless it is counted or pending."""
        return self.points + self.correction


class LimitSlot(Model):
    """How many contributions of a type a member has used in one window; ``window_start`` is UTC."""

    __tablename__ = "contributions_limit_slot"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    type: Mapped[str] = mapped_column(
        String(80), ForeignKey("contributions_type.code", ondelete="CASCADE"), primary_key=True
    )
    window_kind: Mapped[str] = mapped_column(String(5), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    used: Mapped[int]
