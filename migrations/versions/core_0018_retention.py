"""What is deleted when its time is over is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "core_0018"
down_revision = "core_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_core_idempotency_forms",
        "core_idempotency",
        ["created_at"],
        postgresql_where=sa.text("starts_with(scope, 'form:')"),
    )
    op.create_index("ix_core_session_expires_at", "core_session", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_core_session_expires_at", "core_session")
    op.drop_index("ix_core_idempotency_forms", "core_idempotency")
