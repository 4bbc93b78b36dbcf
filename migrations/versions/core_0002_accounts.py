"""Accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("core_member", "locale", server_default="")
    op.execute("UPDATE core_member SET locale = '' WHERE locale = 'en'")  # nobody could choose before
    op.add_column("core_session", sa.Column("stepped_up_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "core_failed_attempt",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_core_failed_attempt")),
    )
    op.create_index("ix_core_failed_attempt_last_at", "core_failed_attempt", ["last_at"], unique=False)
    op.create_table(
        "core_two_factor",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=False),
        sa.Column("enabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _member("core_two_factor"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_core_two_factor")),
    )
    op.create_table(
        "core_recovery_code",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        _member("core_recovery_code"),
        sa.PrimaryKeyConstraint("member_id", "code_hash", name=op.f("pk_core_recovery_code")),
    )
    op.create_table(
        "core_api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=200)), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        _member("core_api_key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_api_key")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_core_api_key_secret_hash")),
    )
    op.create_index(op.f("ix_core_api_key_member_id"), "core_api_key", ["member_id"], unique=False)
    op.create_table(
        "core_signing_key",
        sa.Column("kid", sa.String(length=40), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_core_signing_key")),
    )


def downgrade() -> None:
    op.drop_table("core_signing_key")
    op.execute("UPDATE core_member SET locale = 'en' WHERE locale = ''")
    op.alter_column("core_member", "locale", server_default="en")
    for table in ("core_api_key", "core_recovery_code", "core_two_factor", "core_failed_attempt"):
        op.drop_table(table)
    op.drop_column("core_session", "stepped_up_at")


def _member(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_member_id_core_member")
    return sa.ForeignKeyConstraint(["member_id"], ["core_member.id"], name=name, ondelete="CASCADE")
