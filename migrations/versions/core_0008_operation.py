"""Delivery and jobs: operation."""

import sqlalchemy as sa
from alembic import op

revision = "core_0008"
down_revision = "core_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    dead, retrying = sa.text("state = 'dead'"), sa.text("state = 'pending' AND attempts > 0")
    ended = sa.text("state IN ('done', 'cancelled')")
    op.create_index("ix_core_delivery_dead_subscriber", "core_delivery", ["subscriber", "id"], postgresql_where=dead)
    op.create_index("ix_core_delivery_retrying", "core_delivery", ["subscriber"], postgresql_where=retrying)
    op.add_column("core_plugin", sa.Column("seeded", sa.String(length=64), server_default="", nullable=False))
    for name in ("quarantined", "traceback"):
        op.add_column("core_plugin", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_index("ix_core_job_ended", "core_job", ["finished_at"], postgresql_where=ended)


def downgrade() -> None:
    op.drop_index("ix_core_job_ended", table_name="core_job")
    for name in ("seeded", "quarantined", "traceback"):
        op.drop_column("core_plugin", name)
    op.drop_index("ix_core_delivery_retrying", table_name="core_delivery")
    op.drop_index("ix_core_delivery_dead_subscriber", table_name="core_delivery")
