"""People: creation, suspension, impersonation, profile."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "core_0005"
down_revision = "core_0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def _member(name: str, gone: str = "CASCADE", **options: object) -> sa.Column:
    return sa.Column(name, sa.Uuid(), sa.ForeignKey("core_member.id", ondelete=gone), **options)


def upgrade() -> None:
    chain = sa.Column("preferred_chain", sa.BigInteger(), server_default="146", nullable=False)
    op.add_column("core_member", chain)
    op.add_column("core_audit", sa.Column("impersonator_id", sa.Uuid(), nullable=True))
    op.create_index("ix_core_audit_impersonator_id", "core_audit", ["impersonator_id"])
    op.add_column("core_event", sa.Column("impersonator_id", sa.Uuid(), nullable=True))
    op.add_column("core_job", sa.Column("impersonator_id", sa.Uuid(), nullable=True))
    op.create_table(
        "core_member_status",
        sa.Column("id", sa.Uuid(), nullable=False),
        _member("member_id", nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        _member("by_member_id", "SET NULL", nullable=True),
        sa.Column("at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended', 'closed')", name="status"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_core_member_status_member_id_at", "core_member_status", ["member_id", "at"])
    op.create_table(
        "core_profile",
        _member("member_id", nullable=False),
        sa.Column("bio", sa.String(2000), server_default="", nullable=False),
        sa.Column("location", sa.String(120), server_default="", nullable=False),
        sa.Column("website", sa.String(300), server_default="", nullable=False),
        sa.Column("avatar_id", sa.Uuid(), sa.ForeignKey("core_file.id", ondelete="SET NULL"), nullable=True),
        sa.Column("more", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("member_id"),
    )
    op.create_table(
        "core_impersonation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), sa.ForeignKey("core_session.id", ondelete="CASCADE"), nullable=False),
        _member("by_member_id", nullable=False),
        _member("member_id", nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("started_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    going = sa.text("ended_at IS NULL")
    unique = "uq_core_impersonation_session_id"
    op.create_index(unique, "core_impersonation", ["session_id"], unique=True, postgresql_where=going)
    for column in ("started_at", "by_member_id", "member_id"):
        op.create_index(f"ix_core_impersonation_{column}", "core_impersonation", [column])


def downgrade() -> None:
    op.drop_table("core_impersonation")
    op.drop_table("core_profile")
    op.drop_table("core_member_status")
    for table in ("core_job", "core_event"):
        op.drop_column(table, "impersonator_id")
    op.drop_column("core_audit", "impersonator_id")
    op.drop_column("core_member", "preferred_chain")
