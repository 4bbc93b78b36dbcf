"""Codes by text message."""

import sqlalchemy as sa
from alembic import op

revision = "core_0010"
down_revision = "core_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "core_phone",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=200), nullable=False),
        sa.Column("number_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("verified_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_phone_member_id_core_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_phone")),
    )
    op.create_index("ix_core_phone_member_id", "core_phone", ["member_id"])
    proved, waiting = sa.text("verified_at IS NOT NULL"), sa.text("verified_at IS NULL")
    op.create_index(
        "uq_core_phone_number_hash", "core_phone", ["number_hash"], unique=True, postgresql_where=proved
    )
    op.create_index("uq_core_phone_verified", "core_phone", ["member_id"], unique=True, postgresql_where=proved)
    op.create_index("uq_core_phone_waiting", "core_phone", ["member_id"], unique=True, postgresql_where=waiting)
    op.create_table(
        "core_second_factor",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("enabled_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_core_second_factor_member_id_core_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("member_id", "kind", name=op.f("pk_core_second_factor")),
        sa.CheckConstraint("kind IN ('mail', 'sms')", name=op.f("ck_core_second_factor_kind")),
    )
    op.add_column(
        "core_one_time_code", sa.Column("channel", sa.String(length=4), server_default="mail", nullable=False)
    )
    op.add_column("core_one_time_code", sa.Column("phone_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_core_one_time_code_channel"), "core_one_time_code", "channel IN ('mail', 'sms')"
    )
    op.create_foreign_key(
        op.f("fk_core_one_time_code_phone_id_core_phone"),
        "core_one_time_code",
        "core_phone",
        ["phone_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_core_one_time_code_phone_id", "core_one_time_code", ["phone_id"])


def downgrade() -> None:
    op.drop_column("core_one_time_code", "phone_id")
    op.drop_column("core_one_time_code", "channel")
    op.drop_table("core_second_factor")
    op.drop_table("core_phone")
