"""Pairs and meetings."""

import sqlalchemy as sa
from alembic import op

revision = "mentoring_0001"
down_revision = None
branch_labels = ("mentoring",)
depends_on = None


def upgrade() -> None:
    state = sa.Enum(
        "proposed",
        "active",
        "paused",
        "finished",
        "declined",
        name="proposed_active_paused_finishe",
        native_enum=False,
        create_constraint=True,
        length=40,
    )
    op.create_table(
        "mentoring_pairing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mentee_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("goal", sa.String(length=120), nullable=False),
        sa.Column("state", state, server_default="proposed", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mentor_id <> mentee_id", name=op.f("ck_mentoring_pairing_two")),
        sa.ForeignKeyConstraint(
            ["mentee_id"],
            ["core_member.id"],
            name=op.f("fk_mentoring_pairing_mentee_id_core_member"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["mentor_id"],
            ["core_member.id"],
            name=op.f("fk_mentoring_pairing_mentor_id_core_member"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentoring_pairing")),
    )
    op.create_index(op.f("ix_mentoring_pairing_mentee_id"), "mentoring_pairing", ["mentee_id"])
    op.create_index(op.f("ix_mentoring_pairing_mentor_id"), "mentoring_pairing", ["mentor_id"])
    op.create_index("ix_mentoring_pairing_goal_search", "mentoring_pairing", [sa.text("lower(goal) text_pattern_ops")])
    op.create_table(
        "mentoring_meeting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pairing_id", sa.Uuid(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.CheckConstraint("minutes BETWEEN 1 AND 1440", name=op.f("ck_mentoring_meeting_minutes")),
        sa.ForeignKeyConstraint(
            ["pairing_id"],
            ["mentoring_pairing.id"],
            name=op.f("fk_mentoring_meeting_pairing_id_mentoring_pairing"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentoring_meeting")),
    )
    op.create_index(op.f("ix_mentoring_meeting_pairing_id"), "mentoring_meeting", ["pairing_id"])


def downgrade() -> None:
    op.drop_table("mentoring_meeting")
    op.drop_table("mentoring_pairing")
