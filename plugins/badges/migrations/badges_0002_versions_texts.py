"""Versions of criteria, and what a badge is called in each language."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "badges_0002"
down_revision = "badges_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "badges_version",
        sa.Column("badge_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("criteria", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["badge_id"], ["badges_badge.id"], name=op.f("fk_badges_version_badge_id_badges_badge")),
        sa.PrimaryKeyConstraint("badge_id", "version", name=op.f("pk_badges_version")),
    )
    op.create_table(
        "badges_text",
        sa.Column("badge_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("locale ~ '^[a-z]{2,3}(_[A-Za-z]{2,4})?$'", name=op.f("ck_badges_text_locale")),
        sa.ForeignKeyConstraint(["badge_id"], ["badges_badge.id"], name=op.f("fk_badges_text_badge_id_badges_badge")),
        sa.PrimaryKeyConstraint("badge_id", "locale", name=op.f("pk_badges_text")),
    )
    # Earlier versions were not kept: each badge begins with the present one.
    op.execute(
        "INSERT INTO badges_version (badge_id, version, criteria, created_at)"
        " SELECT id, version, criteria, created_at FROM badges_badge"
    )
    # A version is what awards were given by: it is written once.
    op.execute(
        "CREATE FUNCTION badges_version_stays() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a version of criteria is never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER badges_version_stays BEFORE UPDATE ON badges_version"
        " FOR EACH ROW EXECUTE FUNCTION badges_version_stays()"
    )


def downgrade() -> None:
    op.drop_table("badges_text")
    op.drop_table("badges_version")
    op.execute("DROP FUNCTION badges_version_stays()")
