"""Files and keys."""

import sqlalchemy as sa
from alembic import op

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "core_data_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("context", sa.String(length=200), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_data_key")),
    )
    op.create_index(op.f("ix_core_data_key_key_id"), "core_data_key", ["key_id"])
    op.create_index(
        "uq_core_data_key_current",
        "core_data_key",
        ["context"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "core_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("plugin", sa.String(length=60), nullable=False),
        sa.Column("purpose", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="loose", nullable=False),
        sa.Column("storage_key", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('loose', 'kept', 'deleted')", name=op.f("ck_core_file_loose_kept_deleted")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["core_member.id"], name=op.f("fk_core_file_owner_id_core_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_file")),
    )
    op.create_index("ix_core_file_owner_id_created_at", "core_file", ["owner_id", "created_at"])
    op.create_index(
        "ix_core_file_state", "core_file", ["state", "created_at"], postgresql_where=sa.text("state <> 'kept'")
    )
    op.create_index(op.f("ix_core_file_storage_key"), "core_file", ["storage_key"])
    op.create_index("ix_core_audit_at", "core_audit", ["at"])
    op.create_index("ix_core_audit_action", "core_audit", ["action"], postgresql_ops={"action": "text_pattern_ops"})


def downgrade() -> None:
    op.drop_index("ix_core_audit_action", "core_audit")
    op.drop_index("ix_core_audit_at", "core_audit")
    op.drop_table("core_file")
    op.drop_table("core_data_key")
