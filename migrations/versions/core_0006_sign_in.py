"""Sign-in: codes by mail, linked wallets."""

import sqlalchemy as sa
from alembic import op

revision = "core_0006"
down_revision = "core_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "core_wallet",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("label", sa.String(length=60), server_default="", nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("linked_at", moment, nullable=False),
        sa.Column("last_used_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_wallet_member_id_core_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_wallet")),
        sa.UniqueConstraint("address", name=op.f("uq_core_wallet_address")),
    )
    op.create_index("ix_core_wallet_member_id", "core_wallet", ["member_id"])
    primary = sa.text("is_primary")
    op.create_index("uq_core_wallet_primary", "core_wallet", ["member_id"], unique=True, postgresql_where=primary)
    op.create_table(
        "core_spent_nonce",
        sa.Column("nonce_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_core_spent_nonce")),
    )
    op.create_index("ix_core_spent_nonce_expires_at", "core_spent_nonce", ["expires_at"])
    op.create_table(
        "core_one_time_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("account", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("used_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_core_one_time_code_member_id_core_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_one_time_code")),
    )
    for column in ("member_id", "expires_at"):
        op.create_index(f"ix_core_one_time_code_{column}", "core_one_time_code", [column])


def downgrade() -> None:
    for table in ("core_one_time_code", "core_spent_nonce", "core_wallet"):
        op.drop_table(table)
