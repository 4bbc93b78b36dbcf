"""Holds, limits, refunds, stripes."""

import sqlalchemy as sa
from alembic import op

revision = 'wallet_0002'
down_revision = 'wallet_0001'
branch_labels = None
depends_on = None

# A CHECK is parsed anew by every statement that writes its table; the account, written by every transfer, has one.
# What an account may be are therefore enumerated types, which cost nothing.
TIDY = """
ALTER TABLE wallet_account
    DROP CONSTRAINT ck_wallet_account_not_below_floor, DROP CONSTRAINT ck_wallet_account_held,
    DROP CONSTRAINT ck_wallet_account_member, DROP CONSTRAINT ck_wallet_account_zero_none,
    DROP CONSTRAINT ck_wallet_account_active_frozen_closed,
    DROP CONSTRAINT uq_wallet_account_member_id_asset_purpose,
    ALTER floor DROP DEFAULT, ALTER state DROP DEFAULT;
CREATE TYPE wallet_floor AS ENUM ('zero', 'none');
CREATE TYPE wallet_state AS ENUM ('active', 'frozen', 'closed');
ALTER TABLE wallet_account
    ALTER floor TYPE wallet_floor USING floor::wallet_floor, ALTER state TYPE wallet_state USING state::wallet_state;
ALTER TABLE wallet_account
    ALTER floor SET DEFAULT 'zero', ALTER state SET DEFAULT 'active',
    ADD stripe integer NOT NULL DEFAULT 0, ADD overdraft numeric(38, 0) NOT NULL DEFAULT 0,
    ADD daily_limit numeric(38, 0), ADD low_below numeric(38, 0),
    ADD spent numeric(38, 0) NOT NULL DEFAULT 0, ADD spent_on date,
    ADD CONSTRAINT ck_wallet_account_not_below_floor
        CHECK (held >= 0 AND (floor = 'none' OR posted - held + overdraft >= 0)),
    ADD CONSTRAINT uq_wallet_account_member_id_asset_purpose_stripe
        UNIQUE NULLS NOT DISTINCT (member_id, asset, purpose, stripe);
ALTER TABLE wallet_asset
    ADD daily_limit numeric(38, 0), ADD large_from numeric(38, 0), ADD stripes integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT ck_wallet_asset_stripes CHECK (stripes BETWEEN 1 AND 64),
    ADD CONSTRAINT ck_wallet_asset_daily_limit CHECK (daily_limit >= 0),
    ADD CONSTRAINT ck_wallet_asset_large_from CHECK (large_from > 0);
ALTER TABLE wallet_transfer
    DROP CONSTRAINT uq_wallet_transfer_reference, DROP CONSTRAINT uq_wallet_transfer_reverses,
    DROP CONSTRAINT ck_wallet_transfer_kind, ADD refunds uuid,
    ADD CONSTRAINT fk_wallet_transfer_refunds_wallet_transfer FOREIGN KEY (refunds) REFERENCES wallet_transfer (id);
CREATE UNIQUE INDEX uq_wallet_transfer_reference ON wallet_transfer (reference) WHERE reference IS NOT NULL;
CREATE UNIQUE INDEX uq_wallet_transfer_reverses ON wallet_transfer (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ix_wallet_transfer_refunds ON wallet_transfer (refunds) WHERE refunds IS NOT NULL;
CREATE INDEX ix_wallet_transfer_link_id ON wallet_transfer (link_id) WHERE link_id IS NOT NULL;
ALTER TABLE wallet_entry DROP CONSTRAINT ck_wallet_entry_version;
DROP INDEX ix_wallet_entry_account_id_recorded_at;
"""

# An account's entries are recorded in the order of their numbers: halving finds a moment without an index of its own.
UNTIL = """
CREATE FUNCTION wallet_entries_until(p_account uuid, p_at timestamptz, p_inclusive boolean)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
    at timestamptz;
BEGIN
    SELECT a.version INTO high FROM wallet_account a WHERE a.id = p_account;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT e.recorded_at INTO at FROM wallet_entry e WHERE e.account_id = p_account AND e.version = middle;
        IF at < p_at OR p_inclusive AND at = p_at THEN low := middle; ELSE high := middle - 1; END IF;
    END LOOP;
    RETURN coalesce(low, 0);
END $$
"""

# Gives back what expired holds of a locked account reserved; returns how much.
EXPIRE = """
CREATE FUNCTION wallet_expire(p_account uuid, p_at timestamptz) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    freed numeric;
BEGIN
    WITH gone AS (
        UPDATE wallet_hold SET state = 'expired', resolved_at = p_at
        WHERE account_id = p_account AND state = 'open' AND expires_at <= p_at RETURNING amount
    )
    SELECT coalesce(sum(amount), 0) INTO freed FROM gone;
    IF freed > 0 THEN
        UPDATE wallet_account SET held = held - freed WHERE id = p_account;
    END IF;
    RETURN freed;
END $$
"""

