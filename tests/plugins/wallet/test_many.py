"""Transfers of many legs, many at once: all or none, balanced in each asset, undone once or in parts."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from sqlalchemy import text

from core import clock
from plugins.wallet import errors, queries, service
from plugins.wallet.service import Leg, Move
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, count, new_wallet
from .test_races import at_once, move


@pytest.fixture
def platform(town):
    return town


def legs(*pairs):
    return tuple(Leg(account, amount) for account, amount in pairs)


def post(session, *moves):
    return service.post_many(session, SYSTEM, moves)


def test_one_transfer_splits_among_many_and_every_digest_fits(session, wallet):
    payer, first, second = wallet(100), wallet(), wallet()
    posted = post(session, Move(legs=legs((payer, -100), (first, 67), (second, 33)), kind="prize", reason="é|1:x"))
    assert posted.balances == {payer: 0, first: 67, second: 33}
    assert (len(posted.ids), posted.link_id, verify(session)) == (1, None, [])


def test_linked_transfers_are_made_in_order_and_together(session, wallet):
    one, two, three = wallet(50), wallet(), wallet()
    chain = [Move(legs=legs((one, -50), (two, 50)), kind="a"), Move(legs=legs((two, -50), (three, 50)), kind="b")]
    posted = post(session, *chain)
    assert posted.balances == {one: 0, two: 0, three: 50}
    assert count(session, f"wallet_transfer WHERE link_id = '{posted.link_id}'") == 2
    with pytest.raises(errors.InsufficientFunds) as refusal:  # the second would have money, but only after the first
        post(
            session,
            Move(legs=legs((two, -50), (one, 50)), kind="b"),
            Move(legs=legs((three, -50), (two, 50)), kind="a"),
        )
    assert refusal.value.params == {"available": "0 POINTS", "needed": "50 POINTS"}
    assert balance(session, three) == 50
    assert verify(session) == []


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda one, two, usd: legs((one, -5), (two, 4)), errors.Unbalanced),
        (lambda one, two, usd: legs((one, -5), (usd, 5)), errors.Unbalanced),
        (lambda one, two, usd: legs((one, -5), (one, 5)), errors.LegsRefused),
        (lambda one, two, usd: legs((one, -5)), errors.LegsRefused),
        (lambda one, two, usd: legs((one, 0), (two, 0)), errors.AmountNotPositive),
        (lambda one, two, usd: legs((one, -5), (usd.__class__(int=1), 5)), errors.UnknownAccount),
        (lambda one, two, usd: legs((one, -101), (two, 101)), errors.InsufficientFunds),
    ],
)
def test_what_does_not_balance_or_is_not_there_moves_nothing(session, wallet, make, refusal):
    one, two, usd = wallet(100), wallet(), wallet(0, "USD")
    good = Move(legs=legs((one, -1), (two, 1)), kind="a")
    with pytest.raises(refusal):
        post(session, good, Move(legs=make(one, two, usd), kind="b"))
    assert balance(session, one) == 100


def test_frozen_and_closed_accounts_stop_all_of_it(session, wallet):
    one, two, three = wallet(100), wallet(), wallet(5)
    service.set_state(session, SYSTEM, account_id=three, state="frozen", reason="odd")
    with pytest.raises(errors.WalletFrozen):
        post(session, Move(legs=legs((one, -1), (three, -1), (two, 2)), kind="a"))
    post(session, Move(legs=legs((one, -1), (three, 1)), kind="a"))
    service.set_state(session, SYSTEM, account_id=two, state="closed", reason="gone")
    with pytest.raises(errors.WalletClosed):
        post(session, Move(legs=legs((one, -1), (two, 1)), kind="a"))


def test_the_same_references_again_move_nothing_and_others_are_refused(session, wallet):
    one, two = wallet(100), wallet()
    moves = [Move(legs=legs((one, -1), (two, 1)), kind="a", reference=f"r{number}") for number in range(2)]
    first, again = post(session, *moves), post(session, *moves)
    assert (again.ids, again.replayed, balance(session, two)) == (first.ids, True, 2)
    for other in (
        [moves[0]],
        [moves[0], Move(legs=legs((one, -2), (two, 2)), kind="a", reference="r1")],
        [moves[0], Move(legs=legs((one, -1), (two, 1)), kind="a", reference="r3")],
    ):
        if len(other) == 1:
            assert post(session, *other).replayed
            continue
        with pytest.raises(errors.ReferenceTaken):
            post(session, *other)
    assert balance(session, two) == 2


def test_many_batches_that_cross_neither_wait_for_ever_nor_lose(platform):
    with platform.unit_of_work(SYSTEM) as session:
        wallets = [new_wallet(session, 1_000) for _ in range(8)]

    def act(session, index):
        turned = wallets[index % 8 :] + wallets[: index % 8]
        pairs = pairwise(turned)
        return post(session, *[Move(legs=legs((a, -3), (b, 3)), kind="a") for a, b in pairs])

    results = at_once(platform, 16, act)
    assert {type(result).__name__ for result in results} == {"Posted"}
    with platform.unit_of_work() as session:
        assert sum(balance(session, one) for one in wallets) == 8_000
        assert verify(session) == []


def test_a_conversion_is_two_linked_transfers_through_the_house(session, wallet):
    one = wallet(1_000)
    owner = queries.account(session, one).member_id
    given = {"member_id": owner, "amount": 1_000, "asset": "POINTS", "into_amount": 250, "into_asset": "USD"}
    with pytest.raises(errors.InsufficientFunds):
        service.convert(session, SYSTEM, **given)
    reserve = service.open_account(session, asset="USD", purpose="exchange")
    service.issue(session, SYSTEM, destination=reserve, amount=400, reason="reserve")
    posted = service.convert(session, SYSTEM, **given, reference="quote 1")
    assert {one.asset: one.posted for one in queries.balances(session, owner)} == {"POINTS": 0, "USD": 250}
    assert service.convert(session, SYSTEM, **given, reference="quote 1").ids == posted.ids
    with pytest.raises(errors.SameAsset):
        service.convert(session, SYSTEM, **{**given, "into_asset": "POINTS"})
    service.reverse(session, SYSTEM, transfer_id=posted.ids[0], reason="wrong rate")
    assert {one.asset: one.posted for one in queries.balances(session, owner)} == {"POINTS": 1_000, "USD": 0}
    assert verify(session) == []


def test_refunds_give_parts_back_up_to_the_whole(session, wallet):
    one, shop = wallet(100), wallet()
    paid = move(session, one, shop, 60)
    for part in (25, 25):
        service.refund(session, SYSTEM, transfer_id=paid.id, amount=part, reason="broken")
    with pytest.raises(errors.RefundExceeds) as refusal:
        service.refund(session, SYSTEM, transfer_id=paid.id, amount=11, reason="broken")
    assert refusal.value.params == {"available": "10 POINTS", "needed": "11 POINTS"}
    with pytest.raises(errors.AlreadyRefunded):
        service.reverse(session, SYSTEM, transfer_id=paid.id, reason="all")
    last = service.refund(session, SYSTEM, transfer_id=paid.id, amount=10, reason="broken", reference="last")
    assert service.refund(session, SYSTEM, transfer_id=paid.id, amount=10, reason="broken", reference="last").replayed
    assert (balance(session, one), balance(session, shop)) == (100, 0)
    for undoing in (service.refund, service.reverse):
        with pytest.raises(errors.NotRefundable):
            undoing(session, SYSTEM, transfer_id=last.id, reason="again")
    assert verify(session) == []


def test_what_was_reversed_is_not_refunded(session, wallet):
    one, shop = wallet(100), wallet()
    paid = move(session, one, shop, 60)
    service.reverse(session, SYSTEM, transfer_id=paid.id, reason="all")
    with pytest.raises(errors.AlreadyReversed):
        service.refund(session, SYSTEM, transfer_id=paid.id, amount=1, reason="broken")
    with pytest.raises(errors.UnknownTransfer):
        service.refund(session, SYSTEM, transfer_id=one, reason="broken")


def test_32_refunds_at_once_stop_at_what_was_paid(platform):
    with platform.unit_of_work(SYSTEM) as session:
        one, shop = new_wallet(session, 100), new_wallet(session, 900)
        paid = move(session, one, shop, 100)
    results = at_once(
        platform,
        32,
        lambda session, _: service.refund(session, SYSTEM, transfer_id=paid.id, amount=30, reason="broken"),
    )
    assert Counter(type(result).__name__ for result in results) == {"Receipt": 3, "RefundExceeds": 29}
    with platform.unit_of_work() as session:
        assert (balance(session, one), verify(session)) == (90, [])


def test_a_hot_account_is_spread_over_its_stripes(session, wallet):
    session.execute(text("UPDATE wallet_asset SET stripes = 8 WHERE code = 'CREDITS'"))
    one = wallet(0, "CREDITS")
    for number in range(40):
        service.issue(session, SYSTEM, destination=one, amount=1, reason="x", reference=f"n{number}")
    again = service.issue(session, SYSTEM, destination=one, amount=1, reason="x", reference="n7")
    assert again.replayed
    assert count(session, "wallet_account WHERE asset = 'CREDITS' AND purpose = 'issuance'") > 3
    row = next(row for row in queries.circulation(session) if row.asset == "CREDITS")
    assert (row.issued, row.members) == (40, 40)
    assert verify(session) == []


def test_the_effective_day_is_kept_beside_the_recorded_moment(session, wallet):
    receipt = move(session, wallet(5), wallet(), 5, effective_on=date(2026, 1, 31))
    kept = session.execute(
        text("SELECT effective_on, recorded_at::date FROM wallet_transfer WHERE id = :id"), {"id": receipt.id}
    ).one()
    assert tuple(kept) == (date(2026, 1, 31), clock.now().date())
