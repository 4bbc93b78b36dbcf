"""Tables of badges: what can be earned, and who earned it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column, object_session, relationship

from guildhall import (
    Amount,
    CreatedAt,
    Id,
    Instant,
    Json,
    LongText,
    Mapped,
    Member,
    MemberRef,
    Model,
    ShortText,
    Slug,
    files,
)

PICTURE_SIDES = {"small": 64, "medium": 128, "large": 512}  # pixels
VISIBILITIES = ("public", "hidden", "secret")
SOURCES = ("evaluator", "recalculation", "manual")


class Category(Model):
    """What kind of badge it is; shown in the order of ``position``, then by slug. One in use cannot be deleted."""

    __tablename__ = "badges_category"
    __table_args__ = (CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),)

    slug: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[ShortText]
    position: Mapped[int] = mapped_column(server_default="100", default=100)
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.name


class CategoryText(Model):
    """What a category is called in a language; ``locale`` as in the translations (``fr``, ``pt_BR``)."""

    __tablename__ = "badges_category_text"
    __table_args__ = (CheckConstraint("locale ~ '^[a-z]{2,3}(_[A-Za-z]{2,4})?$'", name="locale"),)

    category: Mapped[str] = mapped_column(
        String(40), ForeignKey("badges_category.slug", ondelete="CASCADE"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[ShortText]


class Picture(Model):
    """An uploaded picture in the sizes that pages need, under the digest of its largest file; badges may share one."""

    __tablename__ = "badges_picture"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    small_id: Mapped[UUID] = mapped_column(ForeignKey("core_file.id", ondelete="RESTRICT"))
    medium_id: Mapped[UUID] = mapped_column(ForeignKey("core_file.id", ondelete="RESTRICT"))
    large_id: Mapped[UUID] = mapped_column(ForeignKey("core_file.id", ondelete="RESTRICT"))
    created_at: Mapped[CreatedAt]


class Badge(Model):
    """Something a member can earn once, and the criteria for it.

    ``visibility``: *public* is shown to all; *hidden* is shown without its criteria until it is earned; *secret*
    is not shown at all until it is earned. ``version`` counts changes of the criteria, ``revision`` changes of
    anything, so that a process sees at a glance that what it compiled is old. ``icon`` names an icon of the sprite,
    ``picture`` is the digest of an uploaded one that is shown instead. ``reward_amount`` is in the asset's
    smallest unit, 0 for none. A badge is never deleted.
    """

    __tablename__ = "badges_badge"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 5", name="level"),
        CheckConstraint(f"visibility IN {VISIBILITIES}", name="visibility"),
        CheckConstraint("supply_limit > 0", name="supply_limit"),
        CheckConstraint("active_from < active_until", name="window"),
        CheckConstraint("reward_amount >= 0", name="reward_amount"),
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),
    )

    id: Mapped[Id]
    slug: Mapped[Slug] = mapped_column(unique=True)
    name: Mapped[ShortText]
    description: Mapped[LongText] = mapped_column(server_default="", default="")
    category: Mapped[str] = mapped_column(
        String(40), ForeignKey("badges_category.slug", ondelete="RESTRICT"), server_default="special", default="special"
    )
    level: Mapped[int | None]
    icon: Mapped[str] = mapped_column(String(40), server_default="award", default="award")
    picture: Mapped[str | None] = mapped_column(String(64), ForeignKey("badges_picture.digest", ondelete="RESTRICT"))
    visibility: Mapped[str] = mapped_column(
        String(10), server_default="public", default="public", info={"choices": VISIBILITIES}
    )
    criteria: Mapped[Json]
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    revision: Mapped[int] = mapped_column(server_default="1", default=1, info={"audit": False})
    enabled: Mapped[bool] = mapped_column(server_default="true", default=True)
    active_from: Mapped[Instant | None]
    active_until: Mapped[Instant | None]
    supply_limit: Mapped[int | None]
    reward_amount: Mapped[Amount] = mapped_column(default=0, server_default="0")
    reward_asset: Mapped[str] = mapped_column(String(20), default="POINTS", server_default="POINTS")
    created_at: Mapped[CreatedAt]

    def __str__(self) -> str:
        return self.name

    @property
    def pictures(self) -> dict[str, str] | None:
        """The public addresses of the uploaded picture: small (64 pixels), medium (128), large (512)."""
        if self.picture is None:
            return None
        paths = {size: f"/badges/pictures/{self.picture}/{size}.webp" for size in PICTURE_SIDES}
        return {size: files.public_address(object_session(self), path) for size, path in paths.items()}

    @property
    def picture_url(self) -> str:
        """The path of the uploaded picture, else of the one that is made from what the badge is."""
        return self.pictures["large"] if self.pictures else f"/api/v1/badges/badges/{self.slug}/icon.svg"


class BadgeVersion(Model):
    """The criteria that a badge had; an award names the version that gave it. Written once, never changed."""

    __tablename__ = "badges_version"

    badge_id: Mapped[UUID] = mapped_column(ForeignKey("badges_badge.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    criteria: Mapped[Json]
    created_at: Mapped[CreatedAt]
    created_by: Mapped[UUID | None]


class BadgeText(Model):
    """What a badge is called in a language; ``locale`` as in the translations (``fr``, ``pt_BR``)."""

    __tablename__ = "badges_text"
    __table_args__ = (CheckConstraint("locale ~ '^[a-z]{2,3}(_[A-Za-z]{2,4})?$'", name="locale"),)

    badge_id: Mapped[UUID] = mapped_column(ForeignKey("badges_badge.id"), primary_key=True)
    locale: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[ShortText]
    description: Mapped[LongText] = mapped_column(server_default="", default="")


class Award(Model):
    """A badge in a member's hands. The row stays when an admin removes the badge, so it is not awarded again.

    ``facts`` maps the place of each leaf in the criteria to what was measured there when it was awarded;
    ``contribution_id`` is the contribution that tipped it (of a batch: the member's last one in it).
    """

    __tablename__ = "badges_award"
    __table_args__ = (
        UniqueConstraint("badge_id", "member_id"),
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint("(revoked_at IS NULL) = (revoke_reason IS NULL)", name="revoked"),
        Index("ix_badges_award_badge_awarded", "badge_id", "awarded_at"),
        Index(
            "ix_badges_award_contribution_id",
            "contribution_id",
            postgresql_where=text("contribution_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    badge_id: Mapped[UUID] = mapped_column(ForeignKey("badges_badge.id", ondelete="RESTRICT"))
    member_id: Mapped[MemberRef]
    badge_version: Mapped[int]
    contribution_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict, info={"pii": False})
    source: Mapped[str] = mapped_column(String(16))
    awarded_at: Mapped[CreatedAt]
    awarded_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(Text)
    revoked_at: Mapped[Instant | None]
    revoked_by: Mapped[UUID | None]
    revoke_reason: Mapped[str | None] = mapped_column(Text, info={"pii": True})

    badge: Mapped[Badge] = relationship(lazy="raise")
    member: Mapped[Member] = relationship(lazy="raise")


class FilteredCount(Model):
    """How many contributions of a member meet a filter (``filters.Filter``); there from the first count on."""

    __tablename__ = "badges_filtered_count"

    filter_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[MemberRef] = mapped_column(primary_key=True)
    count: Mapped[int]


class Filtered(Model):
    """A contribution that a ``FilteredCount`` counts, so that it is counted once, whatever is delivered twice."""

    __tablename__ = "badges_filtered"

    filter_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[MemberRef] = mapped_column(primary_key=True)
    contribution_id: Mapped[UUID] = mapped_column(primary_key=True)
