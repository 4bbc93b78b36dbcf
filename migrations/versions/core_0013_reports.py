"""Scheduled reports and arranged dashboards."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0013"
down_revision = "core_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "core_report_schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("report", sa.String(length=120), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("period", sa.String(length=20), nullable=False),
        sa.Column("every", sa.String(length=40), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("weekday", sa.Integer(), server_default="0", nullable=False),
        sa.Column("month_day", sa.Integer(), server_default="1", nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=40), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("every IN ('daily', 'weekly', 'monthly')", name=op.f("ck_core_report_schedule_daily_weekly_monthly")),
        sa.CheckConstraint("format IN ('pdf', 'xlsx', 'csv')", name=op.f("ck_core_report_schedule_pdf_xlsx_csv")),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name=op.f("ck_core_report_schedule_hour")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_core_report_schedule_weekday")),
        sa.CheckConstraint("month_day BETWEEN 1 AND 28", name=op.f("ck_core_report_schedule_month_day")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_report_schedule")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_report_schedule_member_id_core_member"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_core_report_schedule_member_id"), "core_report_schedule", ["member_id"])
    op.create_index("ix_core_report_schedule_due", "core_report_schedule", ["next_at"], postgresql_where=sa.text("NOT paused"))
    op.create_table(
        "core_report_recipient",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "member_id", name=op.f("pk_core_report_recipient")),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["core_report_schedule.id"],
            name=op.f("fk_core_report_recipient_schedule_id_core_report_schedule"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_report_recipient_member_id_core_member"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_core_report_recipient_member_id"), "core_report_recipient", ["member_id"])
    op.create_table(
        "core_report_copy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), server_default="due", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.String(length=200), server_default="", nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'made', 'mailed', 'refused', 'failed')", name=op.f("ck_core_report_copy_due_made_mailed_refused_failed")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_report_copy")),
        sa.UniqueConstraint("schedule_id", "due_at", "member_id", name=op.f("uq_core_report_copy_schedule_id_due_at_member_id")),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["core_report_schedule.id"],
            name=op.f("fk_core_report_copy_schedule_id_core_report_schedule"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_report_copy_member_id_core_member"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["file_id"], ["core_file.id"], name=op.f("fk_core_report_copy_file_id_core_file"), ondelete="RESTRICT"),
    )
    op.create_index("ix_core_report_copy_open", "core_report_copy", ["due_at"], postgresql_where=sa.text("state = 'due'"))
    op.create_index("ix_core_report_copy_member_id_due_at", "core_report_copy", ["member_id", "due_at"])
    op.create_table(
        "core_dashboard",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(length=64), nullable=True),
        sa.Column("widgets", postgresql.JSONB(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(member_id IS NULL) <> (role IS NULL)", name=op.f("ck_core_dashboard_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_dashboard")),
        sa.UniqueConstraint("member_id", name=op.f("uq_core_dashboard_member_id")),
        sa.UniqueConstraint("role", name=op.f("uq_core_dashboard_role")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["core_member.id"], name=op.f("fk_core_dashboard_member_id_core_member"), ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    for table in ("core_dashboard", "core_report_copy", "core_report_recipient", "core_report_schedule"):
        op.drop_table(table)
