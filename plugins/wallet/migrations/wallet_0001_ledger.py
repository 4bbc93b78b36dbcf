"""Ledger."""

import sqlalchemy as sa
from alembic import op

revision = 'wallet_0001'
down_revision = None
branch_labels = ('wallet',)
depends_on = None


# A field of an entry's canonical bytes: length-prefixed, so that no two entries share them.
PART = """
CREATE FUNCTION wallet_part(field text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN coalesce(octet_length(field) || ':' || field || '|', '-|');
END $$
"""

# The formula of plugins/wallet/chain.py, version 1.
DIGEST = """
CREATE FUNCTION wallet_digest(
    previous bytea, account uuid, version bigint, transfer uuid, amount numeric, balance numeric, moment timestamptz,
    kind text, reason text, reference text
) RETURNS bytea LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN sha256(previous || convert_to('v1|'
        || wallet_part(account::text) || wallet_part(version::text) || wallet_part(transfer::text)
        || wallet_part(amount::text) || wallet_part(balance::text)
        || wallet_part(to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || wallet_part(kind) || wallet_part(reason) || wallet_part(reference), 'UTF8'));
END $$
"""

# A transfer in one statement. A refusal is an outcome and no exception, so that the caller's transaction goes on.
POST = """
CREATE FUNCTION wallet_post(
    p_id uuid, p_source uuid, p_destination uuid, p_amount numeric, p_asset text, p_kind text, p_reason text,
    p_actor text, p_reference text, p_contribution uuid, p_correlation uuid, p_link uuid, p_reverses uuid,
    p_at timestamptz,
    OUT outcome text, OUT transfer uuid, OUT moment timestamptz, OUT available numeric,
    OUT source_asset text, OUT source_member uuid, OUT source_balance numeric,
    OUT destination_asset text, OUT destination_member uuid, OUT destination_balance numeric
) LANGUAGE plpgsql AS $$
DECLARE
    units numeric(38, 0) := p_amount;
    one wallet_account;
    source wallet_account;
    destination wallet_account;
    earlier wallet_transfer;
    source_digest bytea;
    destination_digest bytea;
BEGIN
    FOR one IN
        SELECT * FROM wallet_account WHERE id IN (p_source, p_destination) ORDER BY rank, id FOR NO KEY UPDATE
    LOOP
        IF one.id = p_source THEN source := one; ELSE destination := one; END IF;
    END LOOP;
    IF source.id IS NULL OR destination.id IS NULL THEN
        outcome := 'missing';
        RETURN;
    END IF;
    source_asset := source.asset;
    source_member := source.member_id;
    destination_asset := destination.asset;
    destination_member := destination.member_id;

    IF p_reference IS NOT NULL THEN
        SELECT * INTO earlier FROM wallet_transfer t WHERE t.reference = p_reference;
    END IF;
    IF earlier.id IS NULL THEN
        available := source.posted - source.held;
        outcome := CASE
            WHEN EXISTS (SELECT FROM wallet_transfer t WHERE t.reverses = p_reverses) THEN 'already_reversed'
            WHEN source.asset <> destination.asset OR source.asset <> p_asset THEN 'asset_mismatch'
            WHEN source.state = 'closed' OR destination.state = 'closed' THEN 'closed'
            WHEN source.state = 'frozen' THEN 'frozen'
            WHEN source.floor = 'zero' AND available < units THEN 'insufficient'
        END;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
        -- The clock may lie; the order of an account's entries may not.
        moment := greatest(p_at, source.moved_at, destination.moved_at);
        INSERT INTO wallet_transfer (
            id, kind, reason, reference, actor, recorded_at, effective_on, link_id, reverses, contribution_id,
            correlation_id
        ) VALUES (
            p_id, p_kind, p_reason, p_reference, p_actor, moment, (moment AT TIME ZONE 'UTC')::date, p_link, p_reverses,
            p_contribution, p_correlation
        ) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            outcome := 'posted';
            transfer := p_id;
            source_balance := source.posted - units;
            destination_balance := destination.posted + units;
            source_digest := wallet_digest(source.tip, source.id, source.version + 1, p_id, -units, source_balance,
                moment, p_kind, p_reason, p_reference);
            destination_digest := wallet_digest(destination.tip, destination.id, destination.version + 1, p_id, units,
                destination_balance, moment, p_kind, p_reason, p_reference);
            INSERT INTO wallet_entry (account_id, version, transfer_id, amount, balance_after, digest, recorded_at)
            VALUES
                (source.id, source.version + 1, p_id, -units, source_balance, source_digest, moment),
                (destination.id, destination.version + 1, p_id, units, destination_balance, destination_digest, moment);
            UPDATE wallet_account a
            SET posted = v.balance, version = a.version + 1, tip = v.digest, moved_at = moment
            FROM (VALUES
                (source.id, source_balance, source_digest), (destination.id, destination_balance, destination_digest)
            ) v (id, balance, digest)
            WHERE a.id = v.id;
            RETURN;
        END IF;
        -- Somebody else's transfer has the reference, or reverses the same one; it has committed by now.
        SELECT * INTO earlier FROM wallet_transfer t WHERE t.reference = p_reference;
        IF earlier.id IS NULL THEN
            outcome := 'already_reversed';
            RETURN;
        END IF;
    END IF;

    SELECT s.balance_after, d.balance_after INTO source_balance, destination_balance
    FROM wallet_entry s JOIN wallet_entry d ON d.transfer_id = s.transfer_id
    WHERE s.transfer_id = earlier.id AND s.account_id = p_source AND s.amount = -units
        AND d.account_id = p_destination AND d.amount = units AND earlier.kind = p_kind;
    outcome := CASE WHEN FOUND THEN 'replayed' ELSE 'reference_taken' END;
    transfer := earlier.id;
    moment := earlier.recorded_at;
END $$
"""

