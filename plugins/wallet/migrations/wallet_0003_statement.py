"""The transfer statement, anew: half the work, with holds, limits and refunds."""

import runpy
from pathlib import Path

from alembic import op

revision = 'wallet_0003'
down_revision = 'wallet_0002'
branch_labels = None
depends_on = None

# The grant is the owner's own, so it stops a slip and no intent; foreign keys need UPDATE on wallet_transfer.
GRANTS = """
REVOKE UPDATE, DELETE, TRUNCATE ON wallet_entry FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE ON wallet_transfer FROM CURRENT_USER;
"""

# Why a transfer cannot be undone, if so; asked while the accounts of both are locked.
UNDOABLE = """
CREATE FUNCTION wallet_undoable(
    p_reverses uuid, p_refunds uuid, p_payer uuid, p_amount numeric, OUT outcome text, OUT available numeric
) LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM wallet_transfer t WHERE t.reverses IN (p_reverses, p_refunds)) THEN
        outcome := 'already_reversed';
    ELSIF EXISTS (SELECT FROM wallet_transfer t WHERE t.refunds = p_reverses) THEN
        outcome := 'already_refunded';
    ELSIF p_refunds IS NOT NULL THEN
        available := coalesce((
            SELECT -e.amount FROM wallet_entry e WHERE e.transfer_id = p_refunds AND e.account_id = p_payer
        ), 0) - coalesce((
            SELECT sum(e.amount) FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id
            WHERE t.refunds = p_refunds AND e.account_id = p_payer
        ), 0);
        IF available < p_amount THEN
            outcome := 'refund_exceeds';
        END IF;
    END IF;
END $$
"""

