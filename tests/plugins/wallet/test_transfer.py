"""One transfer: what it writes, what it refuses, what the database refuses by itself."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from plugins.wallet import errors, service
from plugins.wallet.chain import digest

from .conftest import SYSTEM, balance, count, new_member


def move(session, source, destination, amount, **more):
    given = {"kind": "transfer", **more}
    return service.transfer(session, SYSTEM, source=source, destination=destination, amount=amount, **given)


def test_a_transfer_moves_the_amount_and_says_what_is_left(session, wallet):
    one, other = wallet(100), wallet()
    receipt = move(session, one, other, 30, reason="lunch")
    assert (receipt.source_balance, receipt.destination_balance, receipt.asset) == (70, 30, "POINTS")
    assert (balance(session, one), balance(session, other)) == (70, 30)
    entries = session.execute(
        text("SELECT account_id, amount, balance_after FROM wallet_entry WHERE transfer_id = :id ORDER BY amount"),
        {"id": receipt.id},
    ).all()
    assert [(row[0], int(row[1]), int(row[2])) for row in entries] == [(one, -30, 70), (other, 30, 30)]


def test_amounts_beyond_64_bits_are_exact(session, wallet):
    much = 123456789012345678901234567890
    one, other = wallet(much, "ETH"), wallet(0, "ETH")
    receipt = move(session, one, other, much - 1)
    assert (receipt.source_balance, receipt.destination_balance) == (1, much - 1)


def test_python_and_the_database_compute_the_same_digest(session, wallet):
    one, other = wallet(100), wallet()
    receipt = move(session, one, other, 30, reason="Grüße, 世界 | 3:x|", reference="r|1")
    rows = session.execute(
        text("SELECT * FROM wallet_entry WHERE account_id = :id ORDER BY version"), {"id": one}
    ).all()
    assert rows[1].digest == digest(
        rows[0].digest,
        account_id=one,
        version=2,
        transfer_id=receipt.id,
        amount=-30,
        balance_after=70,
        recorded_at=rows[1].recorded_at,
        kind="transfer",
        reason="Grüße, 世界 | 3:x|",
        reference="r|1",
    )


def test_what_is_not_there_cannot_be_spent(session, wallet):
    one, other = wallet(1_250, "USD"), wallet(0, "USD")
    with pytest.raises(errors.InsufficientFunds) as refusal:
        move(session, one, other, 2_000)
    assert refusal.value.message == "The account has 12.50 USD available, but 20.00 USD is needed."
    assert (balance(session, one), balance(session, other)) == (1_250, 0)


def test_what_is_held_cannot_be_spent(session, wallet):
    one, other = wallet(100), wallet()
    session.execute(text("UPDATE wallet_account SET held = 80 WHERE id = :id"), {"id": one})
    with pytest.raises(errors.InsufficientFunds, match="20 POINTS available"):
        move(session, one, other, 21)
    assert move(session, one, other, 20).source_balance == 80


def test_a_frozen_wallet_receives_and_does_not_pay(session, wallet):
    one, other = wallet(100), wallet(100)
    service.set_state(session, SYSTEM, account_id=one, state="frozen", reason="looks odd")
    with pytest.raises(errors.WalletFrozen, match="10 POINTS cannot leave"):
        move(session, one, other, 10)
    assert move(session, other, one, 10).destination_balance == 110
    service.set_state(session, SYSTEM, account_id=one, state="active", reason="was fine")
    assert move(session, one, other, 10).source_balance == 100


def test_a_closed_wallet_neither_pays_nor_receives_and_stays_closed(session, wallet):
    one, other = wallet(), wallet(100)
    service.set_state(session, SYSTEM, account_id=one, state="closed", reason="left")
    for pair in ((one, other), (other, one)):
        with pytest.raises(errors.WalletClosed):
            move(session, *pair, 10)
    with pytest.raises(errors.WalletClosed):
        service.set_state(session, SYSTEM, account_id=one, state="active", reason="came back")


def test_a_wallet_with_money_cannot_be_closed(session, wallet):
    with pytest.raises(errors.WalletNotEmpty, match="100 POINTS"):
        service.set_state(session, SYSTEM, account_id=wallet(100), state="closed", reason="left")


def test_assets_do_not_mix(session, wallet):
    points, dollars = wallet(100), wallet(0, "USD")
    with pytest.raises(errors.AssetMismatch, match="the source holds POINTS, the destination USD"):
        move(session, points, dollars, 10)
    with pytest.raises(errors.AssetMismatch):
        move(session, points, wallet(), 10, asset="USD")


@pytest.mark.parametrize("amount", [0, -1, 10**38, 1.5, True, "3"])
def test_an_amount_is_a_whole_number_above_zero(session, wallet, amount):
    with pytest.raises(errors.AmountNotPositive):
        move(session, wallet(100), wallet(), amount)


def test_refused_accounts_and_reasons(session, wallet):
    one = wallet(100)
    with pytest.raises(errors.SameAccount):
        move(session, one, one, 1)
    with pytest.raises(errors.UnknownAccount):
        move(session, one, uuid4(), 1)
    for reason in ("x" * 401, "a\0b"):
        with pytest.raises(errors.ReasonRefused):
            move(session, one, wallet(), 1, reason=reason)
    with pytest.raises(errors.ReasonRefused):
        service.issue(session, SYSTEM, destination=one, amount=1, reason=" ")
    with pytest.raises(errors.UnknownAsset):
        service.open_account(session, asset="GOLD", member_id=new_member(session))
    with pytest.raises(errors.UnknownMember):
        service.open_account(session, asset="POINTS", member_id=uuid4())


def test_a_reference_moves_money_once(session, wallet):
    one, other = wallet(100), wallet()
    first = move(session, one, other, 30, reference="order 1")
    again = move(session, one, other, 30, reference="order 1")
    assert (again.id, again.replayed, again.source_balance) == (first.id, True, 70)
    assert balance(session, one) == 70
    with pytest.raises(errors.ReferenceTaken, match="order 1"):
        move(session, one, other, 31, reference="order 1")


def test_a_repeated_reference_answers_even_when_the_wallet_is_empty_by_now(session, wallet):
    one, other = wallet(30), wallet()
    first = move(session, one, other, 30, reference="order 2")
    assert move(session, one, other, 30, reference="order 2").id == first.id


def test_a_transfer_is_reversed_once(session, wallet):
    one, other = wallet(100), wallet()
    receipt = move(session, one, other, 30)
    assert service.reverse(session, SYSTEM, transfer_id=receipt.id, reason="typo").balances == {one: 100, other: 0}
    with pytest.raises(errors.AlreadyReversed):
        service.reverse(session, SYSTEM, transfer_id=receipt.id, reason="typo")


def test_a_reversal_cannot_take_what_was_spent(session, wallet):
    one, other = wallet(100), wallet()
    receipt = move(session, one, other, 30)
    move(session, other, one, 5)
    with pytest.raises(errors.InsufficientFunds):
        service.reverse(session, SYSTEM, transfer_id=receipt.id, reason="typo")


def test_what_is_retired_is_no_longer_issued(session, wallet):
    one = wallet(100, "CREDITS")
    receipt = service.retire(session, SYSTEM, source=one, amount=40, reason="expired")
    assert (receipt.source_balance, receipt.destination_balance) == (60, -60)
    with pytest.raises(errors.InsufficientFunds):
        service.retire(session, SYSTEM, source=one, amount=61, reason="expired")


def test_each_touched_member_account_is_announced_and_the_houses_are_not(session, wallet):
    one, other = wallet(), wallet()
    before = count(session, "core_event WHERE name = 'wallet.balance.changed'")
    service.issue(session, SYSTEM, destination=one, amount=10, reason="gift")
    assert count(session, "core_event WHERE name = 'wallet.balance.changed'") == before + 1
    move(session, one, other, 10)
    assert count(session, "core_event WHERE name = 'wallet.balance.changed'") == before + 3


def test_opening_twice_gives_the_same_account(session):
    member = new_member(session)
    first = service.open_account(session, asset="POINTS", member_id=member)
    assert service.open_account(session, asset="POINTS", member_id=member) == first
    assert service.open_account(session, asset="USD", member_id=member) != first
    house = service.open_account(session, asset="POINTS", purpose="rewards")
    assert service.open_account(session, asset="POINTS", purpose="rewards") == house


@pytest.mark.parametrize("table", ["wallet_entry", "wallet_transfer"])
@pytest.mark.parametrize("act", ["UPDATE {} SET recorded_at = now()", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_cannot_be_changed(session, wallet, table, act):
    wallet(100)
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(act.format(table)))


def _insert_entries(session, *rows):
    """Write entries behind the ledger's back: (account, amount) under a new transfer."""
    transfer = uuid4()
    session.execute(
        text(
            "INSERT INTO wallet_transfer (id, kind, actor, recorded_at, effective_on, correlation_id) "
            "VALUES (:id, 'debit', 'x', now(), now(), :id)"
        ),
        {"id": transfer},
    )
    values = ", ".join(f"('{account}', 900, '{transfer}', {amount}, 0, '', now())" for account, amount in rows)
    session.execute(
        text(
            "INSERT INTO wallet_entry (account_id, version, transfer_id, amount, balance_after, digest, recorded_at) "
            f"VALUES {values}"
        )
    )