# Reserves a part of a balance. It counts to the day's limit at once, and not again when it is captured.
HOLD = """
CREATE FUNCTION wallet_hold_open(
    p_id uuid, p_account uuid, p_amount numeric, p_asset text, p_reason text, p_reference text, p_actor text,
    p_correlation uuid, p_expires timestamptz, p_at timestamptz,
    OUT outcome text, OUT hold uuid, OUT available numeric, OUT asset text, OUT member uuid
) LANGUAGE plpgsql AS $$
DECLARE
    units numeric(38, 0) := p_amount;
    account wallet_account;
    earlier wallet_hold;
    today date := (p_at AT TIME ZONE 'UTC')::date;
    most numeric;
    spent_today numeric;
BEGIN
    SELECT * INTO account FROM wallet_account WHERE id = p_account FOR NO KEY UPDATE;
    IF account.id IS NULL THEN
        outcome := 'missing';
        RETURN;
    END IF;
    asset := account.asset;
    member := account.member_id;
    IF p_reference IS NOT NULL THEN
        SELECT * INTO earlier FROM wallet_hold h WHERE h.reference = p_reference;
        IF FOUND THEN
            outcome := CASE
                WHEN earlier.account_id = p_account AND earlier.amount = units THEN 'replayed'
                ELSE 'reference_taken'
            END;
            hold := earlier.id;
            RETURN;
        END IF;
    END IF;
    account.held := account.held - wallet_expire(p_account, p_at);
    available := account.posted - account.held + account.overdraft;
    spent_today := CASE WHEN account.spent_on = today THEN account.spent ELSE 0 END + units;
    SELECT coalesce(account.daily_limit, s.daily_limit) INTO most FROM wallet_asset s WHERE s.code = account.asset;
    outcome := CASE
        WHEN p_asset <> account.asset THEN 'asset_mismatch'
        WHEN account.state = 'closed' THEN 'closed'
        WHEN account.state = 'frozen' THEN 'frozen'
        WHEN account.member_id IS NOT NULL AND spent_today > most THEN 'limit'
        WHEN account.floor = 'zero' AND available < units THEN 'insufficient'
    END;
    IF outcome IS NOT NULL THEN
        IF outcome = 'limit' THEN available := greatest(most - spent_today + units, 0); END IF;
        RETURN;
    END IF;
    INSERT INTO wallet_hold (
        id, account_id, amount, captured, state, reason, reference, actor, correlation_id, created_at, expires_at
    ) VALUES (
        p_id, p_account, units, 0, 'open', p_reason, p_reference, p_actor, p_correlation, p_at, p_expires
    ) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        outcome := 'reference_taken';
        RETURN;
    END IF;
    UPDATE wallet_account
    SET held = account.held + units,
        spent = CASE WHEN member_id IS NULL THEN spent ELSE spent_today END,
        spent_on = CASE WHEN member_id IS NULL THEN spent_on ELSE today END
    WHERE id = p_account;
    outcome := 'open';
    hold := p_id;
END $$
"""

# Gives a hold up. On the day it was made it no longer counts to the day's limit.
RELEASE = """
CREATE FUNCTION wallet_hold_release(
    p_hold uuid, p_at timestamptz, OUT outcome text, OUT account uuid, OUT member uuid, OUT asset text
) LANGUAGE plpgsql AS $$
DECLARE
    found wallet_hold;
    owner wallet_account;
BEGIN
    SELECT * INTO found FROM wallet_hold h WHERE h.id = p_hold;
    SELECT * INTO owner FROM wallet_account a WHERE a.id = found.account_id FOR NO KEY UPDATE;
    SELECT * INTO found FROM wallet_hold h WHERE h.id = p_hold FOR NO KEY UPDATE;
    account := owner.id;
    member := owner.member_id;
    asset := owner.asset;
    outcome := CASE
        WHEN found.id IS NULL THEN 'missing'
        WHEN found.state = 'released' THEN 'replayed'
        WHEN found.state = 'expired' OR found.state = 'open' AND found.expires_at <= p_at THEN 'hold_expired'
        WHEN found.state <> 'open' THEN 'hold_resolved'
    END;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    UPDATE wallet_hold SET state = 'released', resolved_at = p_at WHERE id = p_hold;
    UPDATE wallet_account
    SET held = held - found.amount,
        spent = CASE
            WHEN member_id IS NOT NULL AND spent_on = (found.created_at AT TIME ZONE 'UTC')::date
            THEN greatest(spent - found.amount, 0) ELSE spent
        END
    WHERE id = owner.id;
    outcome := 'released';
END $$
"""