# A transfer in one statement. A refusal is an outcome and no exception, so that the caller's transaction goes on.
# Expressions are few and long: each costs as much as several of their parts. A rule that a refund is one of part of a
# transfer holds because the payer's account is locked before the earlier refunds are summed.
POST = """
CREATE FUNCTION wallet_post(
    p_id uuid, p_source uuid, p_destination uuid, p_amount numeric, p_asset text, p_kind text, p_reason text,
    p_actor text, p_reference text, p_contribution uuid, p_correlation uuid, p_link uuid, p_reverses uuid,
    p_refunds uuid, p_hold uuid, p_effective date, p_at timestamptz,
    OUT outcome text, OUT transfer uuid, OUT moment timestamptz, OUT available numeric,
    OUT source_asset text, OUT source_member uuid, OUT source_balance numeric, OUT threshold numeric,
    OUT destination_asset text, OUT destination_member uuid, OUT destination_balance numeric, OUT first boolean,
    OUT large boolean, OUT hold_state text
) LANGUAGE plpgsql AS $$
DECLARE
    units numeric(38, 0) := p_amount;
    one wallet_account;
    source wallet_account;
    destination wallet_account;
    earlier wallet_transfer;
    held wallet_hold;
    today date := (p_at AT TIME ZONE 'UTC')::date;
    most numeric;
    large_from numeric;
    head text;
    tail text;
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
        IF p_reverses IS NOT NULL OR p_refunds IS NOT NULL THEN
            SELECT r.outcome, r.available INTO outcome, available
            FROM wallet_undoable(p_reverses, p_refunds, p_destination, units) r;
            IF outcome IS NOT NULL THEN
                RETURN;
            END IF;
        END IF;
        IF source.asset <> destination.asset OR source.asset <> p_asset THEN
            outcome := 'asset_mismatch';
        ELSIF source.state = 'closed' OR destination.state = 'closed' THEN
            outcome := 'closed';
        ELSIF source.state = 'frozen' THEN
            outcome := 'frozen';
        END IF;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
        SELECT s.daily_limit, s.large_from INTO most, large_from FROM wallet_asset s WHERE s.code = source.asset;
        IF p_hold IS NOT NULL THEN
            SELECT * INTO held FROM wallet_hold h WHERE h.id = p_hold FOR NO KEY UPDATE;
            outcome := CASE
                WHEN held.id IS NULL OR held.account_id <> source.id THEN 'missing_hold'
                WHEN held.state = 'expired' OR held.state = 'open' AND held.expires_at <= p_at THEN 'hold_expired'
                WHEN held.state <> 'open' THEN 'hold_resolved'
                WHEN held.amount < units THEN 'hold_short'
            END;
            IF outcome IS NOT NULL THEN
                available := held.amount;
                hold_state := held.state;
                RETURN;
            END IF;
            source.held := source.held - held.amount;
        ELSIF source.member_id IS NOT NULL AND p_reverses IS NULL AND p_refunds IS NULL THEN
            most := coalesce(source.daily_limit, most);
            IF source.spent_on = today THEN
                source.spent := source.spent + units;
            ELSE
                source.spent := units;
                source.spent_on := today;
            END IF;
            IF source.spent > most THEN
                outcome := 'limit';
                available := most - source.spent + units;
                RETURN;
            END IF;
        END IF;
        available := source.posted - source.held + source.overdraft;
        IF available < units AND source.floor = 'zero' THEN
            IF source.held > 0 THEN
                source.held := source.held - wallet_expire(source.id, p_at);
                available := source.posted - source.held + source.overdraft;
            END IF;
            IF available < units THEN
                outcome := 'insufficient';
                RETURN;
            END IF;
        END IF;
        -- The clock may lie; the order of an account's entries may not.
        moment := greatest(p_at, source.moved_at, destination.moved_at);
        source_balance := source.posted - units;
        destination_balance := destination.posted + units;
        -- Here and not in a function of its own, which would take as long as the rest.
        head := '36:' || p_id || '|';
        tail := '|27:' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '|'
            || octet_length(p_kind) || ':' || p_kind || '|' || octet_length(p_reason) || ':' || p_reason
            || coalesce('|' || octet_length(p_reference) || ':' || p_reference || '|', '|-|');
        source_digest := sha256(source.tip || convert_to(
            'v1|36:' || source.id || '|' || length((source.version + 1)::text) || ':' || (source.version + 1) || '|'
            || head || length(units::text) + 1 || ':-' || units || '|' || length(source_balance::text) || ':'
            || source_balance || tail, 'UTF8'));
        destination_digest := sha256(destination.tip || convert_to(
            'v1|36:' || destination.id || '|' || length((destination.version + 1)::text) || ':'
            || (destination.version + 1) || '|' || head || length(units::text) || ':' || units || '|'
            || length(destination_balance::text) || ':' || destination_balance || tail, 'UTF8'));
        WITH posted AS (
            INSERT INTO wallet_transfer (
                id, kind, reason, reference, actor, recorded_at, effective_on, link_id, reverses, refunds,
                contribution_id, correlation_id
            ) VALUES (
                p_id, p_kind, p_reason, p_reference, p_actor, moment, coalesce(p_effective, today),
                p_link, p_reverses, p_refunds, p_contribution, p_correlation
            ) ON CONFLICT DO NOTHING RETURNING id
        ), written AS (
            INSERT INTO wallet_entry (account_id, version, transfer_id, amount, balance_after, digest, recorded_at)
            SELECT v.account, v.version, posted.id, v.amount, v.balance, v.digest, moment FROM posted, (VALUES
                (source.id, source.version + 1, -units, source_balance, source_digest),
                (destination.id, destination.version + 1, units, destination_balance, destination_digest)
            ) v (account, version, amount, balance, digest)
        )
        UPDATE wallet_account a
        SET posted = v.balance, version = a.version + 1, tip = v.digest, moved_at = moment, held = v.held,
            spent = v.spent, spent_on = v.spent_on
        FROM posted, (VALUES
            (source.id, source_balance, source_digest, source.held, source.spent, source.spent_on),
            (destination.id, destination_balance, destination_digest, destination.held, destination.spent,
                destination.spent_on)
        ) v (id, balance, digest, held, spent, spent_on)
        WHERE a.id = v.id;
        IF FOUND THEN
            outcome := 'posted';
            transfer := p_id;
            threshold := CASE
                WHEN source.posted >= source.low_below AND source_balance < source.low_below THEN source.low_below
            END;
            first := destination.version = 0;
            large := units >= large_from;
            IF p_hold IS NOT NULL THEN
                UPDATE wallet_hold h
                SET state = 'captured', captured = units, resolved_at = p_at, transfer_id = p_id WHERE h.id = p_hold;
            END IF;
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
END $$;
"""


def upgrade() -> None:
    op.execute('DROP FUNCTION wallet_post, wallet_digest')
    for statement in (UNDOABLE, POST, GRANTS):
        op.execute(statement)


def downgrade() -> None:
    first = runpy.run_path(str(Path(__file__).with_name('wallet_0001_ledger.py')))
    op.execute('DROP FUNCTION wallet_post, wallet_undoable')
    op.execute(first['DIGEST'])
    op.execute(first['POST'])