def test_the_database_refuses_entries_that_do_not_balance(session, wallet):
    one, other, dollars = wallet(100), wallet(), wallet(0, "USD")
    for rows in ([(one, -10), (other, 9)], [(one, 5)], [(one, -10), (dollars, 10)]):
        with pytest.raises(IntegrityError, match="does not balance"), session.begin_nested():
            _insert_entries(session, *rows)
    _insert_entries(session, (one, -10), (other, 10))


def test_the_database_keeps_the_floor_by_itself(session, wallet):
    one = wallet(100)
    for change in ("posted = -1", "held = 101", "held = -1"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(f"UPDATE wallet_account SET {change} WHERE id = :id"), {"id": one})


def test_an_accounts_history_is_read_by_index(session, wallet):
    one, other = wallet(10_000), wallet()
    for _ in range(300):
        move(session, one, other, 1)
    for query in (
        "SELECT * FROM wallet_entry WHERE account_id = :id ORDER BY version DESC LIMIT 50",
        "SELECT * FROM wallet_entry WHERE account_id = :id AND version = 7",
        "SELECT * FROM wallet_entry WHERE transfer_id = :id",
    ):
        plan = "\n".join(session.scalars(text("EXPLAIN " + query), {"id": one}))
        assert "Seq Scan" not in plan, plan
