"""Where contributions come from and what is in doubt: webhooks, claims of identities, reviews."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from guildhall import CreatedAt, Id, Instant, Json, Mapped, Model, Sealed, ShortText, Slug, choice


class WebhookSource(Model):
    """Somebody who may send signed contributions: GitHub, or anything whose JSON ``mapping`` can read."""

    __tablename__ = "contributions_webhook"

    id: Mapped[Id]
    slug: Mapped[Slug] = mapped_column(unique=True)
    label: Mapped[ShortText]
    kind: Mapped[str] = choice("github", "generic", default="generic")
    secret: Mapped[str] = mapped_column(Sealed("contributions.webhook"))
    mapping: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.label


class Claim(Model):
    """A member says that an outside identity is theirs. ``subject`` is its keyed hash, never an address.

    ``from_member_id`` is the member without account whose history went over, if there was one.
    """

    __tablename__ = "contributions_claim"
    __table_args__ = (
        Index(
            "uq_contributions_claim_open",
            "member_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_contributions_claim_subject", "kind", "subject"),
        Index("ix_contributions_claim_state", "state", "created_at"),
        CheckConstraint("state <> 'pending' OR decided_at IS NULL", name="decided"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    kind: Mapped[str] = choice("git", "github", "import")
    subject: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = choice("pending", "approved", "rejected", default="pending")
    proof: Mapped[str] = choice("email", "admin", default="admin")
    from_member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    decided_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]


class Review(Model):
    """A contribution that waits for a person, with the signals that stopped it. It counts once it is released."""

    __tablename__ = "contributions_review"
    __table_args__ = (
        Index("ix_contributions_review_state", "state", "created_at"),
        Index("ix_contributions_review_member", "member_id"),
    )

    id: Mapped[Id]
    contribution_id: Mapped[UUID] = mapped_column(
        ForeignKey("contributions_contribution.id", name="fk_contributions_review_contribution"), unique=True
    )
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    signals: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    state: Mapped[str] = choice("open", "released", "rejected", default="open")
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    decided_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
