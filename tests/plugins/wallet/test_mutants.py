"""Ledgers that are broken on purpose: each is caught, by the check or the refusal that is named here.

A mutant is the database's own function with one line changed; what should refuse it then does not, or the proof says.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core import clock
from core.errors import DomainError
from plugins.wallet import errors, service
from plugins.wallet.service import Leg, Move
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance
from .test_holds import reserve
from .test_races import move


@pytest.fixture
def mutate(session):
    """Change one line of a function of the ledger, for this test."""

    def change(function, *swaps):
        source = session.scalar(text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :n"), {"n": function})
        for old, new in swaps:
            assert old in source, old
            source = source.replace(old, new)
        session.connection().exec_driver_sql(source.replace("%", "%%"))

    return change


def found(session):
    return {finding.check for finding in verify(session)}


def outcome_of(session, act):
    """Act: the refusal or the database's own, by name, or what the proof says afterwards."""
    try:
        with session.begin_nested():
            act()
    except (DomainError, IntegrityError) as refusal:
        return {type(refusal).__name__}
    return found(session)


AFTER = "destination_balance := destination.posted + units"
CLOCK = "moment := greatest(p_at, source.moved_at, destination.moved_at)"
SINGLE = [
    ("one leg is smaller", "1, units, dest", "1, units - 1, dest", "IntegrityError"),
    ("the running balance is wrong", AFTER, f"{AFTER} + 1", "running"),
    ("a number is skipped", "(source.id, source.version + 1, -", "(source.id, source.version + 2, -", "gapless"),
    ("the account is not carried on", "SET posted = v.balance", "SET posted = a.posted", "posted"),
    ("the tip stays behind", "tip = v.digest", "tip = a.tip", "chain"),
    ("the digest forgets the one before it", "sha256(source.tip || convert_to(", "sha256(convert_to(", "chain"),
    ("the digest takes no length", "octet_length(p_reason) || ':' || p_reason", "p_reason", "chain"),
    ("the clock goes back", CLOCK, "moment := p_at - interval '1 day'", "ordered"),
]


@pytest.mark.parametrize(("name", "line", "broken", "caught"), SINGLE, ids=[name for name, *_ in SINGLE])
def test_a_broken_statement_is_caught(session, wallet, mutate, name, line, broken, caught):
    one, other = wallet(100), wallet(100)
    move(session, other, one, 1)
    mutate("wallet_post", (line, broken))
    assert caught in outcome_of(session, lambda: move(session, one, other, 30, reason="rent"))


def test_a_funds_check_that_forgets_holds_runs_into_the_constraint(session, wallet, mutate):
    one, other = wallet(100), wallet()
    reserve(session, one, 70)
    mutate(
        "wallet_post", ("available := source.posted - source.held + source.overdraft;", "available := source.posted;")
    )
    assert outcome_of(session, lambda: move(session, one, other, 50)) == {"IntegrityError"}


def test_a_capture_that_keeps_the_hold_is_caught(session, wallet, mutate):
    one, other = wallet(100), wallet()
    held = reserve(session, one, 70)
    mutate("wallet_post", ("source.held := source.held - held.amount;", ""))
    assert "held" in outcome_of(
        session, lambda: service.capture(session, SYSTEM, hold_id=held.id, destination=other, amount=5)
    )


def test_a_hold_that_can_be_captured_again_is_caught(session, wallet, mutate):
    one, other = wallet(100), wallet()
    held = reserve(session, one, 30)
    mutate("wallet_post", ("SET state = 'captured', captured = units", "SET state = 'captured', captured = units - 1"))
    assert "captured" in outcome_of(
        session, lambda: service.capture(session, SYSTEM, hold_id=held.id, destination=other)
    )


def test_a_release_that_frees_nothing_is_caught(session, wallet, mutate):
    held = reserve(session, wallet(100), 30)
    mutate("wallet_hold_release", ("held = held - found.amount", "held = held"))
    assert "held" in outcome_of(session, lambda: service.release(session, SYSTEM, hold_id=held.id))


def test_an_expiry_that_frees_twice_is_caught(session, wallet, mutate):
    one, other = wallet(100), wallet()
    held = reserve(session, one, 30)
    reserve(session, one, 40, lasts=timedelta(hours=9))
    mutate("wallet_expire", ("coalesce(sum(amount), 0)", "coalesce(sum(amount), 0) * 2"))
    with clock.frozen(held.expires_at):
        assert "held" in outcome_of(session, lambda: move(session, one, other, 60))


def test_refunds_without_an_end_are_caught(session, wallet, mutate):
    one, other = wallet(100), wallet(900)
    paid = move(session, one, other, 50)
    mutate("wallet_undoable", ("IF available < p_amount THEN", "IF false THEN"))
    assert outcome_of(session, lambda: service.refund(session, SYSTEM, transfer_id=paid.id, amount=51, reason="x")) == {
        "refunds"
    }


