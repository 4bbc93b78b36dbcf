"""Tables of the mentoring programme."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import mapped_column, relationship

from guildhall import CreatedAt, Id, LongText, Mapped, MemberRef, Model, SearchText, choice


class Pairing(Model):
    """A mentor and a mentee, and how far they are. Nobody is their own mentor."""

    __tablename__ = "mentoring_pairing"
    __table_args__ = (CheckConstraint("mentor_id <> mentee_id", name="two"),)

    id: Mapped[Id]
    mentee_id: Mapped[MemberRef]
    mentor_id: Mapped[MemberRef]
    goal: Mapped[SearchText]
    state: Mapped[str] = choice("proposed", "active", "paused", "finished", "declined", default="proposed")
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.goal


class Meeting(Model):
    """A meeting of a pair; it goes with the pair."""

    __tablename__ = "mentoring_meeting"
    __table_args__ = (CheckConstraint("minutes BETWEEN 1 AND 1440", name="minutes"),)

    id: Mapped[Id]
    pairing_id: Mapped[UUID] = mapped_column(ForeignKey("mentoring_pairing.id", ondelete="CASCADE"), index=True)
    held_on: Mapped[date]
    minutes: Mapped[int] = mapped_column(default=60)
    notes: Mapped[LongText | None]

    pairing: Mapped[Pairing] = relationship()

    def __str__(self) -> str:
        return f"{self.held_on}"
