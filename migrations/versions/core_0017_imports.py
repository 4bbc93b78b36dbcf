"""Imports of records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0017"
down_revision = "core_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    states = ("uploaded", "checking", "checked", "running", "done", "undoing", "undone")
    op.create_table(
        "core_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "format",
            sa.Enum("csv", "xlsx", name="csv_xlsx", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("plan", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "state",
            sa.Enum(*states, name="_".join(states)[:30], native_enum=False, create_constraint=True, length=40),
            server_default="uploaded",
            nullable=False,
        ),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("figures", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=200), server_default="", nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("impersonator_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_import")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_import_member_id_core_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["impersonator_id"], ["core_member.id"], name=op.f("fk_core_import_impersonator_id_core_member")
        ),
    )
    op.create_index("ix_core_import_resource", "core_import", ["resource", "id"])
    op.create_index(op.f("ix_core_import_member_id"), "core_import", ["member_id"])
    op.create_index(op.f("ix_core_import_impersonator_id"), "core_import", ["impersonator_id"])
    op.create_table(
        "core_import_row",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("fields", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("mark", sa.LargeBinary(length=16), nullable=False),
        sa.CheckConstraint("action IN ('created', 'updated')", name=op.f("ck_core_import_row_action")),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_core_import_row")),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["core_import.id"],
            name=op.f("fk_core_import_row_import_id_core_import"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "core_import_problem",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("field", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("step IN ('tried', 'done', 'undone')", name=op.f("ck_core_import_problem_step")),
        sa.PrimaryKeyConstraint("import_id", "step", "line", "field", name=op.f("pk_core_import_problem")),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["core_import.id"],
            name=op.f("fk_core_import_problem_import_id_core_import"),
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("core_import_problem")
    op.drop_table("core_import_row")
    op.drop_table("core_import")
