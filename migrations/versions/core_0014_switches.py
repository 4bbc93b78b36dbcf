"""Kill switches and signals of shared use."""

import sqlalchemy as sa
from alembic import op

revision = "core_0014"
down_revision = "core_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "core_switch",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pulled_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_core_switch")),
        sa.ForeignKeyConstraint(
            ["pulled_by"], ["core_member.id"], name=op.f("fk_core_switch_pulled_by_core_member"), ondelete="RESTRICT"
        ),
    )
    op.create_index(op.f("ix_core_switch_pulled_by"), "core_switch", ["pulled_by"])
    op.create_table(
        "core_member_signal",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('device', 'address', 'wallet')", name=op.f("ck_core_member_signal_kind")),
        sa.PrimaryKeyConstraint("member_id", "value", name=op.f("pk_core_member_signal")),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_core_member_signal_member_id_core_member"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_core_member_signal_value", "core_member_signal", ["value", "seen_at"])
    op.create_index("ix_core_member_signal_seen_at", "core_member_signal", ["seen_at"])


def downgrade() -> None:
    op.drop_table("core_member_signal")
    op.drop_table("core_switch")
