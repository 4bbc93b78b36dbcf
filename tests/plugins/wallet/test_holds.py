"""A part of a balance is reserved: captured once, wholly or in part, released, or expired by the clock alone."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from core import clock
from plugins.wallet import errors, queries, service
from plugins.wallet.jobs import run_sweep_holds
from plugins.wallet.models import Hold
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, new_wallet
from .test_races import at_once

HOUR = timedelta(hours=1)


@pytest.fixture
def platform(town):
    return town


def reserve(session, account, amount, **more):
    return service.hold(session, SYSTEM, account=account, amount=amount, **{"lasts": HOUR, **more})


def published(session, name):
    return session.scalars(text("SELECT payload FROM core_event WHERE name = :name ORDER BY id"), {"name": name}).all()


def test_a_hold_takes_from_what_is_available_and_moves_nothing(session, wallet):
    one = wallet(100)
    held = reserve(session, one, 70, reason="hotel")
    found = queries.account(session, one)
    assert (found.posted, found.held, found.available, held.state) == (100, 70, 30, "open")
    with pytest.raises(errors.InsufficientFunds) as refusal:
        service.transfer(session, SYSTEM, source=one, destination=wallet(), amount=31, kind="transfer")
    assert refusal.value.params == {"available": "30 POINTS", "needed": "31 POINTS"}
    with pytest.raises(errors.InsufficientFunds):
        reserve(session, one, 31)
    assert verify(session) == []


@pytest.mark.parametrize(("taken", "left"), [(None, 30), (70, 30), (25, 75)])
def test_a_capture_takes_all_or_a_part_and_frees_the_rest(session, wallet, taken, left):
    one, shop = wallet(100), wallet()
    held = reserve(session, one, 70, reason="hotel")
    receipt = service.capture(session, SYSTEM, hold_id=held.id, destination=shop, amount=taken)
    found = queries.account(session, one)
    assert (found.posted, found.held, balance(session, shop)) == (left, 0, 100 - left)
    session.refresh(held)
    assert (held.state, held.captured, held.transfer_id) == ("captured", 100 - left, receipt.id)
    with pytest.raises(errors.HoldResolved, match=r"HOLD_RESOLVED|captured"):
        service.capture(session, SYSTEM, hold_id=held.id, destination=shop, amount=1)
    with pytest.raises(errors.HoldResolved):
        service.release(session, SYSTEM, hold_id=held.id)
    assert verify(session) == []


def test_more_than_the_hold_is_not_captured_and_the_hold_stays(session, wallet):
    one, shop = wallet(100), wallet()
    held = reserve(session, one, 70)
    with pytest.raises(errors.HoldShort) as refusal:
        service.capture(session, SYSTEM, hold_id=held.id, destination=shop, amount=71)
    assert refusal.value.params == {"available": "70 POINTS", "needed": "71 POINTS"}
    assert queries.account(session, one).held == 70


def test_a_release_frees_all_and_twice_is_as_once(session, wallet):
    one = wallet(100)
    held = reserve(session, one, 70)
    for _ in range(2):
        assert service.release(session, SYSTEM, hold_id=held.id).state == "released"
    assert queries.account(session, one).available == 100
    with pytest.raises(errors.HoldResolved):
        service.capture(session, SYSTEM, hold_id=held.id, destination=wallet())
    assert [event["state"] for event in published(session, "wallet.hold.closed")] == ["released"]


def test_a_hold_is_expired_from_its_moment_on_whoever_looks(session, wallet):
    one, shop = wallet(100), wallet()
    held = reserve(session, one, 70)
    with clock.frozen(held.expires_at):
        assert queries.account(session, one).available == 100
        for act in (
            lambda: service.capture(session, SYSTEM, hold_id=held.id, destination=shop),
            lambda: service.release(session, SYSTEM, hold_id=held.id),
        ):
            with pytest.raises(errors.HoldExpired):
                act()
        service.transfer(session, SYSTEM, source=one, destination=shop, amount=100, kind="transfer")
    session.refresh(held)
    assert (held.state, balance(session, one)) == ("expired", 0)
    assert verify(session) == []


def test_the_sweeper_closes_what_expired_and_says_so_once(platform):
    with platform.unit_of_work(SYSTEM) as session:
        one = new_wallet(session, 100)
        reserve(session, one, 30)
        late = reserve(session, one, 20, lasts=2 * HOUR)

    class Context:
        actor = SYSTEM
        unit_of_work = staticmethod(lambda: platform.unit_of_work(SYSTEM))
        progress = staticmethod(lambda done: None)

    at = late.created_at + HOUR
    with clock.frozen(at):
        with platform.unit_of_work() as session:  # other tests leave holds in this town too
            query = select(func.count(Hold.account_id.distinct())).where(Hold.state == "open", Hold.expires_at <= at)
            due = session.scalar(query)
        assert due and run_sweep_holds(Context())["accounts"] == due
        assert run_sweep_holds(Context())["accounts"] == 0
        with platform.unit_of_work() as session:
            told = [event for event in published(session, "wallet.hold.closed") if event["account_id"] == str(one)]
            assert (queries.account(session, one).held, len(told)) == (20, 1)
            assert verify(session) == []


def test_a_repeated_reference_is_one_hold(session, wallet):
    one = wallet(100)
    first, again = (reserve(session, one, 70, reference="order 7") for _ in range(2))
    assert first.id == again.id
    assert queries.account(session, one).held == 70
    with pytest.raises(errors.ReferenceTaken):
        reserve(session, one, 71, reference="order 7")


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=367), timedelta(seconds=-1)])
def test_a_hold_ends_within_a_year(session, wallet, lasts):
    with pytest.raises(errors.ExpiryRefused):
        reserve(session, wallet(10), 5, lasts=lasts)


def test_frozen_and_closed_wallets_hold_nothing_and_pay_no_hold(session, wallet):
    one, empty = wallet(100), wallet()
    held = reserve(session, one, 10)
    service.set_state(session, SYSTEM, account_id=one, state="frozen", reason="odd")
    with pytest.raises(errors.WalletFrozen):
        reserve(session, one, 10)
    with pytest.raises(errors.WalletFrozen):
        service.capture(session, SYSTEM, hold_id=held.id, destination=empty)
    service.set_state(session, SYSTEM, account_id=empty, state="closed", reason="gone")
    with pytest.raises(errors.WalletClosed):
        reserve(session, empty, 10)


def _held(platform, amount=100, of=100):
    with platform.unit_of_work(SYSTEM) as session:
        one, shop = new_wallet(session, of), new_wallet(session)
        return one, shop, reserve(session, one, amount)


def test_a_hold_captured_by_16_threads_is_captured_once(platform):
    one, shop, held = _held(platform)
    results = at_once(
        platform, 16, lambda session, _: service.capture(session, SYSTEM, hold_id=held.id, destination=shop, amount=60)
    )
    assert Counter(type(result).__name__ for result in results) == {"Receipt": 1, "HoldResolved": 15}
    with platform.unit_of_work() as session:
        assert (balance(session, one), balance(session, shop)) == (40, 60)
        assert verify(session) == []


def test_capture_release_and_transfer_at_once_leave_one_outcome(platform):
    one, shop, held = _held(platform)

    def act(session, index):
        if index % 3 == 0:
            return service.capture(session, SYSTEM, hold_id=held.id, destination=shop)
        if index % 3 == 1:
            return service.release(session, SYSTEM, hold_id=held.id)
        return service.transfer(session, SYSTEM, source=one, destination=shop, amount=100, kind="transfer")

    results = at_once(platform, 18, act)
    moved = sum(type(result).__name__ == "Receipt" for result in results)
    assert moved <= 1
    with platform.unit_of_work() as session:
        assert (balance(session, one), balance(session, shop)) == ((0, 100) if moved else (100, 0))
        assert verify(session) == []


def test_capture_against_expiry_is_decided_by_the_lock(platform):
    one, shop, held = _held(platform)

    def act(session, index):
        if index % 2:
            with clock.frozen(held.expires_at + HOUR):
                return service.transfer(session, SYSTEM, source=one, destination=shop, amount=100, kind="transfer")
        return service.capture(session, SYSTEM, hold_id=held.id, destination=shop)

    results = Counter(type(result).__name__ for result in at_once(platform, 16, act))
    assert results["Receipt"] == 1
    with platform.unit_of_work() as session:
        assert (balance(session, one), balance(session, shop)) == (0, 100)
        assert verify(session) == []
