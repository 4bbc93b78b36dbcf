"""Leaderboards: points by board, who does not want to be seen, what is frozen, and seasons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from guildhall import Amount, Count, CreatedAt, Id, Instant, Mapped, Model, ShortText, choice


class BoardProgress(Model):
    """A member's points on a board: ``week:2026-03-09`` (Monday, UTC), ``season:<id>`` or ``challenge:<id>``."""

    __tablename__ = "contributions_board_progress"
    __table_args__ = (
        Index("ix_contributions_board_progress_rank", "board", "points", "member_id", postgresql_include=["count"]),
    )

    board: Mapped[str] = mapped_column(String(60), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    count: Mapped[Count]
    points: Mapped[Amount]


class HiddenMember(Model):
    """A member who does not want to be on leaderboards."""

    __tablename__ = "contributions_hidden"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]


class Freeze(Model):
    """A board that shows its standings as of ``frozen_at`` until it is thawed."""

    __tablename__ = "contributions_freeze"

    board: Mapped[str] = mapped_column(String(120), primary_key=True)
    frozen_at: Mapped[Instant]


class Standing(Model):
    """A place on a board that is frozen or closed; equal points share a rank."""

    __tablename__ = "contributions_standing"
    __table_args__ = (Index("ix_contributions_standing_rank", "board", "rank", "member_id"),)

    board: Mapped[str] = mapped_column(String(120), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    rank: Mapped[Count]
    count: Mapped[Count]
    points: Mapped[Amount]


class Season(Model):
    """A stretch of time with a board of its own, half-open in UTC; ``awards`` are prizes by place (``awards.Prize``).

    Once closed its standings are kept as they were, and what is reported later does not count for it.
    """

    __tablename__ = "contributions_season"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="span"),
        Index("ix_contributions_season_span", "starts_at", "ends_at"),
    )

    id: Mapped[Id]
    name: Mapped[ShortText] = mapped_column(unique=True)
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    awards: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    asset: Mapped[str] = mapped_column(String(20), default="POINTS", server_default="POINTS")
    state: Mapped[str] = choice("open", "closed", default="open")
    closed_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.name


class RankBucket(Model):
    """How many members who can be seen have from 16 times ``bucket`` points on, up to the next one."""

    __tablename__ = "contributions_rank_bucket"

    bucket: Mapped[Count] = mapped_column(primary_key=True, autoincrement=False)
    members: Mapped[Count]


class RankChange(Model):
    """A change of a bucket that is not folded into it yet."""

    __tablename__ = "contributions_rank_change"

    id: Mapped[Count] = mapped_column(primary_key=True, autoincrement=True)
    bucket: Mapped[Count]
    members: Mapped[Count]
