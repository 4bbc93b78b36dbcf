"""What points lead to: milestones, levels, and the rewards that are asked for."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from guildhall import Amount, Count, CreatedAt, Id, Mapped, Model, ShortText, choice


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
    asset: Mapped[str] = mapped_column(String(20), info={"pii": False})
    reason: Mapped[str] = mapped_column(String(40), info={"pii": False})
    reference: Mapped[str] = mapped_column(String(160), unique=True)
    contribution_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_reward_contribution")
    )
    created_at: Mapped[CreatedAt]


class Level(Model):
    """A step of everybody's way: whoever reaches ``threshold`` points is on it, and may be given a tier."""

    __tablename__ = "contributions_level"
    __table_args__ = (CheckConstraint("threshold >= 0", name="threshold"), CheckConstraint("number > 0", name="number"))

    id: Mapped[Id]
    number: Mapped[int] = mapped_column(unique=True)
    threshold: Mapped[Amount] = mapped_column(unique=True)
    label: Mapped[ShortText]
    tier: Mapped[str | None] = choice("free", "pro", "enterprise")
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class LevelReachedRow(Model):
    """A level that a member has reached, with the contribution that did it."""

    __tablename__ = "contributions_level_reached"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    level_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_level.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    contribution_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_level_reached_contribution"), index=True
    )
    created_at: Mapped[CreatedAt]


class AwardPlan(Model):
    """A reward of every month: prizes by place, or a pool that is shared by points (``awards.split``)."""

    __tablename__ = "contributions_award_plan"
    __table_args__ = (CheckConstraint("pool >= 0", name="pool"),)

    id: Mapped[Id]
    label: Mapped[ShortText] = mapped_column(unique=True)
    kind: Mapped[str] = choice("places", "share", default="places")
    awards: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    pool: Mapped[Amount] = mapped_column(default=0, server_default="0")
    asset: Mapped[str] = mapped_column(String(20), default="POINTS", server_default="POINTS")
    first_month: Mapped[date] = mapped_column(Date)
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class AwardRun(Model):
    """A month of a plan that was paid: once."""

    __tablename__ = "contributions_award_run"

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("contributions_award_plan.id"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    members: Mapped[Count]
    paid: Mapped[Amount]
    created_at: Mapped[CreatedAt]
