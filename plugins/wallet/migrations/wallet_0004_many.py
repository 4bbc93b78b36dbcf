"""Many legs in one statement; checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = 'wallet_0004'
down_revision = 'wallet_0003'
branch_labels = None
depends_on = None

# The chain as an aggregate: over a window it gives each of an account's new entries its digest in one pass.
LINK = """
CREATE FUNCTION wallet_link(state bytea, tip bytea, content bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN sha256(coalesce(state, tip) || content);
END $$
"""
CHAIN = "CREATE AGGREGATE wallet_chain (bytea, bytea) (SFUNC = wallet_link, STYPE = bytea)"

# Transfers of any number of legs, all or none. The transfers' arrays are parallel, and so are the legs'; a leg's
# ``p_of`` is the place of its transfer, from 1. Floors hold after each leg, in the order that is given.
MANY = """
CREATE FUNCTION wallet_post_many(
    p_ids uuid[], p_kinds text[], p_reasons text[], p_references text[], p_reverses uuid[], p_actor text,
    p_contribution uuid, p_correlation uuid, p_link uuid, p_effective date, p_at timestamptz,
    p_of integer[], p_accounts uuid[], p_amounts numeric[],
    OUT outcome text, OUT place integer, OUT asset text, OUT available numeric, OUT needed numeric,
    OUT transfers uuid[], OUT moment timestamptz, OUT changes jsonb
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    today date := (p_at AT TIME ZONE 'UTC')::date;
    counted integer;
    named integer := 0;
    holding boolean := false;
    wrong record;
    tails text[];
BEGIN
    SELECT count(*), max(l.moved_at), coalesce(bool_or(l.held > 0), false) INTO counted, moment, holding FROM (
        SELECT a.moved_at, a.held FROM wallet_account a WHERE a.id = ANY (p_accounts)
        ORDER BY a.rank, a.id FOR NO KEY UPDATE
    ) l;
    IF counted <> (SELECT count(DISTINCT one) FROM unnest(p_accounts) one) THEN
        outcome := 'missing';
        RETURN;
    END IF;
    moment := greatest(p_at, moment);

    named := array_length(array_remove(p_references, NULL), 1);
    IF named > 0 THEN
        SELECT array_agg(t.id ORDER BY r.place), max(t.recorded_at), min(r.place) INTO transfers, moment, place
        FROM unnest(p_references) WITH ORDINALITY r (reference, place)
        JOIN wallet_transfer t ON t.reference = r.reference;
        IF array_length(transfers, 1) > 0 THEN
            outcome := CASE WHEN array_length(transfers, 1) = array_length(p_ids, 1) AND NOT EXISTS (
                SELECT FROM (
                    SELECT o.place, o.account, o.amount
                    FROM unnest(p_of, p_accounts, p_amounts) o (place, account, amount)
                ) o
                FULL JOIN (
                    SELECT i.place::integer, e.account_id AS account, e.amount
                    FROM unnest(transfers) WITH ORDINALITY i (id, place)
                    JOIN wallet_entry e ON e.transfer_id = i.id
                ) e USING (place, account, amount)
                WHERE o IS NULL OR e IS NULL
            ) THEN 'replayed' ELSE 'reference_taken' END;
            RETURN;
        END IF;
        moment := greatest(p_at, (SELECT max(a.moved_at) FROM wallet_account a WHERE a.id = ANY (p_accounts)));
    END IF;
    IF EXISTS (
        SELECT FROM unnest(p_reverses) r (id) JOIN wallet_transfer t ON t.reverses = r.id
    ) THEN
        outcome := 'already_reversed';
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM unnest(p_reverses) r (id) JOIN wallet_transfer t ON t.refunds = r.id
    ) THEN
        outcome := 'already_refunded';
        RETURN;
    END IF;
    IF holding THEN
        PERFORM wallet_expire(a.id, p_at) FROM wallet_account a WHERE a.id = ANY (p_accounts) AND a.held > 0;
    END IF;

    SELECT o.place, a.asset INTO wrong
    FROM unnest(p_of, p_accounts, p_amounts) o (place, account, amount) JOIN wallet_account a ON a.id = o.account
    GROUP BY o.place, a.asset HAVING sum(o.amount) <> 0 ORDER BY o.place LIMIT 1;
    IF FOUND THEN
        outcome := 'unbalanced';
        place := wrong.place;
        asset := wrong.asset;
        RETURN;
    END IF;

    -- What an entry's canonical bytes end with is its transfer's.
    SELECT array_agg('|27:' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '|' || octet_length(t.kind) || ':' || t.kind || '|' || octet_length(t.reason) || ':' || t.reason
        || coalesce('|' || octet_length(t.reference) || ':' || t.reference || '|', '|-|') ORDER BY t.place) INTO tails
    FROM unnest(p_kinds, p_reasons, p_references) WITH ORDINALITY t (kind, reason, reference, place);
    WITH leg AS MATERIALIZED (
        SELECT o.n, o.place, o.amount, a.id AS account, a.member_id, a.asset, a.state, a.floor, a.tip, a.low_below,
            a.posted - a.held + a.overdraft + sum(o.amount) OVER w AS free,
            a.posted + sum(o.amount) OVER w AS balance,
            a.version + row_number() OVER w AS version,
            row_number() OVER w = count(*) OVER (PARTITION BY a.id) AS last,
            CASE WHEN a.spent_on = today THEN a.spent ELSE 0 END + sum(CASE
                WHEN a.member_id IS NOT NULL AND p_reverses[o.place] IS NULL THEN greatest(-o.amount, 0) ELSE 0
            END) OVER w AS spent,
            CASE WHEN a.member_id IS NOT NULL AND p_reverses[o.place] IS NULL
                THEN coalesce(a.daily_limit, s.daily_limit) END AS most,
            s.large_from
        FROM unnest(p_of, p_accounts, p_amounts) WITH ORDINALITY o (place, account, amount, n)
        JOIN wallet_account a ON a.id = o.account JOIN wallet_asset s ON s.code = a.asset
        WINDOW w AS (PARTITION BY a.id ORDER BY o.n)
    ), judged AS (
        SELECT l.n, l.place, l.asset, l.amount, l.free, l.most, l.spent, CASE
            WHEN l.state = 'closed' THEN 'closed'
            WHEN l.amount < 0 AND l.state = 'frozen' THEN 'frozen'
            WHEN l.amount < 0 AND l.spent > l.most THEN 'limit'
            WHEN l.amount < 0 AND l.floor = 'zero' AND l.free < 0 THEN 'insufficient'
        END AS problem
        FROM leg l
    ), bad AS MATERIALIZED (
        SELECT * FROM judged j WHERE j.problem IS NOT NULL ORDER BY j.n LIMIT 1
    ), linked AS MATERIALIZED (
        SELECT l.*, p_ids[l.place] AS transfer, wallet_chain(l.tip, convert_to(
            'v1|36:' || l.account || '|' || length(l.version::text) || ':' || l.version
            || '|36:' || p_ids[l.place] || '|' || length(l.amount::text) || ':' || l.amount
            || '|' || length(l.balance::text) || ':' || l.balance
            || tails[l.place], 'UTF8'
        )) OVER (PARTITION BY l.account ORDER BY l.n) AS digest
        FROM leg l
        WHERE NOT EXISTS (SELECT FROM bad)
    ), posted AS (
        INSERT INTO wallet_transfer (
            id, kind, reason, reference, actor, recorded_at, effective_on, link_id, reverses, contribution_id,
            correlation_id
        )
        SELECT t.id, t.kind, t.reason, t.reference, p_actor, moment, coalesce(p_effective, today), p_link, t.reverses,
            p_contribution, p_correlation
        FROM unnest(p_ids, p_kinds, p_reasons, p_references, p_reverses) t (id, kind, reason, reference, reverses)
        WHERE NOT EXISTS (SELECT FROM bad)
    ), written AS (
        INSERT INTO wallet_entry (account_id, version, transfer_id, amount, balance_after, digest, recorded_at)
        SELECT k.account, k.version, k.transfer, k.amount, k.balance, k.digest, moment FROM linked k
    ), carried AS (
        UPDATE wallet_account a
        SET posted = k.balance, version = k.version, tip = k.digest, moved_at = moment, spent = k.spent, spent_on = today
        FROM linked k WHERE k.last AND a.id = k.account
    )
    SELECT b.problem, b.place, b.asset,
        CASE b.problem WHEN 'limit' THEN greatest(b.most - b.spent - b.amount, 0) ELSE b.free - b.amount END, -b.amount,
        (SELECT jsonb_agg(jsonb_build_object(
            'account', k.account, 'member', k.member_id, 'asset', k.asset, 'amount', k.amount::text,
            'balance', k.balance::text, 'transfer', k.transfer, 'first', k.version = 1 AND k.amount > 0,
            'threshold', CASE
                WHEN k.balance - k.amount >= k.low_below AND k.balance < k.low_below THEN k.low_below::text
            END,
            'large', coalesce(abs(k.amount) >= k.large_from, false)) ORDER BY k.n) FROM linked k)
    INTO outcome, place, asset, available, needed, changes
    FROM (VALUES (1)) one LEFT JOIN bad b ON true;
    IF outcome IS NULL THEN
        outcome := 'posted';
        transfers := p_ids;
    END IF;
EXCEPTION WHEN unique_violation THEN
    -- Other accounts' transfer has one of the references: with these accounts it would have waited for their locks.
    outcome := 'reference_taken';
    transfers := NULL;
END $$
"""


def upgrade() -> None:
    for statement in (LINK, CHAIN, MANY):
        op.execute(statement)
    op.create_table('wallet_checkpoint',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('root', sa.LargeBinary(length=32), nullable=False),
    sa.Column('accounts', sa.BigInteger(), nullable=False),
    sa.Column('entries', sa.BigInteger(), nullable=False),
    sa.Column('seal', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wallet_checkpoint')),
    sa.UniqueConstraint('day', name=op.f('uq_wallet_checkpoint_day'))
    )
    op.create_table('wallet_tip',
    sa.Column('checkpoint_id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('tip', sa.LargeBinary(length=32), nullable=False),
    sa.ForeignKeyConstraint(['checkpoint_id'], ['wallet_checkpoint.id'], name=op.f('fk_wallet_tip_checkpoint_id_wallet_checkpoint'), initially='DEFERRED', deferrable=True),
    sa.PrimaryKeyConstraint('checkpoint_id', 'account_id', name=op.f('pk_wallet_tip'))
    )
    op.create_index('ix_wallet_tip_account_id', 'wallet_tip', ['account_id', 'version'], unique=False)
    for table in ('wallet_checkpoint', 'wallet_tip'):
        op.execute(
            f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} '
            'FOR EACH STATEMENT EXECUTE FUNCTION core_append_only()'
        )


def downgrade() -> None:
    for table in ('wallet_tip', 'wallet_checkpoint'):
        op.drop_table(table)
    op.execute('DROP FUNCTION wallet_post_many')
    op.execute('DROP AGGREGATE wallet_chain (bytea, bytea)')
    op.execute('DROP FUNCTION wallet_link')