def upgrade() -> None:
    op.execute(TIDY)
    op.create_table('wallet_hold',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.Numeric(38, 0), nullable=False),
    sa.Column('captured', sa.Numeric(38, 0), server_default='0', nullable=False),
    sa.Column('state', sa.Enum('open', 'captured', 'released', 'expired', name='open_captured_released_expired', native_enum=False, create_constraint=True, length=40), server_default='open', nullable=False),
    sa.Column('reason', sa.String(length=400), server_default='', nullable=False),
    sa.Column('reference', sa.String(length=200), nullable=True),
    sa.Column('actor', sa.String(length=160), nullable=False),
    sa.Column('correlation_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('transfer_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint('amount > 0 AND captured BETWEEN 0 AND amount', name=op.f('ck_wallet_hold_amount')),
    sa.CheckConstraint("(state = 'open') = (resolved_at IS NULL) AND (state = 'captured') = (transfer_id IS NOT NULL AND captured > 0)", name=op.f('ck_wallet_hold_resolved')),
    sa.ForeignKeyConstraint(['account_id'], ['wallet_account.id'], name=op.f('fk_wallet_hold_account_id_wallet_account')),
    sa.ForeignKeyConstraint(['transfer_id'], ['wallet_transfer.id'], name=op.f('fk_wallet_hold_transfer_id_wallet_transfer')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wallet_hold')),
    sa.UniqueConstraint('reference', name=op.f('uq_wallet_hold_reference')),
    sa.UniqueConstraint('transfer_id', name=op.f('uq_wallet_hold_transfer_id'))
    )
    op.create_index('ix_wallet_hold_open', 'wallet_hold', ['account_id', 'expires_at'], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_index('ix_wallet_hold_account_id', 'wallet_hold', ['account_id', 'id'], unique=False)
    for statement in (UNTIL, EXPIRE, HOLD, RELEASE):
        op.execute(statement)


# What the earlier revision takes away again must be there.
BACK = """
DROP TABLE wallet_hold;
DROP FUNCTION wallet_entries_until, wallet_expire, wallet_hold_open, wallet_hold_release;
CREATE INDEX ix_wallet_entry_account_id_recorded_at ON wallet_entry (account_id, recorded_at);
ALTER TABLE wallet_entry ADD CONSTRAINT ck_wallet_entry_version CHECK (version > 0);
DROP INDEX uq_wallet_transfer_reference, uq_wallet_transfer_reverses, ix_wallet_transfer_link_id;
ALTER TABLE wallet_transfer
    DROP refunds, ADD CONSTRAINT ck_wallet_transfer_kind CHECK (kind ~ '^[a-z][a-z_]*$'),
    ADD CONSTRAINT uq_wallet_transfer_reference UNIQUE (reference),
    ADD CONSTRAINT uq_wallet_transfer_reverses UNIQUE (reverses);
ALTER TABLE wallet_asset DROP daily_limit, DROP large_from, DROP stripes;
ALTER TABLE wallet_account
    DROP CONSTRAINT ck_wallet_account_not_below_floor, ALTER floor DROP DEFAULT, ALTER state DROP DEFAULT,
    DROP stripe, DROP overdraft, DROP daily_limit, DROP low_below, DROP spent, DROP spent_on;
ALTER TABLE wallet_account
    ALTER floor TYPE varchar(40) USING floor::text, ALTER state TYPE varchar(40) USING state::text;
ALTER TABLE wallet_account
    ALTER floor SET DEFAULT 'zero', ALTER state SET DEFAULT 'active',
    ADD CONSTRAINT ck_wallet_account_not_below_floor CHECK (floor = 'none' OR posted - held >= 0),
    ADD CONSTRAINT ck_wallet_account_held CHECK (held >= 0),
    ADD CONSTRAINT ck_wallet_account_member CHECK (purpose <> 'member' OR member_id IS NOT NULL),
    ADD CONSTRAINT ck_wallet_account_zero_none CHECK (floor IN ('zero', 'none')),
    ADD CONSTRAINT ck_wallet_account_active_frozen_closed CHECK (state IN ('active', 'frozen', 'closed')),
    ADD CONSTRAINT uq_wallet_account_member_id_asset_purpose UNIQUE NULLS NOT DISTINCT (member_id, asset, purpose);
DROP TYPE wallet_floor, wallet_state;
"""


def downgrade() -> None:
    op.execute(BACK)
