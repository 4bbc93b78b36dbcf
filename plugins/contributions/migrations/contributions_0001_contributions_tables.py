"""Contributions tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'contributions_0001'
down_revision = None
branch_labels = ('contributions',)
depends_on = None


def upgrade() -> None:
    op.create_table('contributions_milestone',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('threshold', sa.Numeric(38, 0), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('reward_amount', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('reward_asset', sa.String(length=20), server_default='POINTS', nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('reward_amount >= 0', name=op.f('ck_contributions_milestone_reward_amount')),
    sa.CheckConstraint('threshold > 0', name=op.f('ck_contributions_milestone_threshold')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_milestone')),
    sa.UniqueConstraint('threshold', name=op.f('uq_contributions_milestone_threshold'))
    )
    op.create_table('contributions_type',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('base_points', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('bonus', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('tiers', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('limits', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('cap', sa.Numeric(38, 0), nullable=True),
    sa.Column('counts_for_streak', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('base_points >= 0', name=op.f('ck_contributions_type_base_points')),
    sa.CheckConstraint('cap IS NULL OR cap >= 0', name=op.f('ck_contributions_type_cap')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_type')),
    sa.UniqueConstraint('code', name=op.f('uq_contributions_type_code'))
    )
    op.create_table('contributions_contribution',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=120), nullable=True),
    sa.Column('breakdown', postgresql.JSONB(), nullable=False),
    sa.Column('type_version', sa.Integer(), nullable=False),
    sa.Column('details', postgresql.JSONB(), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('event_key', sa.String(length=200), nullable=False),
    sa.Column('challenge_id', sa.Uuid(), nullable=True),
    sa.Column('submission_id', sa.Uuid(), nullable=True),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('local_day', sa.Date(), nullable=False),
    sa.Column('counts_for_streak', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("source IN ('system', 'admin', 'challengeEngine', 'import', 'webhook', 'automation')", name=op.f('ck_contributions_contribution_source')),
    sa.CheckConstraint("state IN ('counted', 'pending', 'rejected', 'reversed')", name=op.f('ck_contributions_contribution_state')),
    sa.CheckConstraint('points >= 0', name=op.f('ck_contributions_contribution_points')),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_contribution_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_contribution_type_contributions_type'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_contribution')),
    sa.UniqueConstraint('type', 'event_key', name=op.f('uq_contributions_contribution_type_event_key'))
    )
    op.create_index('ix_contributions_contribution_member', 'contributions_contribution', ['member_id', 'occurred_at'], unique=False)
    op.create_index('ix_contributions_contribution_newest', 'contributions_contribution', ['occurred_at', 'id'], unique=False)
    op.create_index('ix_contributions_contribution_type', 'contributions_contribution', ['type', 'occurred_at'], unique=False)
    op.create_table('contributions_day_progress',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.Column('streak_count', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_day_progress_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('member_id', 'day', name=op.f('pk_contributions_day_progress'))
    )
    op.create_table('contributions_limit_slot',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('window_kind', sa.String(length=5), nullable=False),
    sa.Column('window_start', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used', sa.Integer(), nullable=False),
    sa.CheckConstraint('used >= 0', name=op.f('ck_contributions_limit_slot_used')),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_limit_slot_member_id_core_member'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_limit_slot_type_contributions_type'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('member_id', 'type', 'window_kind', 'window_start', name=op.f('pk_contributions_limit_slot'))
    )
    op.create_table('contributions_month_progress',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_month_progress_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('member_id', 'month', name=op.f('pk_contributions_month_progress'))
    )
    op.create_index('ix_contributions_month_progress_rank', 'contributions_month_progress', ['month', 'points', 'member_id'], unique=False)
    op.create_table('contributions_progress',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('count', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('streak_current', sa.Integer(), server_default='0', nullable=False),
    sa.Column('streak_best', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_day', sa.Date(), nullable=True),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_progress_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('member_id', name=op.f('pk_contributions_progress'))
    )
    op.create_index('ix_contributions_progress_rank', 'contributions_progress', ['points', 'member_id'], unique=False)
    op.create_table('contributions_type_progress',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_type_progress_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_type_progress_type_contributions_type'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('member_id', 'type', name=op.f('pk_contributions_type_progress'))
    )
    op.create_index('ix_contributions_type_progress_count', 'contributions_type_progress', ['type', 'count'], unique=False)
    op.create_table('contributions_milestone_reached',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('milestone_id', sa.Uuid(), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_reached_contribution'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_milestone_reached_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['milestone_id'], ['contributions_milestone.id'], name='fk_contributions_reached_milestone', ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_milestone_reached')),
    sa.UniqueConstraint('member_id', 'milestone_id', name=op.f('uq_contributions_milestone_reached_member_id_milestone_id'))
    )
    op.create_index('ix_contributions_milestone_reached_contribution', 'contributions_milestone_reached', ['contribution_id'], unique=False)
    op.create_index(op.f('ix_contributions_milestone_reached_milestone_id'), 'contributions_milestone_reached', ['milestone_id'], unique=False)
    op.create_table('contributions_reward',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.Numeric(38, 0), nullable=False),
    sa.Column('asset', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('reference', sa.String(length=160), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_contributions_reward_amount')),
    sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_reward_contribution'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_reward_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_reward')),
    sa.UniqueConstraint('reference', name=op.f('uq_contributions_reward_reference'))
    )
    op.create_index('ix_contributions_reward_contribution', 'contributions_reward', ['contribution_id'], unique=False)
    op.create_index(op.f('ix_contributions_reward_member_id'), 'contributions_reward', ['member_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_contributions_reward_member_id'), table_name='contributions_reward')
    op.drop_index('ix_contributions_reward_contribution', table_name='contributions_reward')
    op.drop_table('contributions_reward')
    op.drop_index(op.f('ix_contributions_milestone_reached_milestone_id'), table_name='contributions_milestone_reached')
    op.drop_index('ix_contributions_milestone_reached_contribution', table_name='contributions_milestone_reached')
    op.drop_table('contributions_milestone_reached')
    op.drop_index('ix_contributions_type_progress_count', table_name='contributions_type_progress')
    op.drop_table('contributions_type_progress')
    op.drop_index('ix_contributions_progress_rank', table_name='contributions_progress')
    op.drop_table('contributions_progress')
    op.drop_index('ix_contributions_month_progress_rank', table_name='contributions_month_progress')
    op.drop_table('contributions_month_progress')
    op.drop_table('contributions_limit_slot')
    op.drop_table('contributions_day_progress')
    op.drop_index('ix_contributions_contribution_type', table_name='contributions_contribution')
    op.drop_index('ix_contributions_contribution_newest', table_name='contributions_contribution')
    op.drop_index('ix_contributions_contribution_member', table_name='contributions_contribution')
    op.drop_table('contributions_contribution')
    op.drop_table('contributions_type')
    op.drop_table('contributions_milestone')
