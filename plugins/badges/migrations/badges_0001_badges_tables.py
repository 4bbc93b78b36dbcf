"""Badges tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'badges_0001'
down_revision = None
branch_labels = ('badges',)
depends_on = None


def upgrade() -> None:
    op.create_table('badges_badge',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.String(length=80), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('category', sa.String(length=40), server_default='Special', nullable=False),
    sa.Column('level', sa.Integer(), nullable=True),
    sa.Column('icon', sa.String(length=40), server_default='award', nullable=False),
    sa.Column('visibility', sa.String(length=10), server_default='public', nullable=False),
    sa.Column('criteria', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('revision', sa.Integer(), server_default='1', nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('active_from', sa.DateTime(timezone=True), nullable=True),
    sa.Column('active_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('supply_limit', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name=op.f('ck_badges_badge_slug')),
    sa.CheckConstraint("visibility IN ('public', 'hidden', 'secret')", name=op.f('ck_badges_badge_visibility')),
    sa.CheckConstraint('active_from < active_until', name=op.f('ck_badges_badge_window')),
    sa.CheckConstraint('level BETWEEN 1 AND 5', name=op.f('ck_badges_badge_level')),
    sa.CheckConstraint('supply_limit > 0', name=op.f('ck_badges_badge_supply_limit')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_badges_badge')),
    sa.UniqueConstraint('slug', name=op.f('uq_badges_badge_slug'))
    )
    op.create_table('badges_award',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('badge_id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('badge_version', sa.Integer(), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('source', sa.String(length=16), nullable=False),
    sa.Column('awarded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('awarded_by', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_by', sa.Uuid(), nullable=True),
    sa.Column('revoke_reason', sa.Text(), nullable=True),
    sa.CheckConstraint("source IN ('evaluator', 'recalculation', 'manual')", name=op.f('ck_badges_award_source')),
    sa.CheckConstraint('(revoked_at IS NULL) = (revoke_reason IS NULL)', name=op.f('ck_badges_award_revoked')),
    sa.ForeignKeyConstraint(['badge_id'], ['badges_badge.id'], name=op.f('fk_badges_award_badge_id_badges_badge'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_badges_award_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_badges_award')),
    sa.UniqueConstraint('badge_id', 'member_id', name=op.f('uq_badges_award_badge_id_member_id'))
    )
    op.create_index('ix_badges_award_awarded_at', 'badges_award', ['awarded_at'], unique=False)
    op.create_index('ix_badges_award_badge_awarded', 'badges_award', ['badge_id', 'awarded_at'], unique=False)
    op.create_index('ix_badges_award_contribution_id', 'badges_award', ['contribution_id'], unique=False, postgresql_where=sa.text('contribution_id IS NOT NULL'))
    op.create_index(op.f('ix_badges_award_member_id'), 'badges_award', ['member_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_badges_award_member_id'), table_name='badges_award')
    op.drop_index('ix_badges_award_contribution_id', table_name='badges_award', postgresql_where=sa.text('contribution_id IS NOT NULL'))
    op.drop_index('ix_badges_award_badge_awarded', table_name='badges_award')
    op.drop_index('ix_badges_award_awarded_at', table_name='badges_award')
    op.drop_table('badges_award')
    op.drop_table('badges_badge')
