"""Events and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "core_0004"
down_revision = "core_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("core_delivery", sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("core_delivery", sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_core_delivery_due", table_name="core_delivery")
    op.drop_index("ix_core_delivery_state_id", table_name="core_delivery")
    op.drop_index("ix_core_delivery_subscriber_state", table_name="core_delivery")
    pending, done, dead = (sa.text(f"state = '{state}'") for state in ("pending", "done", "dead"))
    due = ["subscriber", "priority", "due_at", "id"]
    op.create_index("ix_core_delivery_due", "core_delivery", due, postgresql_where=pending)
    op.create_index("ix_core_delivery_done", "core_delivery", ["subscriber", "done_at"], postgresql_where=done)
    op.create_index("ix_core_delivery_dead", "core_delivery", ["id"], postgresql_where=dead)
    failed = sa.text("failed_at IS NOT NULL")
    op.create_index("ix_core_delivery_failed", "core_delivery", ["failed_at"], postgresql_where=failed)
    op.create_table(
        "core_subscriber",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("event_name", sa.String(length=120), nullable=False),
        sa.Column("plugin", sa.String(length=60), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_subscriber")),
    )
    op.create_table(
        "core_worker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_worker")),
    )
    op.add_column(
        "core_job", sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("core_job", "due_at")
    op.drop_table("core_worker")
    op.drop_table("core_subscriber")
    for name in ("due", "done", "dead", "failed"):
        op.drop_index(f"ix_core_delivery_{name}", table_name="core_delivery")
    pending = sa.text("state = 'pending'")
    op.create_index("ix_core_delivery_due", "core_delivery", ["due_at", "id"], postgresql_where=pending)
    op.create_index("ix_core_delivery_state_id", "core_delivery", ["state", "id"])
    op.create_index("ix_core_delivery_subscriber_state", "core_delivery", ["subscriber", "state", "due_at"])
    op.drop_column("core_delivery", "failed_at")
    op.drop_column("core_delivery", "priority")
