"""Categories become rows, badges may have an uploaded picture."""

import sqlalchemy as sa
from alembic import op

revision = "badges_0004"
down_revision = "badges_0003"
branch_labels = None
depends_on = None

# A slug of what an admin wrote: its letters and digits of ASCII; of a name that has none, its digest.
SLUG = """
    coalesce(
        nullif(trim(BOTH '-' FROM left(regexp_replace(lower(category), '[^a-z0-9]+', '-', 'g'), 40)), ''),
        'category-' || left(md5(category), 8)
    )
"""


def upgrade() -> None:
    op.create_table(
        "badges_category",
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("position", sa.Integer(), server_default="100", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f("ck_badges_category_slug")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_badges_category")),
    )
    op.create_table(
        "badges_category_text",
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("locale", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.CheckConstraint("locale ~ '^[a-z]{2,3}(_[A-Za-z]{2,4})?$'", name=op.f("ck_badges_category_text_locale")),
        sa.ForeignKeyConstraint(
            ["category"],
            ["badges_category.slug"],
            name=op.f("fk_badges_category_text_category_badges_category"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("category", "locale", name=op.f("pk_badges_category_text")),
    )
    op.create_table(
        "badges_picture",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("small_id", sa.Uuid(), nullable=False),
        sa.Column("medium_id", sa.Uuid(), nullable=False),
        sa.Column("large_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [column], ["core_file.id"], name=op.f(f"fk_badges_picture_{column}_core_file"), ondelete="RESTRICT"
            )
            for column in ("small_id", "medium_id", "large_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_badges_picture")),
    )
    op.execute(f"""
        INSERT INTO badges_category (slug, name, created_at, position)
        SELECT slug, min(category), now(), CASE slug
            WHEN 'milestone' THEN 10 WHEN 'challenge' THEN 20 WHEN 'profile' THEN 30 WHEN 'special' THEN 40 ELSE 100 END
        FROM (SELECT category, {SLUG} AS slug FROM badges_badge) used GROUP BY slug
    """)
    op.execute(f"UPDATE badges_badge SET category = {SLUG}")
    op.alter_column("badges_badge", "category", server_default="special")
    op.create_foreign_key(
        op.f("fk_badges_badge_category_badges_category"),
        "badges_badge",
        "badges_category",
        ["category"],
        ["slug"],
        ondelete="RESTRICT",
    )
    op.add_column("badges_badge", sa.Column("picture", sa.String(length=64), nullable=True))
    op.create_foreign_key(
        op.f("fk_badges_badge_picture_badges_picture"),
        "badges_badge",
        "badges_picture",
        ["picture"],
        ["digest"],
        ondelete="RESTRICT",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_badges_badge_picture_badges_picture"), "badges_badge")
    op.drop_column("badges_badge", "picture")
    op.drop_constraint(op.f("fk_badges_badge_category_badges_category"), "badges_badge")
    op.alter_column("badges_badge", "category", server_default="Special")
    op.execute("UPDATE badges_badge b SET category = left(c.name, 40) FROM badges_category c WHERE c.slug = b.category")
    op.drop_table("badges_picture")
    op.drop_table("badges_category_text")
    op.drop_table("badges_category")
