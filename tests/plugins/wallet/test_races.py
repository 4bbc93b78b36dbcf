"""Money under threads: what the locks and the unique keys are for."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from core.errors import DomainError
from plugins.wallet import errors, service
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, new_member, new_wallet


@pytest.fixture
def platform(town):
    return town


def at_once(platform, number, act):
    """Run ``act(session, index)`` in ``number`` threads that start together; the results or the refusals."""
    together = Barrier(number)
    platform.database._pool_size = number
    platform.database.dispose()
    platform.database._engine = None

    def run(index):
        together.wait(30)
        try:
            with platform.unit_of_work(SYSTEM) as session:
                return act(session, index)
        except DomainError as refusal:
            return refusal

    try:
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(run, range(number)))
    finally:
        platform.database.dispose()  # the connections of so many threads are not kept


def move(session, source, destination, amount, **more):
    return service.transfer(
        session, SYSTEM, source=source, destination=destination, amount=amount, kind="transfer", **more
    )


def test_forty_threads_draining_a_thousand_by_hundreds_succeed_ten_times(platform):
    with platform.unit_of_work(SYSTEM) as session:
        source, sink = new_wallet(session, 1_000), new_wallet(session)
    results = at_once(platform, 40, lambda session, _: move(session, source, sink, 100))
    kinds = Counter(type(result).__name__ for result in results)
    assert kinds == {"Receipt": 10, "InsufficientFunds": 30}
    with platform.unit_of_work() as session:
        assert (balance(session, source), balance(session, sink)) == (0, 1_000)
        assert verify(session) == []


def test_one_reference_in_64_threads_is_one_transfer(platform):
    with platform.unit_of_work(SYSTEM) as session:
        source, sink = new_wallet(session, 1_000), new_wallet(session)
    results = at_once(platform, 64, lambda session, _: move(session, source, sink, 100, reference="order 9"))
    assert len({result.id for result in results}) == 1
    assert sum(not result.replayed for result in results) == 1
    with platform.unit_of_work() as session:
        assert balance(session, sink) == 100


def test_one_reference_on_different_accounts_is_taken_once(platform):
    with platform.unit_of_work(SYSTEM) as session:
        pairs = [(new_wallet(session, 100), new_wallet(session)) for _ in range(8)]
    results = at_once(platform, 8, lambda session, index: move(session, *pairs[index], 100, reference="one"))
    assert Counter(type(result).__name__ for result in results) == {"Receipt": 1, "ReferenceTaken": 7}


def test_random_and_crossing_transfers_of_8_threads_conserve_the_sum(platform):
    with platform.unit_of_work(SYSTEM) as session:
        wallets = [new_wallet(session, 500) for _ in range(5)]

    def many(_session, index):
        dice = random.Random(index)
        done = 0
        for _ in range(60):
            source, destination = dice.sample(wallets, 2)
            try:
                with platform.unit_of_work(SYSTEM) as session:
                    move(session, source, destination, dice.randint(1, 300))
                done += 1
            except errors.InsufficientFunds:
                pass
        return done

    platform.database._pool_size = 20
    platform.database.dispose()
    platform.database._engine = None
    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(lambda index: many(None, index), range(8)))
    assert done > 0
    with platform.unit_of_work() as session:
        assert sum(balance(session, one) for one in wallets) == 2_500
        assert session.scalar(text("SELECT sum(posted) FROM wallet_account")) == 0
        moved = "SELECT count(DISTINCT transfer_id) FROM wallet_entry WHERE account_id = ANY(:wallets)"
        assert session.scalar(text(moved), {"wallets": wallets}) == done + len(wallets)
        assert verify(session) == []


def test_a_transfer_is_reversed_once_by_16_threads(platform):
    with platform.unit_of_work(SYSTEM) as session:
        source, sink = new_wallet(session, 100), new_wallet(session, 900)
        receipt = move(session, source, sink, 100)
    results = at_once(
        platform, 16, lambda session, _: service.reverse(session, SYSTEM, transfer_id=receipt.id, reason="typo")
    )
    assert Counter(type(result).__name__ for result in results) == {"Posted": 1, "AlreadyReversed": 15}


def test_a_wallet_opened_by_16_threads_is_one(platform):
    with platform.unit_of_work(SYSTEM) as session:
        member = new_member(session)
    results = at_once(platform, 16, lambda session, _: service.open_account(session, asset="POINTS", member_id=member))
    assert len(set(results)) == 1
