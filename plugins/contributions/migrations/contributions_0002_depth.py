"""Corrections, seasons, boards, levels, awards, claims, reviews and webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = 'contributions_0002'
down_revision = 'contributions_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('contributions_award_plan',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.Enum('places', 'share', name='places_share', native_enum=False, create_constraint=True, length=40), server_default='places', nullable=False),
    sa.Column('awards', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('pool', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('asset', sa.String(length=20), server_default='POINTS', nullable=False),
    sa.Column('first_month', sa.Date(), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('pool >= 0', name=op.f('ck_contributions_award_plan_pool')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_award_plan')),
    sa.UniqueConstraint('label', name=op.f('uq_contributions_award_plan_label'))
    )
    op.create_table('contributions_freeze',
    sa.Column('board', sa.String(length=120), nullable=False),
    sa.Column('frozen_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('board', name=op.f('pk_contributions_freeze'))
    )
    op.create_table('contributions_level',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('threshold', sa.Numeric(38, 0), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('tier', sa.Enum('free', 'pro', 'enterprise', name='free_pro_enterprise', native_enum=False, create_constraint=True, length=40), nullable=True),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('number > 0', name=op.f('ck_contributions_level_number')),
    sa.CheckConstraint('threshold >= 0', name=op.f('ck_contributions_level_threshold')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_level')),
    sa.UniqueConstraint('number', name=op.f('uq_contributions_level_number')),
    sa.UniqueConstraint('threshold', name=op.f('uq_contributions_level_threshold'))
    )
    op.create_table('contributions_season',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('awards', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('asset', sa.String(length=20), server_default='POINTS', nullable=False),
    sa.Column('state', sa.Enum('open', 'closed', name='open_closed', native_enum=False, create_constraint=True, length=40), server_default='open', nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('ck_contributions_season_span')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_season')),
    sa.UniqueConstraint('name', name=op.f('uq_contributions_season_name'))
    )
    op.create_index('ix_contributions_season_span', 'contributions_season', ['starts_at', 'ends_at'], unique=False)
    op.create_table('contributions_webhook',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.String(length=80), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.Enum('github', 'generic', name='github_generic', native_enum=False, create_constraint=True, length=40), server_default='generic', nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('mapping', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_webhook')),
    sa.UniqueConstraint('slug', name=op.f('uq_contributions_webhook_slug'))
    )
    op.create_table('contributions_award_run',
    sa.Column('plan_id', sa.Uuid(), nullable=False),
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('members', sa.BigInteger(), nullable=False),
    sa.Column('paid', sa.Numeric(38, 0), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['plan_id'], ['contributions_award_plan.id'], name=op.f('fk_contributions_award_run_plan_id_contributions_award_plan')),
    sa.PrimaryKeyConstraint('plan_id', 'month', name=op.f('pk_contributions_award_run'))
    )
    op.create_table('contributions_board_progress',
    sa.Column('board', sa.String(length=60), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_board_progress_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('board', 'member_id', name=op.f('pk_contributions_board_progress'))
    )
    op.create_index('ix_contributions_board_progress_rank', 'contributions_board_progress', ['board', 'points', 'member_id'], unique=False)
    op.create_table('contributions_claim',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('git', 'github', 'import', name='git_github_import', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('subject', sa.String(length=160), nullable=False),
    sa.Column('state', sa.Enum('pending', 'approved', 'rejected', name='pending_approved_rejected', native_enum=False, create_constraint=True, length=40), server_default='pending', nullable=False),
    sa.Column('proof', sa.Enum('email', 'admin', name='email_admin', native_enum=False, create_constraint=True, length=40), server_default='admin', nullable=False),
    sa.Column('from_member_id', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.String(length=200), server_default='', nullable=False),
    sa.Column('decided_by', sa.Uuid(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state <> 'pending' OR decided_at IS NULL", name=op.f('ck_contributions_claim_decided')),
    sa.ForeignKeyConstraint(['decided_by'], ['core_member.id'], name=op.f('fk_contributions_claim_decided_by_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['from_member_id'], ['core_member.id'], name=op.f('fk_contributions_claim_from_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_claim_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_claim'))
    )
    op.create_index(op.f('ix_contributions_claim_from_member_id'), 'contributions_claim', ['from_member_id'], unique=False)
    op.create_index('ix_contributions_claim_state', 'contributions_claim', ['state', 'created_at'], unique=False)
    op.create_index('ix_contributions_claim_subject', 'contributions_claim', ['kind', 'subject'], unique=False)
    op.create_index('uq_contributions_claim_open', 'contributions_claim', ['member_id', 'kind', 'subject'], unique=True, postgresql_where=sa.text("state = 'pending'"))
    op.create_table('contributions_hidden',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_hidden_member_id_core_member'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('member_id', name=op.f('pk_contributions_hidden'))
    )
    op.create_table('contributions_override',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=True),
    sa.Column('type', sa.String(length=80), nullable=True),
    sa.Column('basis_points', sa.Integer(), nullable=True),
    sa.Column('points', sa.Numeric(38, 0), nullable=True),
    sa.Column('reason', sa.String(length=120), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('(basis_points IS NULL) <> (points IS NULL)', name=op.f('ck_contributions_override_one')),
    sa.CheckConstraint('basis_points BETWEEN 0 AND 1000000', name=op.f('ck_contributions_override_basis_points')),
    sa.CheckConstraint('points >= 0', name=op.f('ck_contributions_override_points')),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('ck_contributions_override_span')),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_override_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_override_type_contributions_type'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_override'))
    )
    op.create_index(op.f('ix_contributions_override_member_id'), 'contributions_override', ['member_id'], unique=False)
    op.create_index('ix_contributions_override_span', 'contributions_override', ['ends_at', 'starts_at'], unique=False)
    op.create_index(op.f('ix_contributions_override_type'), 'contributions_override', ['type'], unique=False)
    op.create_table('contributions_rescore',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=True),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=120), nullable=False),
    sa.Column('state', sa.Enum('trying', 'tried', 'applying', 'applied', name='trying_tried_applying_applied', native_enum=False, create_constraint=True, length=40), server_default='trying', nullable=False),
    sa.Column('figures', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('made_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('ck_contributions_rescore_span')),
    sa.ForeignKeyConstraint(['made_by'], ['core_member.id'], name=op.f('fk_contributions_rescore_made_by_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_rescore_type_contributions_type'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_rescore'))
    )
    op.create_index(op.f('ix_contributions_rescore_type'), 'contributions_rescore', ['type'], unique=False)
    op.create_table('contributions_standing',
    sa.Column('board', sa.String(length=120), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('rank', sa.BigInteger(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_standing_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('board', 'member_id', name=op.f('pk_contributions_standing'))
    )
    op.create_index('ix_contributions_standing_rank', 'contributions_standing', ['board', 'rank', 'member_id'], unique=False)
    op.create_table('contributions_type_version',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.String(length=80), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('rules', postgresql.JSONB(), nullable=False),
    sa.Column('made_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['made_by'], ['core_member.id'], name=op.f('fk_contributions_type_version_made_by_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type'], ['contributions_type.code'], name=op.f('fk_contributions_type_version_type_contributions_type'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_type_version')),
    sa.UniqueConstraint('type', 'version', name=op.f('uq_contributions_type_version_type_version'))
    )
    op.create_table('contributions_correction',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Enum('override', 'reversal', 'rescore', name='override_reversal_rescore', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('points', sa.Numeric(38, 0), nullable=False),
    sa.Column('breakdown', postgresql.JSONB(), nullable=False),
    sa.Column('type_version', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('made_by', sa.Uuid(), nullable=True),
    sa.Column('rescore_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_correction_contribution'),
    sa.ForeignKeyConstraint(['made_by'], ['core_member.id'], name='fk_contributions_correction_by'),
    sa.ForeignKeyConstraint(['rescore_id'], ['contributions_rescore.id'], name='fk_contributions_correction_rescore'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_correction')),
    sa.UniqueConstraint('rescore_id', 'contribution_id', name=op.f('uq_contributions_correction_rescore_id_contribution_id'))
    )
    op.create_index('ix_contributions_correction_contribution', 'contributions_correction', ['contribution_id', 'created_at'], unique=False)
    op.create_table('contributions_level_reached',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('level_id', sa.Uuid(), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_level_reached_contribution'),
    sa.ForeignKeyConstraint(['level_id'], ['contributions_level.id'], name=op.f('fk_contributions_level_reached_level_id_contributions_level'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_level_reached_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('member_id', 'level_id', name=op.f('pk_contributions_level_reached'))
    )
    op.create_index(op.f('ix_contributions_level_reached_contribution_id'), 'contributions_level_reached', ['contribution_id'], unique=False)
    op.create_index(op.f('ix_contributions_level_reached_level_id'), 'contributions_level_reached', ['level_id'], unique=False)
    op.create_table('contributions_review',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('signals', postgresql.JSONB(), nullable=False),
    sa.Column('state', sa.Enum('open', 'released', 'rejected', name='open_released_rejected', native_enum=False, create_constraint=True, length=40), server_default='open', nullable=False),
    sa.Column('reason', sa.String(length=200), server_default='', nullable=False),
    sa.Column('decided_by', sa.Uuid(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['contribution_id'], ['contributions_contribution.id'], name='fk_contributions_review_contribution'),
    sa.ForeignKeyConstraint(['decided_by'], ['core_member.id'], name=op.f('fk_contributions_review_decided_by_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_contributions_review_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contributions_review')),
    sa.UniqueConstraint('contribution_id', name=op.f('uq_contributions_review_contribution_id'))
    )
    op.create_index('ix_contributions_review_member', 'contributions_review', ['member_id'], unique=False)
    op.create_index('ix_contributions_review_state', 'contributions_review', ['state', 'created_at'], unique=False)
    op.add_column('contributions_contribution', sa.Column('correction', sa.Numeric(38, 0), server_default='0', nullable=False))
    op.add_column('contributions_contribution', sa.Column('fingerprint', sa.BigInteger(), nullable=True))
    op.add_column('contributions_type', sa.Column('cooldown_seconds', sa.Integer(), server_default='0', nullable=False))
    op.add_column('contributions_type', sa.Column('details_schema', postgresql.JSONB(), nullable=True))
    op.add_column('contributions_type', sa.Column('adjustments', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False))
    op.add_column('contributions_type', sa.Column('adjustment_cap', sa.Numeric(38, 0), nullable=True))
    op.create_check_constraint(op.f('ck_contributions_contribution_total'), 'contributions_contribution', 'points + correction >= 0')
    op.create_check_constraint(op.f('ck_contributions_type_cooldown'), 'contributions_type', 'cooldown_seconds >= 0')
    op.execute("""
        CREATE FUNCTION contributions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'corrections are never changed nor deleted' USING ERRCODE = 'restrict_violation'; END $$;
        CREATE TRIGGER contributions_correction_append_only BEFORE UPDATE OR DELETE ON contributions_correction
        FOR EACH STATEMENT EXECUTE FUNCTION contributions_append_only();
        INSERT INTO contributions_type_version (id, type, version, rules, created_at)
        SELECT uuidv7(), code, version, to_jsonb(t) - ARRAY['id', 'created_at'], now() FROM contributions_type t;
        INSERT INTO contributions_board_progress (board, member_id, count, points)
        SELECT 'week:' || date_trunc('week', occurred_at AT TIME ZONE 'UTC')::date, member_id, count(*), sum(points)
        FROM contributions_contribution WHERE state = 'counted' GROUP BY 1, 2;
        INSERT INTO contributions_board_progress (board, member_id, count, points)
        SELECT 'challenge:' || challenge_id, member_id, count(*), sum(points)
        FROM contributions_contribution WHERE state = 'counted' AND challenge_id IS NOT NULL GROUP BY 1, 2;
        CREATE INDEX ix_contributions_type_progress_rank ON contributions_type_progress (type, points, member_id);
    """)


def downgrade() -> None:
    op.execute("DROP INDEX ix_contributions_type_progress_rank")
    op.drop_constraint(op.f('ck_contributions_type_cooldown'), 'contributions_type')
    op.drop_constraint(op.f('ck_contributions_contribution_total'), 'contributions_contribution')
    op.drop_column('contributions_type', 'adjustment_cap')
    op.drop_column('contributions_type', 'adjustments')
    op.drop_column('contributions_type', 'details_schema')
    op.drop_column('contributions_type', 'cooldown_seconds')
    op.drop_column('contributions_contribution', 'fingerprint')
    op.drop_column('contributions_contribution', 'correction')
    op.drop_index('ix_contributions_review_state', table_name='contributions_review')
    op.drop_index('ix_contributions_review_member', table_name='contributions_review')
    op.drop_table('contributions_review')
    op.drop_index(op.f('ix_contributions_level_reached_level_id'), table_name='contributions_level_reached')
    op.drop_index(op.f('ix_contributions_level_reached_contribution_id'), table_name='contributions_level_reached')
    op.drop_table('contributions_level_reached')
    op.drop_index('ix_contributions_correction_contribution', table_name='contributions_correction')
    op.drop_table('contributions_correction')
    op.drop_table('contributions_type_version')
    op.drop_index('ix_contributions_standing_rank', table_name='contributions_standing')
    op.drop_table('contributions_standing')
    op.drop_index(op.f('ix_contributions_rescore_type'), table_name='contributions_rescore')
    op.drop_table('contributions_rescore')
    op.drop_index(op.f('ix_contributions_override_type'), table_name='contributions_override')
    op.drop_index('ix_contributions_override_span', table_name='contributions_override')
    op.drop_index(op.f('ix_contributions_override_member_id'), table_name='contributions_override')
    op.drop_table('contributions_override')
    op.drop_table('contributions_hidden')
    op.drop_index('uq_contributions_claim_open', table_name='contributions_claim', postgresql_where=sa.text("state = 'pending'"))
    op.drop_index('ix_contributions_claim_subject', table_name='contributions_claim')
    op.drop_index('ix_contributions_claim_state', table_name='contributions_claim')
    op.drop_index(op.f('ix_contributions_claim_from_member_id'), table_name='contributions_claim')
    op.drop_table('contributions_claim')
    op.drop_index('ix_contributions_board_progress_rank', table_name='contributions_board_progress')
    op.drop_table('contributions_board_progress')
    op.drop_table('contributions_award_run')
    op.drop_table('contributions_webhook')
    op.drop_index('ix_contributions_season_span', table_name='contributions_season')
    op.drop_table('contributions_season')
    op.drop_table('contributions_level')
    op.drop_table('contributions_freeze')
    op.drop_table('contributions_award_plan')
    op.execute("DROP FUNCTION contributions_append_only()")
