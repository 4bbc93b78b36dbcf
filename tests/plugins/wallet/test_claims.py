"""A claimed history brings its money: once, whatever else moves at the same time, and the former wallets are closed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import DomainError, new_id
from plugins.contributions import claims
from plugins.contributions import service as contributions
from plugins.contributions.verify import verify as verify_contributions
from plugins.wallet import service
from plugins.wallet.errors import WalletClosed
from plugins.wallet.models import Account, Reward
from plugins.wallet.service import RewardRequest
from plugins.wallet.verify import verify
from tests.plugins.contributions.test_claims import outsider

from .conftest import SYSTEM, balance, new_member

HANDLE = "ada"


def histories(session: Session) -> tuple[UUID, UUID]:
    """A member, and the outsider whose history is to be claimed."""
    return new_member(session), outsider(session, "github", HANDLE)


def claim(session: Session, member_id: UUID) -> UUID:
    made = claims.claim(session, replace(SYSTEM, member_id=member_id), kind="github", value=HANDLE)
    claims.decide(session, SYSTEM, made.id, approve=True, reason="Seen")
    return made.id


def held(session: Session, member_id: UUID) -> dict[str, tuple[int, str]]:
    query = select(Account).where(Account.member_id == member_id).execution_options(populate_existing=True)
    return {one.asset: (int(one.posted), one.state) for one in session.scalars(query)}


def sound(session: Session) -> None:
    assert [finding for found in verify_contributions(session).values() for finding in found] == []
    assert list(verify(session)) == []


def test_balances_and_waiting_rewards_follow_and_what_was_paid_twice_goes_back(platform: Platform) -> None:
    deliverer = Deliverer(platform.database)
    with platform.unit_of_work(SYSTEM) as session:
        member, old = histories(session)
        service.fund_rewards(session, SYSTEM, amount=20, asset="POINTS", reason="test")
        for who in (member, old):  # each reaches the first milestone, which is worth 10
            contributions.record(session, SYSTEM, member_id=who, type="challenge.win", event_key=f"win {who}")
        account = service.open_account(session, asset="USD", member_id=old)
        service.issue(session, SYSTEM, destination=account, amount=700, reason="test")
        session.execute(text("UPDATE wallet_asset SET daily_limit = 1 WHERE code = 'USD'"))
    deliverer.drain()
    with platform.unit_of_work(SYSTEM) as session:
        for number in range(4):  # the second milestone waits: the fund is empty
            key = f"more {number}"
            contributions.record(session, SYSTEM, member_id=old, type="challenge.win", event_key=key)
    deliverer.drain()
    with platform.unit_of_work(SYSTEM) as session:
        assert held(session, old)["POINTS"] == (10, "active")
        claim_id = claim(session, member)
    deliverer.drain()
    with platform.unit_of_work(SYSTEM) as session:
        service.pay_pending(session, SYSTEM, assets=["POINTS"])
    with platform.unit_of_work(SYSTEM) as session:
        assert held(session, old) == {"POINTS": (0, "closed"), "USD": (0, "closed")}
        assert held(session, member)["USD"] == (700, "active")
        [waiting] = session.scalars(select(Reward).where(Reward.amount == 50)).all()
        assert waiting.member_id == member
        fund = session.scalars(select(Account).where(Account.purpose == "rewards")).one()
        assert held(session, member)["POINTS"][0] + fund.posted == 20
        again = service.take_over(session, SYSTEM, claim_id=claim_id, old=old, new=member, twice=[])
        assert (again, held(session, member)["USD"][0]) == (0, 700)
        sound(session)


def test_a_request_that_comes_after_the_claim_is_paid_to_the_heir(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        member, old = histories(session)
        service.fund_rewards(session, SYSTEM, amount=100, asset="POINTS", reason="test")
        reward_id = contributions.request_reward(
            session, SYSTEM, member_id=old, amount=7, asset="POINTS", reason="test", reference="late"
        )
        assert reward_id
        claim(session, member)
    with platform.unit_of_work(SYSTEM) as session:
        late = RewardRequest(
            reward_id=reward_id,
            member_id=old,
            amount=7,
            asset="POINTS",
            reason="test",
            reference="late",
            contribution_id=None,
            correlation_id=new_id(),
        )
        service.request_rewards(session, SYSTEM, [late])
        service.pay_pending(session, SYSTEM, assets=["POINTS"])
        assert held(session, member)["POINTS"] == (7, "active")
        assert held(session, old) == {}
    Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        assert held(session, member)["POINTS"] == (7, "active")
        sound(session)


def test_payments_and_take_overs_at_once_lose_nothing(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        member, old = histories(session)
        payer = service.open_account(session, asset="POINTS", member_id=new_member(session))
        service.issue(session, SYSTEM, destination=payer, amount=100, reason="test")
        former = service.open_account(session, asset="POINTS", member_id=old)
        claim_id = claim(session, member)

    def act(number: int) -> int:
        try:
            with platform.unit_of_work(SYSTEM) as session:
                if number % 4 == 3:
                    service.take_over(session, SYSTEM, claim_id=claim_id, old=old, new=member, twice=[])
                    return 0
                service.transfer(session, SYSTEM, source=payer, destination=former, amount=1, kind="test")
                return 1
        except WalletClosed:
            return 0

    with ThreadPoolExecutor(16) as threads:
        paid = sum(threads.map(act, range(48)))
    with platform.unit_of_work(SYSTEM) as session:
        assert held(session, old) == {"POINTS": (0, "closed")}
        assert held(session, member).get("POINTS", (0, ""))[0] == paid
        assert balance(session, payer) == 100 - paid
        sound(session)


def test_a_frozen_wallet_waits_for_an_admin(session: Session) -> None:
    member, old = histories(session)
    account = service.open_account(session, asset="POINTS", member_id=old)
    service.issue(session, SYSTEM, destination=account, amount=5, reason="test")
    service.set_state(session, SYSTEM, account_id=account, state="frozen", reason="test")
    known: dict[str, Any] = {"claim_id": claim(session, member), "old": old, "new": member, "twice": []}
    with pytest.raises(DomainError) as refused, session.begin_nested():
        service.take_over(session, SYSTEM, **known)
    assert refused.value.code == "WALLET_FROZEN"
    service.set_state(session, SYSTEM, account_id=account, state="active", reason="test")
    assert service.take_over(session, SYSTEM, **known) == 1
    assert held(session, member) == {"POINTS": (5, "active")}
