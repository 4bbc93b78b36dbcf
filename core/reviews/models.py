"""Tables of the review inbox."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import now
from core.db.base import CreatedAt, Id, Instant, Json, Model

STATES = ("open", "approved", "rejected", "withdrawn")
OPEN = text("state = 'open'")
SOON = 4  # the last quarter of the time is the time to hurry


class Review(Model):
    """A case that waits, or waited, for a person. ``title`` says what is asked and holds no personal data."""

    __tablename__ = "core_review"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        Index(
            "uq_core_review_open_subject", "kind", "subject_id", unique=True, postgresql_where=text("state = 'open'")
        ),
        Index("ix_core_review_open", "due_at", "id", postgresql_where=text("state = 'open'")),
        Index("ix_core_review_decided", "decided_at", "id", postgresql_where=text("state <> 'open'")),
        Index("ix_core_review_subject", "kind", "subject_id"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(120))
    subject_id: Mapped[str] = mapped_column(String(80))
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    params: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict)
    state: Mapped[str] = mapped_column(String(10), server_default="open", default="open")
    opened_at: Mapped[CreatedAt]
    opened_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    due_at: Mapped[Instant]
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    escalated_at: Mapped[Instant | None]
    decided_at: Mapped[Instant | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    correlation_id: Mapped[UUID]

    def urgency(self, at: datetime | None = None) -> str:
        """``late`` after the due time, ``soon`` in the last quarter of the time there was, else ``calm``."""
        left = self.due_at - (at or now())
        if left.total_seconds() < 0:
            return "late"
        return "soon" if left < (self.due_at - self.opened_at) / SOON else "calm"


class ReviewNote(Model):
    """What somebody wrote down about a case, for those who decide it. ``member_id``: whom the case is about."""

    __tablename__ = "core_review_note"

    id: Mapped[Id]
    review_id: Mapped[UUID] = mapped_column(ForeignKey("core_review.id"), index=True)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