# The asset is the account's own, whatever the writer says; a scalar subquery, so that the plan is always by key.
BALANCED = """
CREATE FUNCTION wallet_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT e.transfer_id, e.asset, sum(e.amount) AS off INTO wrong
    FROM (
        SELECT n.transfer_id, n.amount, (SELECT a.asset FROM wallet_account a WHERE a.id = n.account_id) AS asset
        FROM fresh n
    ) e
    GROUP BY e.transfer_id, e.asset HAVING sum(e.amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % does not balance: its entries in % sum to %', wrong.transfer_id, wrong.asset, wrong.off
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
BALANCED_TRIGGER = """
CREATE TRIGGER balanced AFTER INSERT ON wallet_entry REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION wallet_balanced()
"""


def upgrade() -> None:
    op.create_table('wallet_asset',
    sa.Column('code', sa.String(length=12), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.Enum('fiat', 'point', 'credit', 'token', 'stable', name='fiat_point_credit_token_stable', native_enum=False, create_constraint=True, length=40), nullable=False),
    sa.Column('scale', sa.Integer(), nullable=False),
    sa.CheckConstraint("code ~ '^[A-Z][A-Z0-9]*$'", name=op.f('ck_wallet_asset_code')),
    sa.CheckConstraint('scale BETWEEN 0 AND 18', name=op.f('ck_wallet_asset_scale')),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_wallet_asset'))
    )
    op.create_table('wallet_transfer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('reason', sa.String(length=400), server_default='', nullable=False),
    sa.Column('reference', sa.String(length=200), nullable=True),
    sa.Column('actor', sa.String(length=160), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('effective_on', sa.Date(), nullable=False),
    sa.Column('link_id', sa.Uuid(), nullable=True),
    sa.Column('reverses', sa.Uuid(), nullable=True),
    sa.Column('contribution_id', sa.Uuid(), nullable=True),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("kind ~ '^[a-z][a-z_]*$'", name=op.f('ck_wallet_transfer_kind')),
    sa.ForeignKeyConstraint(['reverses'], ['wallet_transfer.id'], name=op.f('fk_wallet_transfer_reverses_wallet_transfer')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wallet_transfer')),
    sa.UniqueConstraint('reference', name=op.f('uq_wallet_transfer_reference')),
    sa.UniqueConstraint('reverses', name=op.f('uq_wallet_transfer_reverses'))
    )
    op.create_table('wallet_account',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('asset', sa.String(length=12), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=True),
    sa.Column('purpose', sa.String(length=20), nullable=False),
    sa.Column('label', sa.String(length=120), server_default='', nullable=False),
    sa.Column('floor', sa.Enum('zero', 'none', name='zero_none', native_enum=False, create_constraint=True, length=40), server_default='zero', nullable=False),
    sa.Column('rank', sa.Integer(), server_default='0', nullable=False),
    sa.Column('state', sa.Enum('active', 'frozen', 'closed', name='active_frozen_closed', native_enum=False, create_constraint=True, length=40), server_default='active', nullable=False),
    sa.Column('posted', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('held', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('version', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('tip', sa.LargeBinary(), server_default=sa.text("''::bytea"), nullable=False),
    sa.Column('moved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("floor = 'none' OR posted - held >= 0", name=op.f('ck_wallet_account_not_below_floor')),
    sa.CheckConstraint("purpose <> 'member' OR member_id IS NOT NULL", name=op.f('ck_wallet_account_member')),
    sa.CheckConstraint('held >= 0', name=op.f('ck_wallet_account_held')),
    sa.ForeignKeyConstraint(['asset'], ['wallet_asset.code'], name=op.f('fk_wallet_account_asset_wallet_asset')),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_wallet_account_member_id_core_member'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wallet_account')),
    sa.UniqueConstraint('member_id', 'asset', 'purpose', name=op.f('uq_wallet_account_member_id_asset_purpose'), postgresql_nulls_not_distinct=True),
    postgresql_with={'fillfactor': 50}
    )
    op.create_table('wallet_reward',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.Numeric(38, 0), nullable=False),
    sa.Column('asset', sa.String(length=12), nullable=False),
    sa.Column('reason', sa.String(length=120), nullable=False),
    sa.Column('reference', sa.String(length=200), nullable=False),
    sa.Column('contribution_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Enum('pending', 'paid', name='pending_paid', native_enum=False, create_constraint=True, length=40), server_default='pending', nullable=False),
    sa.Column('why', sa.String(length=40), server_default='', nullable=False),
    sa.Column('transfer_id', sa.Uuid(), nullable=True),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'paid') = (transfer_id IS NOT NULL AND paid_at IS NOT NULL)", name=op.f('ck_wallet_reward_paid')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_wallet_reward_amount')),
    sa.ForeignKeyConstraint(['asset'], ['wallet_asset.code'], name=op.f('fk_wallet_reward_asset_wallet_asset')),
    sa.ForeignKeyConstraint(['member_id'], ['core_member.id'], name=op.f('fk_wallet_reward_member_id_core_member'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['transfer_id'], ['wallet_transfer.id'], name=op.f('fk_wallet_reward_transfer_id_wallet_transfer')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wallet_reward')),
    sa.UniqueConstraint('reference', name=op.f('uq_wallet_reward_reference')),
    sa.UniqueConstraint('transfer_id', name=op.f('uq_wallet_reward_transfer_id'))
    )
    op.create_index('ix_wallet_reward_contribution_id', 'wallet_reward', ['contribution_id'], unique=False, postgresql_where=sa.text('contribution_id IS NOT NULL'))
    op.create_index(op.f('ix_wallet_reward_member_id'), 'wallet_reward', ['member_id'], unique=False)
    op.create_index('ix_wallet_reward_pending', 'wallet_reward', ['asset', 'requested_at', 'id'], unique=False, postgresql_where=sa.text("state = 'pending'"))
    op.create_table('wallet_entry',
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('transfer_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.Numeric(38, 0), nullable=False),
    sa.Column('balance_after', sa.Numeric(38, 0), nullable=False),
    sa.Column('digest', sa.LargeBinary(length=32), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_wallet_entry_amount')),
    sa.CheckConstraint('version > 0', name=op.f('ck_wallet_entry_version')),
    sa.ForeignKeyConstraint(['account_id'], ['wallet_account.id'], name=op.f('fk_wallet_entry_account_id_wallet_account')),
    sa.ForeignKeyConstraint(['transfer_id'], ['wallet_transfer.id'], name=op.f('fk_wallet_entry_transfer_id_wallet_transfer')),
    sa.PrimaryKeyConstraint('account_id', 'version', name=op.f('pk_wallet_entry'))
    )
    op.create_index('ix_wallet_entry_account_id_recorded_at', 'wallet_entry', ['account_id', 'recorded_at'], unique=False)
    op.create_index(op.f('ix_wallet_entry_transfer_id'), 'wallet_entry', ['transfer_id'], unique=False)
    for statement in (PART, DIGEST, POST, BALANCED, BALANCED_TRIGGER):
        op.execute(statement)
    for table in ('wallet_transfer', 'wallet_entry'):
        op.execute(
            f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} '
            'FOR EACH STATEMENT EXECUTE FUNCTION core_append_only()'
        )


def downgrade() -> None:
    op.drop_index(op.f('ix_wallet_entry_transfer_id'), table_name='wallet_entry')
    op.drop_index('ix_wallet_entry_account_id_recorded_at', table_name='wallet_entry')
    op.drop_table('wallet_entry')
    op.drop_index('ix_wallet_reward_pending', table_name='wallet_reward', postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(op.f('ix_wallet_reward_member_id'), table_name='wallet_reward')
    op.drop_index('ix_wallet_reward_contribution_id', table_name='wallet_reward', postgresql_where=sa.text('contribution_id IS NOT NULL'))
    op.drop_table('wallet_reward')
    op.drop_table('wallet_account')
    op.drop_table('wallet_transfer')
    op.drop_table('wallet_asset')
    op.execute('DROP FUNCTION wallet_post, wallet_digest, wallet_part, wallet_balanced')
