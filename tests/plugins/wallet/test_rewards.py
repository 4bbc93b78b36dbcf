"""Rewards: paid once from the fund, waiting while it is short, the oldest first."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import select, text

from core.events.deliver import Deliverer
from core.events.publish import publish
from core.ids import new_id
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from plugins.contributions import RewardRequested
from plugins.wallet import errors, queries, service
from plugins.wallet.models import Reward
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, count, new_member
from .test_races import at_once


def request(member: UUID, amount: int = 10, **more) -> RewardRequested:
    values = {
        "reward_id": new_id(),
        "member_id": member,
        "amount": amount,
        "asset": "POINTS",
        "reason": "milestone",
        "reference": f"milestone:{new_id()}",
        "contribution_id": None,
        **more,
    }
    return RewardRequested(**values)


def ask(platform, *events, actor=SYSTEM):
    with platform.unit_of_work(actor) as session:
        publish(session, actor, *events)
    Deliverer(platform.database).drain()


def fill(platform, amount, **more):
    with platform.unit_of_work(SYSTEM) as session:
        return service.fund_rewards(session, SYSTEM, amount=amount, asset="POINTS", reason="test", **more)


def holds(platform, member) -> int:
    with platform.unit_of_work() as session:
        return sum(one.posted for one in queries.balances(session, member))


def events(platform, name) -> int:
    with platform.unit_of_work() as session:
        return count(session, f"core_event WHERE name = '{name}'")


@pytest.fixture
def member(platform) -> UUID:
    with platform.unit_of_work(SYSTEM) as session:
        return new_member(session)


def test_a_request_is_paid_from_the_fund_into_a_wallet_made_for_it(platform, member):
    fill(platform, 100)
    contribution = new_id()
    wanted = request(member, 30, contribution_id=contribution)
    ask(platform, wanted)
    assert holds(platform, member) == 30
    with platform.unit_of_work() as session:
        assert queries.reward_fund(session).balance == 70
        reward = session.get(Reward, wanted.reward_id)
        assert (reward.state, reward.why, reward.contribution_id) == ("paid", "", contribution)
        row = session.execute(text("SELECT * FROM wallet_transfer WHERE id = :id"), {"id": reward.transfer_id}).one()
        assert (row.kind, row.reason, row.contribution_id) == ("reward", "milestone", contribution)
        assert row.correlation_id == SYSTEM.correlation_id
        assert verify(session) == []
    assert events(platform, "wallet.reward.paid") == 1


def test_the_same_request_twice_is_paid_once(platform, member):
    fill(platform, 100)
    wanted = request(member, 30)
    ask(platform, wanted, wanted)
    ask(platform, wanted)
    ask(platform, request(member, 30, reference=wanted.reference))
    assert holds(platform, member) == 30
    assert events(platform, "wallet.reward.paid") == 1


def test_a_short_fund_leaves_rewards_waiting_and_says_so_once(platform, member):
    wanted = request(member, 30)
    ask(platform, wanted)
    ask(platform, wanted)
    assert holds(platform, member) == 0
    assert events(platform, "wallet.reward.pending") == 1
    with platform.unit_of_work() as session:
        assert session.get(Reward, wanted.reward_id).why == "FUND_SHORT"
        fund = queries.reward_fund(session)
        assert (fund.waiting, fund.owed, fund.short) == (1, 30, 30)


def test_filling_the_fund_pays_the_oldest_first_and_stops_where_it_is_short(platform, member):
    wanted = [request(member, amount) for amount in (30, 50, 5)]
    for one in wanted:
        ask(platform, one)
    assert fill(platform, 40).paid == 1
    with platform.unit_of_work() as session:
        states = [session.get(Reward, one.reward_id).state for one in wanted]
    assert states == ["paid", "pending", "pending"], "a small late reward does not overtake a large early one"
    assert fill(platform, 45).paid == 2
    assert holds(platform, member) == 85
    assert events(platform, "wallet.reward.pending") == 3
    assert events(platform, "wallet.reward.paid") == 3


def test_a_new_request_does_not_overtake_those_that_wait(platform, member):
    ask(platform, request(member, 50))
    fill(platform, 20)
    ask(platform, request(member, 5))
    assert holds(platform, member) == 0


def test_a_funding_with_the_same_reference_issues_once(platform):
    first, again = fill(platform, 40, reference="fund:1"), fill(platform, 40, reference="fund:1")
    assert (again.receipt.id, again.receipt.replayed) == (first.receipt.id, True)
    with platform.unit_of_work() as session:
        assert queries.reward_fund(session).balance == 40
        assert count(session, "core_audit WHERE action = 'wallet.fund.created'") == 1


def test_the_job_pays_what_waits(platform, member):
    ask(platform, *(request(member, 1) for _ in range(150)))
    with platform.unit_of_work(SYSTEM) as session:
        fund = service.open_account(session, asset="POINTS", purpose="rewards")
        service.issue(session, SYSTEM, destination=fund, amount=140, reason="test")
        enqueue(session, SYSTEM, "wallet.pay_pending")
    assert run_next(platform.database)
    assert holds(platform, member) == 140
    with platform.unit_of_work() as session:
        assert queries.reward_fund(session).waiting == 10
        assert verify(session) == []


def test_what_a_funding_cannot_pay_at_once_is_left_to_a_job(platform, member):
    ask(platform, *(request(member, 1) for _ in range(130)))
    assert fill(platform, 130).paid == 100
    assert run_next(platform.database)
    assert holds(platform, member) == 130


def test_a_frozen_fund_pays_nothing_until_it_is_unfrozen(platform, member):
    fund = fill(platform, 100).receipt.destination
    with platform.unit_of_work(SYSTEM) as session:
        service.set_state(session, SYSTEM, account_id=fund, state="frozen", reason="audit")
    wanted = request(member)
    ask(platform, wanted, request(member))
    with platform.unit_of_work(SYSTEM) as session:
        assert session.get(Reward, wanted.reward_id).why == "FUND_FROZEN"
        service.set_state(session, SYSTEM, account_id=fund, state="active", reason="audit done")
        assert service.pay_pending(session, SYSTEM, assets=["POINTS"]) == 2
        with pytest.raises(errors.HouseAccount):
            service.set_state(session, SYSTEM, account_id=fund, state="closed", reason="no")


def test_a_closed_wallet_waits_and_holds_nobody_else_up(platform, member):
    with platform.unit_of_work(SYSTEM) as session:
        other = new_member(session)
        account = service.open_account(session, asset="POINTS", member_id=member)
        service.set_state(session, SYSTEM, account_id=account, state="closed", reason="left")
    fill(platform, 100)
    gone = request(member)
    ask(platform, gone, request(other))
    assert holds(platform, other) == 10
    with platform.unit_of_work() as session:
        assert session.get(Reward, gone.reward_id).why == "WALLET_CLOSED"


def test_a_bad_request_fails_alone_and_is_not_lost(platform, member):
    fill(platform, 100)
    ask(platform, request(member), request(member, asset="GOLD"), request(member))
    assert holds(platform, member) == 20
    with platform.unit_of_work() as session:
        waiting = (
            "core_delivery WHERE subscriber = 'wallet.pay_reward' AND state = 'pending' AND last_error LIKE '%GOLD%'"
        )
        assert count(session, waiting) == 1


def test_an_unknown_asset_is_refused_in_words(session):
    with pytest.raises(errors.UnknownAsset, match="GOLD"):
        service.fund_rewards(session, SYSTEM, amount=1, asset="GOLD", reason="test")


def test_duplicates_in_16_threads_are_paid_once_each(platform):
    """Handlers with overlapping requests in different orders, while the fund is being filled and the job runs."""
    with platform.unit_of_work(SYSTEM) as session:
        members = [new_member(session) for _ in range(6)]
    asked = [
        service.RewardRequest(
            reward_id=new_id(),
            member_id=member,
            amount=10,
            asset="POINTS",
            reason="milestone",
            reference=f"race:{number}:{member}",
            contribution_id=None,
            correlation_id=new_id(),
        )
        for number in range(5)
        for member in members
    ]

    def act(session, index):
        if index % 4 == 3:
            return service.fund_rewards(session, SYSTEM, amount=80, asset="POINTS", reason="test").paid
        if index % 4 == 2:
            return service.pay_pending(session, SYSTEM, assets=["POINTS"])
        return service.request_rewards(session, SYSTEM, asked[::-1] if index % 4 else asked)

    results = at_once(platform, 16, act)
    assert Counter(type(result).__name__ for result in results) == {"int": 16}
    with platform.unit_of_work(SYSTEM) as session:
        service.pay_pending(session, SYSTEM, assets=["POINTS"])
    with platform.unit_of_work() as session:
        states = Counter(session.scalars(select(Reward.state)))
        assert states == {"paid": 30}
        assert queries.reward_fund(session).balance == 20
        assert verify(session) == []
    assert [holds(platform, member) for member in members] == [50] * 6


def test_a_contribution_shows_its_rewards_as_stages(platform, member):
    from plugins.wallet import hooks

    contribution = new_id()
    fill(platform, 10)
    ask(platform, request(member, 10, contribution_id=contribution), request(member, 7, contribution_id=contribution))
    with platform.unit_of_work() as session:
        paid, waiting = hooks.contribution_stages(session, contribution)
        assert (paid.stage, paid.state, paid.detail) == ("reward", "paid", "10 POINTS · Milestone")
        assert (waiting.state, waiting.detail) == ("pending", "7 POINTS · Milestone · The reward fund must be filled")
        assert hooks.contribution_stages(session, new_id()) == []
        assert balance(session, queries.reward_fund(session).account_id) == 0
