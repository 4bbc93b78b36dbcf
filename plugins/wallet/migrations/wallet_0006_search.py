"""Indexes for searching transfers and rewards by their reference."""

import sqlalchemy as sa
from alembic import op

revision = 'wallet_0006'
down_revision = 'wallet_0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    beginning = sa.text('lower(reference) text_pattern_ops')
    op.create_index(
        'ix_wallet_transfer_reference_search', 'wallet_transfer', [beginning],
        postgresql_where=sa.text('reference IS NOT NULL'),
    )
    op.create_index('ix_wallet_reward_reference_search', 'wallet_reward', [beginning])


def downgrade() -> None:
    op.drop_index('ix_wallet_reward_reference_search', table_name='wallet_reward')
    op.drop_index('ix_wallet_transfer_reference_search', table_name='wallet_transfer')
