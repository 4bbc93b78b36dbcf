"""Counts of filtered contributions, rewards of badges, one index less."""

import sqlalchemy as sa
from alembic import op

revision = "badges_0003"
down_revision = "badges_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "badges_filtered_count",
        sa.Column("filter_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_badges_filtered_count_member_id_core_member"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("filter_id", "member_id", name=op.f("pk_badges_filtered_count")),
    )
    op.create_index(op.f("ix_badges_filtered_count_member_id"), "badges_filtered_count", ["member_id"])
    op.create_table(
        "badges_filtered",
        sa.Column("filter_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("contribution_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_badges_filtered_member_id_core_member"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("filter_id", "member_id", "contribution_id", name=op.f("pk_badges_filtered")),
    )
    op.create_index(op.f("ix_badges_filtered_member_id"), "badges_filtered", ["member_id"])
    op.add_column("badges_badge", sa.Column("reward_amount", sa.Numeric(38, 0), server_default="0", nullable=False))
    op.add_column(
        "badges_badge", sa.Column("reward_asset", sa.String(length=20), server_default="POINTS", nullable=False)
    )
    op.drop_index("ix_badges_award_awarded_at", table_name="badges_award")  # ids are in the order of time
    op.create_check_constraint(op.f("ck_badges_badge_reward_amount"), "badges_badge", "reward_amount >= 0")


def downgrade() -> None:
    op.create_index("ix_badges_award_awarded_at", "badges_award", ["awarded_at"])
    op.drop_constraint(op.f("ck_badges_badge_reward_amount"), "badges_badge")
    op.drop_column("badges_badge", "reward_asset")
    op.drop_column("badges_badge", "reward_amount")
    op.drop_table("badges_filtered")
    op.drop_table("badges_filtered_count")
