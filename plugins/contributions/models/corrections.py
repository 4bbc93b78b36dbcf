"""Corrections: what changed a score after the fact, overrides of scoring, and re-scored periods."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from guildhall import Amount, CreatedAt, Id, Instant, Json, Mapped, Model, ShortText, choice


class Correction(Model):
    """A compensating event: it adds ``points``, which may be negative, to a contribution that stays as it was scored.

    The lines of ``breakdown`` sum to ``points``. Never changed nor deleted: a trigger refuses it.
    """

    __tablename__ = "contributions_correction"
    __table_args__ = (
        UniqueConstraint("rescore_id", "contribution_id"),
        Index("ix_contributions_correction_contribution", "contribution_id", "created_at"),
    )

    id: Mapped[Id]
    contribution_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_correction_contribution")
    )
    kind: Mapped[str] = choice("override", "reversal", "rescore")
    points: Mapped[Amount]
    breakdown: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"pii": False})
    type_version: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200), info={"pii": False})
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", name="fk_contributions_correction_by"))
    rescore_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("contributions_rescore.id", name="fk_contributions_correction_rescore")
    )
    created_at: Mapped[CreatedAt]
    correlation_id: Mapped[UUID]


class Override(Model):
    """Scoring that differs for a while, for one member or type or for all: a share of the score, or fixed points.

    It holds for what occurred in ``[starts_at, ends_at)``. Of several, that of a member goes first, then that of a
    type, then the newest.
    """

    __tablename__ = "contributions_override"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="span"),
        CheckConstraint("(basis_points IS NULL) <> (points IS NULL)", name="one"),
        CheckConstraint("basis_points BETWEEN 0 AND 1000000", name="basis_points"),
        CheckConstraint("points >= 0", name="points"),
        Index("ix_contributions_override_span", "ends_at", "starts_at"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    type: Mapped[str | None] = mapped_column(
        String(80), ForeignKey("contributions_type.code", ondelete="CASCADE"), index=True
    )
    basis_points: Mapped[int | None]
    points: Mapped[Amount | None]
    reason: Mapped[ShortText]
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.reason


class Rescore(Model):
    """A period that is scored anew by the rules of today: first as a dry run, then as compensating events."""

    __tablename__ = "contributions_rescore"
    __table_args__ = (CheckConstraint("starts_at < ends_at", name="span"),)

    id: Mapped[Id]
    type: Mapped[str | None] = mapped_column(
        String(80), ForeignKey("contributions_type.code", ondelete="RESTRICT"), index=True
    )
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    reason: Mapped[ShortText]
    state: Mapped[str] = choice("trying", "tried", "applying", "applied", default="trying")
    figures: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.reason
