"""Tables of contributions: what each kind is worth, what happened, and how far everybody got."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column, relationship

from guildhall import Amount, Count, CreatedAt, Id, Instant, Json, Mapped, Member, Model, ShortText, Slug

STATES = ("counted", "pending", "rejected", "reversed")
SOURCES = ("system", "admin", "challengeEngine", "import", "webhook", "automation")
TIERS = {"free": 10000, "pro": 15000, "enterprise": 20000}


class ContributionType(Model):
    """What a kind of contribution is worth. Each edit raises ``version``; contributions keep the one they had.

    ``bonus``, ``limits`` and ``tiers`` have the shapes of ``rules.Bonus``, ``rules.Limit`` and basis points by tier.
    """

    __tablename__ = "contributions_type"
    __table_args__ = (
        CheckConstraint("base_points >= 0", name="base_points"),
        CheckConstraint("cap IS NULL OR cap >= 0", name="cap"),
    )

    id: Mapped[Id]
    code: Mapped[Slug] = mapped_column(unique=True)
    label: Mapped[ShortText]
    base_points: Mapped[Amount] = mapped_column(default=0, server_default="0")
    bonus: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    tiers: Mapped[Json] = mapped_column(default=lambda: dict(TIERS), server_default=text("'{}'"))
    limits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    cap: Mapped[Amount | None]
    counts_for_streak: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class Contribution(Model):
    """Something a member did. (``type``, ``event_key``) is unique: the same thing scores once.

    ``breakdown`` is a list of ``{"label", "points"}`` that sums to ``points``. ``local_day`` is the day in the
    member's time zone at receipt, so that moving house does not rewrite streaks. A rejected one keeps 0 points and
    the reason, so that a retry gets the same answer.
    """

    __tablename__ = "contributions_contribution"
    __table_args__ = (
        UniqueConstraint("type", "event_key"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint("points >= 0", name="points"),
        Index("ix_contributions_contribution_member", "member_id", "occurred_at"),
        Index("ix_contributions_contribution_type", "type", "occurred_at"),
        Index("ix_contributions_contribution_newest", "occurred_at", "id"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    type: Mapped[str] = mapped_column(String(80), ForeignKey("contributions_type.code", ondelete="RESTRICT"))
    points: Mapped[Amount]
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(120))
    breakdown: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
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

    member: Mapped[Member] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"{self.type} ({self.points})"


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


class MemberProgress(Model):
    """How far a member got: the sum of what counts.

    ``last_day`` is the last local day that counts for a streak; ``streak_current`` is the run that ends on it, so
    whoever reads it must take it as 0 once ``last_day`` is before yesterday (``queries.facts`` does).
    """

    __tablename__ = "contributions_progress"
    __table_args__ = (Index("ix_contributions_progress_rank", "points", "member_id"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    points: Mapped[Amount] = mapped_column(default=0, server_default="0")
    count: Mapped[Count] = mapped_column(default=0, server_default="0")
    streak_current: Mapped[int] = mapped_column(default=0, server_default="0")
    streak_best: Mapped[int] = mapped_column(default=0, server_default="0")
    last_day: Mapped[date | None] = mapped_column(Date)
    first_at: Mapped[Instant | None]
    last_at: Mapped[Instant | None]


class TypeProgress(Model):
    """What a member did of one type."""

    __tablename__ = "contributions_type_progress"
    __table_args__ = (Index("ix_contributions_type_progress_count", "type", "count"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    type: Mapped[str] = mapped_column(
        String(80), ForeignKey("contributions_type.code", ondelete="RESTRICT"), primary_key=True
    )
    count: Mapped[Count]
    points: Mapped[Amount]


class MonthProgress(Model):
    """What a member did in one month of UTC; ``month`` is its first day."""

    __tablename__ = "contributions_month_progress"
    __table_args__ = (Index("ix_contributions_month_progress_rank", "month", "points", "member_id"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    count: Mapped[Count]
    points: Mapped[Amount]


class DayProgress(Model):
    """What a member did on one day of the member's own zone. ``streak_count`` of it counts for the streak."""

    __tablename__ = "contributions_day_progress"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    count: Mapped[Count]
    points: Mapped[Amount]
    streak_count: Mapped[Count]


class Milestone(Model):
    """A number of points that is rewarded once for each member; ``reward_amount`` in smallest units, 0 for none."""

    __tablename__ = "contributions_milestone"
    __table_args__ = (
        CheckConstraint("threshold > 0", name="threshold"),
        CheckConstraint("reward_amount >= 0", name="reward_amount"),
    )

    id: Mapped[Id]
    threshold: Mapped[Amount] = mapped_column(unique=True)
    label: Mapped[ShortText]
    reward_amount: Mapped[Amount] = mapped_column(default=0, server_default="0")
    reward_asset: Mapped[str] = mapped_column(String(20), default="POINTS", server_default="POINTS")
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class MilestoneReachedRow(Model):
    """A milestone that a member has reached, with the contribution that did it."""

    __tablename__ = "contributions_milestone_reached"
    __table_args__ = (
        UniqueConstraint("member_id", "milestone_id"),
        Index("ix_contributions_milestone_reached_contribution", "contribution_id"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    milestone_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_milestone.id", ondelete="RESTRICT", name="fk_contributions_reached_milestone"),
        index=True,
    )
    contribution_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_reached_contribution")
    )
    created_at: Mapped[CreatedAt]


class Reward(Model):
    """A reward that was asked for. ``reference`` makes the request unique; the wallet tells what became of it."""

    __tablename__ = "contributions_reward"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_contributions_reward_contribution", "contribution_id"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    amount: Mapped[Amount]
    asset: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(40))
    reference: Mapped[str] = mapped_column(String(160), unique=True)
    contribution_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_reward_contribution")
    )
    created_at: Mapped[CreatedAt]
