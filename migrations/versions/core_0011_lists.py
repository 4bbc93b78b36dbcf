"""Saved views and work on many records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0011"
down_revision = "core_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    nothing, none = sa.text("'{}'"), sa.text("'[]'")
    op.create_table(
        "core_list_view",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_list_view")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_list_view_member_id_core_member"), ondelete="CASCADE"
        ),
    )
    named = ["member_id", "resource", sa.text("lower(name)")]
    op.create_index("uq_core_list_view_own", "core_list_view", named, unique=True)
    op.create_index("ix_core_list_view_resource", "core_list_view", ["resource", "shared"])
    op.create_table(
        "core_list_choice",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(length=120), nullable=False),
        sa.Column("columns", postgresql.JSONB(), server_default=none, nullable=False),
        sa.Column("dense", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("view_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("member_id", "resource", name=op.f("pk_core_list_choice")),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["core_member.id"],
            name=op.f("fk_core_list_choice_member_id_core_member"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["view_id"],
            ["core_list_view.id"],
            name=op.f("fk_core_list_choice_view_id_core_list_view"),
            ondelete="SET NULL",
        ),
    )
    op.create_index(op.f("ix_core_list_choice_view_id"), "core_list_choice", ["view_id"])
    op.create_table(
        "core_bulk_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("operation", sa.String(length=80), server_default="", nullable=False),
        sa.Column("values", postgresql.JSONB(), server_default=nothing, nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("impersonator_id", sa.Uuid(), nullable=True),
        sa.Column("reverts_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('edit', 'delete', 'operation', 'revert')", name=op.f("ck_core_bulk_run_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_bulk_run")),
        *(
            sa.ForeignKeyConstraint([column], ["core_member.id"], name=op.f(f"fk_core_bulk_run_{column}_core_member"))
            for column in ("member_id", "impersonator_id")
        ),
        sa.ForeignKeyConstraint(
            ["reverts_id"],
            ["core_bulk_run.id"],
            name=op.f("fk_core_bulk_run_reverts_id_core_bulk_run"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("reverts_id", name=op.f("uq_core_bulk_run_reverts_id")),
    )
    for column in ("member_id", "impersonator_id", "finished_at"):
        op.create_index(op.f(f"ix_core_bulk_run_{column}"), "core_bulk_run", [column])
    op.create_table(
        "core_bulk_item",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="waiting", nullable=False),
        sa.Column("before", postgresql.JSONB(), server_default=nothing, nullable=False),
        sa.Column("after", postgresql.JSONB(), server_default=nothing, nullable=False),
        sa.Column("problem", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'unchanged', 'failed')", name=op.f("ck_core_bulk_item_state")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_core_bulk_item")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["core_bulk_run.id"], name=op.f("fk_core_bulk_item_run_id_core_bulk_run"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_core_bulk_item_state", "core_bulk_item", ["run_id", "state", "position"])


def downgrade() -> None:
    for table in ("core_bulk_item", "core_bulk_run", "core_list_choice", "core_list_view"):
        op.drop_table(table)
