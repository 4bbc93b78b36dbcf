"""Automations and the tags of members."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "core_0016"
down_revision = "core_0015"
branch_labels = None
depends_on = None


_UUID = sa.Uuid()
_TIME = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB()


def _member(name: str, ondelete: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, _UUID, sa.ForeignKey("core_member.id", ondelete=ondelete), **options)


def _automation(**options: object) -> sa.Column[object]:
    return sa.Column(
        "automation_id", _UUID, sa.ForeignKey("core_automation.id", ondelete="CASCADE"), nullable=False, **options
    )


def upgrade() -> None:
    op.create_table(
        "core_member_tag",
        _member("member_id", "CASCADE", primary_key=True),
        sa.Column("tag", sa.String(40), primary_key=True),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("ix_core_member_tag_tag_member_id", "core_member_tag", ["tag", "member_id"])
    op.create_table(
        "core_automation",
        sa.Column("id", _UUID, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.String(500), server_default="", nullable=False),
        sa.Column("state", sa.String(10), server_default="draft", nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("latest", sa.Integer(), server_default="1", nullable=False),
        _member("enabled_by", "SET NULL"),
        sa.Column("enabled_at", _TIME),
        sa.Column("next_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("state IN ('draft', 'on', 'off')", name="state"),
        sa.CheckConstraint("state <> 'on' OR version IS NOT NULL", name="in_force"),
    )
    op.create_index("uq_core_automation_name", "core_automation", [sa.text("lower(name)")], unique=True)
    op.create_index("ix_core_automation_enabled_by", "core_automation", ["enabled_by"])
    op.create_index(
        "ix_core_automation_due", "core_automation", ["next_at"], postgresql_where=sa.text("next_at IS NOT NULL")
    )
    op.create_table(
        "core_automation_version",
        _automation(primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("definition", _JSON, nullable=False),
        _member("member_id", "SET NULL"),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("ix_core_automation_version_member_id", "core_automation_version", ["member_id"])
    op.create_table(
        "core_automation_turn",
        sa.Column("id", _UUID, primary_key=True),
        _automation(),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("state", sa.String(10), server_default="waiting", nullable=False),
        sa.Column("member_ids", _JSON),
        _member("asked_by", "SET NULL"),
        sa.Column("job_id", _UUID),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("matched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("finished_at", _TIME),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
    )
    op.create_index("uq_core_automation_turn_key", "core_automation_turn", ["automation_id", "key"], unique=True)
    op.create_index("ix_core_automation_turn_due_at", "core_automation_turn", ["due_at"])
    op.create_index(
        "ix_core_automation_turn_open",
        "core_automation_turn",
        ["id"],
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_index("ix_core_automation_turn_asked_by", "core_automation_turn", ["asked_by"])
    op.create_table(
        "core_automation_run",
        sa.Column("id", _UUID, primary_key=True),
        _automation(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("event_id", _UUID),
        sa.Column("event_name", sa.String(120), server_default="", nullable=False),
        sa.Column("turn_id", _UUID, sa.ForeignKey("core_automation_turn.id", ondelete="SET NULL")),
        _member("member_id", "SET NULL"),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("code", sa.String(60), server_default="", nullable=False),
        sa.Column("sentence", sa.String(1000), server_default="", nullable=False),
        sa.Column("params", _JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("results", _JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("correlation_id", _UUID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint("state IN ('done', 'partly', 'failed', 'limited', 'loop')", name="state"),
    )
    op.create_index("uq_core_automation_run_key", "core_automation_run", ["automation_id", "key"], unique=True)
    op.create_index("ix_core_automation_run_automation_id_id", "core_automation_run", ["automation_id", "id"])
    op.create_index(
        "ix_core_automation_run_event_id",
        "core_automation_run",
        ["event_id"],
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index("ix_core_automation_run_at", "core_automation_run", ["at"])
    op.create_index(
        "ix_core_automation_run_failed", "core_automation_run", ["at"], postgresql_where=sa.text("state = 'failed'")
    )
    op.create_index("ix_core_automation_run_turn_id", "core_automation_run", ["turn_id"])
    op.create_index("ix_core_automation_run_member_id", "core_automation_run", ["member_id"])
    op.create_table(
        "core_automation_effect",
        sa.Column("event_id", _UUID, primary_key=True),
        sa.Column("run_id", _UUID, sa.ForeignKey("core_automation_run.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_index("ix_core_automation_effect_run_id", "core_automation_effect", ["run_id"])
    op.create_table(
        "core_automation_count",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        _automation(),
        _member("member_id", "CASCADE"),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    op.create_index(
        "uq_core_automation_count",
        "core_automation_count",
        ["automation_id", "member_id", "period", "begins"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_core_automation_count_member_id", "core_automation_count", ["member_id"])
    op.create_table(
        "core_automation_budget",
        _automation(primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("used", sa.Numeric(38, 0), nullable=False),
        sa.CheckConstraint("used >= 0", name="used"),
    )


def downgrade() -> None:
    for table in ("budget", "count", "effect", "run", "turn", "version"):
        op.drop_table(f"core_automation_{table}")
    op.drop_table("core_automation")
    op.drop_table("core_member_tag")
