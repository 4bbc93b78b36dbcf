"""Rewards that are refused, and those that wait for the review of their member."""

import sqlalchemy as sa
from alembic import op

revision = 'wallet_0005'
down_revision = 'wallet_0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f('ck_wallet_reward_pending_paid'), 'wallet_reward', type_='check')
    op.create_check_constraint(
        op.f('ck_wallet_reward_pending_paid_refused'), 'wallet_reward', "state IN ('pending', 'paid', 'refused')"
    )
    op.create_index(
        'ix_wallet_reward_flagged', 'wallet_reward', ['member_id'],
        postgresql_where=sa.text("state = 'pending' AND why = 'MEMBER_FLAGGED'"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM wallet_reward WHERE state = 'refused'")
    op.drop_index('ix_wallet_reward_flagged', table_name='wallet_reward')
    op.drop_constraint(op.f('ck_wallet_reward_pending_paid_refused'), 'wallet_reward', type_='check')
    op.create_check_constraint(op.f('ck_wallet_reward_pending_paid'), 'wallet_reward', "state IN ('pending', 'paid')")
