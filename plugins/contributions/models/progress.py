"""How far everybody got: the sums of what counts."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, String
from sqlalchemy.orm import mapped_column

from guildhall import Amount, Count, Instant, Mapped, Model


class MemberProgress(Model):
    """How far a member got: the sum of what counts.

    ``last_day`` is the last local day that counts for a streak; ``streak_current`` is the run that ends on it, so
    whoever reads it must take it as 0 once ``last_day`` is before yesterday (``queries.facts`` does).
    """

    __tablename__ = "contributions_progress"
    __table_args__ = (Index("ix_contributions_progress_rank", "points", "member_id", postgresql_include=["count"]),)

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
    __table_args__ = (
        Index("ix_contributions_type_progress_count", "type", "count"),
        Index("ix_contributions_type_progress_rank", "type", "points", "member_id", postgresql_include=["count"]),
    )

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), primary_key=True)
    type: Mapped[str] = mapped_column(
        String(80), ForeignKey("contributions_type.code", ondelete="RESTRICT"), primary_key=True
    )
    count: Mapped[Count]
    points: Mapped[Amount]


class MonthProgress(Model):
    """What a member did in one month of UTC; ``month`` is its first day."""

    __tablename__ = "contributions_month_progress"
    __table_args__ = (
        Index("ix_contributions_month_progress_rank", "month", "points", "member_id", postgresql_include=["count"]),
    )

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


class DayFigure(Model):
    """What counted of one type on a UTC day, and of how many members."""

    __tablename__ = "contributions_day_figure"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    type: Mapped[str] = mapped_column(String(80), primary_key=True)
    count: Mapped[Count]
    points: Mapped[Amount]
    members: Mapped[Count]


class DayChange(Model):
    """A change of a day's figures that is not folded into them yet."""

    __tablename__ = "contributions_day_change"

    id: Mapped[Count] = mapped_column(primary_key=True, autoincrement=True)
    day: Mapped[date] = mapped_column(Date)
    type: Mapped[str] = mapped_column(String(80))
    count: Mapped[Count]
    points: Mapped[Amount]
    members: Mapped[Count]
