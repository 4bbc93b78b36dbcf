"""Daily limits, overdrafts, names, and what observers hear; adjustments that take a second person."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from core import clock
from core.actor import Actor
from plugins.wallet import errors, queries, service
from plugins.wallet.service.adjustments import KIND
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, new_member, new_wallet
from .test_holds import published, reserve
from .test_races import at_once, move


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


def limit(session, account, daily=None, overdraft=0):
    return service.set_limits(
        session, SYSTEM, account_id=account, daily_limit=daily, overdraft=overdraft, reason="agreed"
    )


def test_a_days_limit_counts_transfers_and_holds_and_ends_at_midnight(session, wallet):
    one, shop = wallet(1_000), wallet()
    limit(session, one, 100)
    move(session, one, shop, 60)
    held = reserve(session, one, 30)
    with pytest.raises(errors.LimitExceeded) as refusal:
        move(session, one, shop, 11)
    assert refusal.value.params == {"available": "10 POINTS", "needed": "11 POINTS"}
    with pytest.raises(errors.LimitExceeded):
        reserve(session, one, 11)
    service.release(session, SYSTEM, hold_id=held.id)
    move(session, one, shop, 40)
    found = queries.account(session, one)
    assert (found.daily_limit, found.spent_today) == (100, 100)
    with clock.frozen(clock.now() + timedelta(days=1)):
        move(session, one, shop, 100)
    assert verify(session) == []


def test_the_assets_limit_holds_where_the_account_has_none(session, wallet):
    session.execute(text("UPDATE wallet_asset SET daily_limit = 50 WHERE code = 'CREDITS'"))
    one, shop = wallet(1_000, "CREDITS"), wallet(0, "CREDITS")
    with pytest.raises(errors.LimitExceeded):
        move(session, one, shop, 51)
    with pytest.raises(errors.LimitExceeded):
        legs = (service.Leg(one, -51), service.Leg(shop, 51))
        service.post_many(session, SYSTEM, [service.Move(legs=legs, kind="a")])
    limit(session, one, 60)
    paid = move(session, one, shop, 60)
    service.refund(session, SYSTEM, transfer_id=paid.id, reason="giving back is no spending of the shop")
    assert balance(session, shop) == 0


def test_a_limit_under_16_threads_is_reached_and_not_passed(platform):
    with platform.unit_of_work(SYSTEM) as session:
        one, shop = new_wallet(session, 1_000), new_wallet(session)
        limit(session, one, 100)
    results = at_once(platform, 16, lambda session, _: move(session, one, shop, 30))
    assert Counter(type(result).__name__ for result in results) == {"Receipt": 3, "LimitExceeded": 13}


def test_an_overdraft_goes_as_far_as_it_is_allowed(session, wallet):
    one, shop = wallet(10), wallet()
    limit(session, one, overdraft=50)
    move(session, one, shop, 60)
    with pytest.raises(errors.InsufficientFunds):
        move(session, one, shop, 1)
    with pytest.raises(errors.LimitRefused):
        limit(session, one, overdraft=49)
    with pytest.raises(errors.LimitRefused):
        limit(session, one, daily=-1)
    assert verify(session) == []


def test_a_member_names_the_wallet_and_says_when_to_be_told(session, wallet):
    one, shop = wallet(100), wallet()
    me = Actor(kind="member", name="x", member_id=queries.account(session, one).member_id)
    service.update_own(session, me, account_id=one, label="Lunch money", low_below=50)
    move(session, one, shop, 40)
    move(session, one, shop, 20)
    move(session, one, shop, 5)
    [low] = published(session, "wallet.balance.low")
    assert (low["balance"], low["threshold"], low["account_id"]) == (40, 50, str(one))
    assert queries.account(session, one).label == "Lunch money"
    for wrong in ({"account_id": shop}, {"account_id": one, "label": "x" * 121}, {"account_id": one, "low_below": -1}):
        with pytest.raises((errors.UnknownAccount, errors.LabelRefused, errors.LimitRefused)):
            service.update_own(session, me, **wrong)


def test_first_receipts_and_large_movements_are_announced_once(session, wallet):
    session.execute(text("UPDATE wallet_asset SET large_from = 50 WHERE code = 'CREDITS'"))
    one = wallet(1_000, "CREDITS")
    shop, other = wallet(0, "CREDITS"), wallet(0, "CREDITS")
    move(session, one, shop, 49)
    move(session, one, shop, 50)
    legs = (service.Leg(one, -80), service.Leg(shop, 60), service.Leg(other, 20))
    service.post_many(session, SYSTEM, [service.Move(legs=legs, kind="a")])
    first = [event["account_id"] for event in published(session, "wallet.receipt.first")]
    assert first == [str(one), str(shop), str(other)]
    assert [event["amount"] for event in published(session, "wallet.movement.large")] == [1_000, 50, 80]


def test_a_proposed_adjustment_is_a_case_and_moves_nothing(platform, clients):
    first = clients("Admin")
    with platform.unit_of_work(SYSTEM) as session:
        one = new_wallet(session, 100)
    url = f"/admin/wallet/accounts/{one}/adjust"
    for amount, reason in (("-30", "counted twice"), ("5", "found again"), ("", "x"), ("0", "nothing"), ("7", "")):
        assert first.post(url, data={"amount": amount, "reason": reason}).status_code == 303
    with platform.unit_of_work() as session:
        asked = text(
            "SELECT id, params FROM core_review WHERE kind = :kind AND params->>'account_id' = :one ORDER BY opened_at"
        )
        (case, take), (_second, give) = session.execute(asked, {"kind": KIND, "one": str(one)}).all()
        assert (take["amount"], give["amount"]) == ("-30", "5")
        assert balance(session, one) == 100
    page = clients("Admin").get(f"/admin/reviews/{case}")
    assert page.status_code == 200
    assert "counted twice" in page.text
    for daily, overdraft, reason in (("50", "5", "agreed"), ("x", "", "y"), ("", "-1", "y"), ("1", "", "")):
        given = {"daily_limit": daily, "overdraft": overdraft, "reason": reason}
        assert first.post(f"/admin/wallet/accounts/{one}/limits", data=given).status_code == 303
    with platform.unit_of_work() as session:
        found = queries.account(session, one)
        assert (found.daily_limit, found.overdraft) == (50, 5)


def test_the_decision_posts_once_and_a_rejection_nothing(platform):
    from core.reviews import service as reviews

    with platform.unit_of_work(SYSTEM) as session:
        one, maker, checker = new_wallet(session, 100), new_member(session, "M"), new_member(session, "C")
    can = {"wallet:adjustment:create", "wallet:adjustment:decide"}
    by = {name: Actor(kind="member", name="x", member_id=name, permissions=frozenset(can)) for name in (maker, checker)}
    with platform.unit_of_work(by[maker]) as session:
        take = service.propose_adjustment(session, by[maker], account_id=one, amount=-30, reason="counted twice")
        give = service.propose_adjustment(session, by[maker], account_id=one, amount=5, reason="found again")
    with pytest.raises(reviews.errors.FourEyesNeeded), platform.unit_of_work(by[maker]) as session:
        reviews.decide(session, by[maker], take, approved=True)
    with platform.unit_of_work(by[checker]) as session:
        reviews.decide(session, by[checker], take, approved=True)
        reviews.decide(session, by[checker], give, approved=False, reason="it was not")
    with platform.unit_of_work() as session:
        assert (balance(session, one), verify(session)) == (70, [])
        assert queries.history(session, one, limit=1)[0].kind == "adjustment"