def test_a_second_reversal_runs_into_the_unique_key(session, wallet, mutate):
    one, other = wallet(100), wallet(900)
    paid = move(session, one, other, 50)
    service.reverse(session, SYSTEM, transfer_id=paid.id, reason="x")
    mutate("wallet_post_many", ("outcome := 'already_reversed'", "outcome := NULL"), ("t.reverses = r.id\n", "false\n"))
    before = balance(session, one)
    assert outcome_of(session, lambda: service.reverse(session, SYSTEM, transfer_id=paid.id, reason="x")) == {
        "ReferenceTaken"
    }
    assert balance(session, one) == before


def test_a_batch_that_checks_no_floor_runs_into_the_constraint(session, wallet, mutate):
    one, other = wallet(10), wallet()
    mutate("wallet_post_many", ("l.free < 0 THEN 'insufficient'", "false THEN 'insufficient'"))
    legs = (Leg(one, -11), Leg(other, 11))
    assert outcome_of(session, lambda: service.post_many(session, SYSTEM, [Move(legs=legs, kind="a")])) == {
        "IntegrityError"
    }


def test_a_batch_that_weighs_nothing_runs_into_the_trigger(session, wallet, mutate):
    one, other = wallet(10), wallet()
    mutate("wallet_post_many", ("HAVING sum(o.amount) <> 0 ORDER BY", "HAVING false ORDER BY"))
    legs = (Leg(one, -5), Leg(other, 6))
    assert outcome_of(session, lambda: service.post_many(session, SYSTEM, [Move(legs=legs, kind="a")])) == {
        "IntegrityError"
    }


def test_a_batch_with_a_broken_chain_is_caught(session, wallet, mutate):
    one, other = wallet(10), wallet()
    mutate("wallet_link", ("coalesce(state, tip)", "tip"))
    legs = (Leg(one, -1), Leg(other, 1))
    moves = [Move(legs=legs, kind="a"), Move(legs=legs, kind="a")]
    assert outcome_of(session, lambda: service.post_many(session, SYSTEM, moves)) == {"chain"}


def test_a_key_that_is_not_looked_up_is_still_taken(session, wallet, mutate):
    one, other = wallet(100), wallet()
    move(session, one, other, 10, reference="r")
    mutate("wallet_post", ("IF p_reference IS NOT NULL THEN", "IF false THEN"))
    assert move(session, one, other, 10, reference="r").replayed
    assert outcome_of(session, lambda: move(session, one, other, 11, reference="r")) == {"ReferenceTaken"}
    assert balance(session, other) == 10


@pytest.mark.parametrize("table", ["wallet_entry", "wallet_transfer"])
def test_a_ledger_that_lost_its_guard_is_caught(session, table):
    session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
    [finding] = verify(session)
    assert (finding.check, finding.subject) == ("append_only", f"trigger append_only of {table}")


def test_the_owner_holds_no_right_to_change_what_was_recorded(session):
    rights = text("""
        SELECT DISTINCT privilege_type FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relname = :table AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
    """)
    assert session.scalars(rights, {"table": "wallet_entry"}).all() == []
    assert session.scalars(rights, {"table": "wallet_transfer"}).all() == ["UPDATE"]  # foreign keys lock with it


def test_a_checkpoint_holds_what_was_sealed(session, wallet):
    one, other = wallet(100), wallet()
    move(session, one, other, 10)
    first = service.make_checkpoint(session)
    assert service.make_checkpoint(session) is None
    with clock.frozen(clock.now() + timedelta(days=1)):
        move(session, one, other, 10)
        second = service.make_checkpoint(session)
    assert (first.entries, second.entries, found(session)) == (4, 6, set())
    session.execute(text("SET LOCAL session_replication_role = replica"))
    rewritten = "UPDATE wallet_{} SET {} WHERE {}"
    for table, change, which in (
        ("tip", "tip = sha256('x')", f"checkpoint_id = '{first.id}' AND account_id = '{one}'"),
        ("checkpoint", "entries = 5", f"id = '{first.id}'"),
        ("checkpoint", "root = sha256('x')", f"id = '{second.id}'"),
    ):
        nested = session.begin_nested()
        session.execute(text(rewritten.format(table, change, which)))
        session.expire_all()
        assert found(session) == {"sealed"}
        nested.rollback()
        session.expire_all()


def test_every_code_says_what_to_do():
    for code in (
        "INSUFFICIENT_FUNDS",
        "WALLET_FROZEN",
        "WALLET_CLOSED",
        "LIMIT_EXCEEDED",
        "ASSET_MISMATCH",
        "HOLD_EXPIRED",
    ):
        [error] = [one for one in vars(errors).values() if getattr(one, "code", "") == code]
        assert len(str(error.sentence)) > 30
