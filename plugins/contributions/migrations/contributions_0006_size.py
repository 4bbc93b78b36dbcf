"""Indexes for millions: rare states and sources, a member's contributions of a type, and counts by day."""

import sqlalchemy as sa
from alembic import op

revision = 'contributions_0006'
down_revision = 'contributions_0005'
branch_labels = None
depends_on = None

TABLE = 'contributions_contribution'
NEWEST = 'ix_contributions_contribution_newest'


def upgrade() -> None:
    op.create_index(
        'ix_contributions_contribution_state', TABLE, ['state', 'occurred_at', 'id'],
        postgresql_where=sa.text("state <> 'counted'"),
    )
    op.create_index('ix_contributions_contribution_source', TABLE, ['source', 'occurred_at', 'id'])
    op.create_index(
        'ix_contributions_contribution_counted', TABLE, ['member_id', 'type', 'occurred_at'],
        postgresql_where=sa.text("state = 'counted'"),
    )
    op.drop_index(NEWEST, table_name=TABLE)
    op.create_index(NEWEST, TABLE, ['occurred_at', 'id'], postgresql_include=['state'])


def downgrade() -> None:
    op.drop_index(NEWEST, table_name=TABLE)
    op.create_index(NEWEST, TABLE, ['occurred_at', 'id'])
    for name in ('counted', 'source', 'state'):
        op.drop_index(f'ix_contributions_contribution_{name}', table_name=TABLE)
