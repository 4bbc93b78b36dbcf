"""Personal data: keys, exports, erasure."""

import sqlalchemy as sa
from alembic import op

revision = "core_0007"
down_revision = "core_0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
IDENTITY = "fk_core_identity_member_id_core_member"


def upgrade() -> None:
    op.alter_column("core_audit", "ip", type_=sa.Text())
    op.drop_constraint(IDENTITY, "core_identity")
    op.create_foreign_key(IDENTITY, "core_identity", "core_member", ["member_id"], ["id"], ondelete="CASCADE")
    op.create_table(
        "core_member_key",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("destroyed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_core_member_key")),
    )
    op.create_table(
        "core_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=40), server_default="waiting", nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'ready', 'expired')", name=op.f("ck_core_export_waiting_ready_expired")),
        _member("core_export", "member_id", "CASCADE"),
        _member("core_export", "asked_by_id", "SET NULL"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["core_file.id"], name=op.f("fk_core_export_file_id_core_file"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_export")),
    )
    op.create_table(
        "core_erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=40), server_default="waiting", nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'withdrawn', 'done')", name=op.f("ck_core_erasure_waiting_withdrawn_done")
        ),
        _member("core_erasure", "member_id", "RESTRICT"),
        _member("core_erasure", "asked_by_id", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_erasure")),
    )
    waiting = sa.text("state = 'waiting'")
    for table in ("core_export", "core_erasure"):
        op.create_index(f"uq_{table}_waiting", table, ["member_id"], unique=True, postgresql_where=waiting)
    op.create_index("ix_core_export_member_id_created_at", "core_export", ["member_id", "created_at"])
    op.create_index("ix_core_erasure_due_at", "core_erasure", ["due_at"], postgresql_where=waiting)


def downgrade() -> None:
    op.drop_table("core_erasure")
    op.drop_table("core_export")
    op.drop_table("core_member_key")
    op.drop_constraint(IDENTITY, "core_identity")
    op.create_foreign_key(IDENTITY, "core_identity", "core_member", ["member_id"], ["id"])


def _member(table: str, column: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_core_member")
    return sa.ForeignKeyConstraint([column], ["core_member.id"], name=name, ondelete=ondelete)
