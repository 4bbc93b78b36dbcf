"""Rewards that wait: for the review of their member, or for a fund that somebody is asked to fill."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core import clock
from core.actor import Actor
from core.events.deliver import Deliverer
from core.ids import new_id
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.reviews import service as inbox
from plugins.contributions import reviews
from plugins.contributions import service as contributions
from plugins.contributions.models import Review as Doubt
from plugins.wallet import queries, service
from plugins.wallet.models import Reward
from plugins.wallet.verify import verify

from .conftest import SYSTEM, new_member, new_wallet
from .test_races import at_once, move

TEXT = "I wrote a long guide about how this house keeps its balances under many writers at once, with all pictures"
CASE = text("SELECT id, state, title FROM core_review WHERE kind = 'wallet.fund' AND subject_id = :asset ORDER BY id")


def asked(member, amount=10, reference="", **more):
    return service.RewardRequest(
        reward_id=new_id(),
        member_id=member,
        amount=amount,
        asset=more.pop("asset", "POINTS"),
        reason="milestone",
        reference=reference or str(new_id()),
        contribution_id=None,
        correlation_id=new_id(),
    )


def ask(session, *requests):
    return service.request_rewards(session, SYSTEM, requests)


def fill(session, amount):
    return service.fund_rewards(session, SYSTEM, amount=amount, asset="POINTS", reason="test").paid


def flag(session, member):
    """The member hands in what somebody else wrote; returns the review that holds it back."""
    for author in (new_member(session), member):
        made = contributions.record(
            session, SYSTEM, member_id=author, type="submission.approved", details={"text": TEXT}
        )
    return session.scalars(select(Doubt.id).where(Doubt.contribution_id == made.id)).one()


def decide(session, review, release):
    doubt = reviews.decide(session, SYSTEM, review, release=release, reason="looked at")
    about = {"member_id": doubt.member_id, "contribution_id": doubt.contribution_id}
    service.settle_flagged(session, SYSTEM, released=release, **about)


def contribution_of(session, review):
    return session.get_one(Doubt, review).contribution_id


def state(session, request):
    reward = session.get(Reward, request.reward_id, populate_existing=True)
    return reward.state, reward.why


def cases(session, asset="POINTS"):
    return [(row.state, row.title) for row in session.execute(CASE, {"asset": asset})]


def told(session, name):
    query = text("SELECT payload->>'reason' FROM core_event WHERE name = :name ORDER BY id")
    return list(session.scalars(query, {"name": f"wallet.reward.{name}"}))


def test_a_flagged_members_reward_waits_while_others_are_paid(session):
    ada, bob = new_member(session), new_member(session)
    fill(session, 100)
    review = flag(session, ada)
    hers, his = asked(ada), asked(bob)
    assert ask(session, hers, his) == 1
    assert (state(session, hers), state(session, his)) == (("pending", "MEMBER_FLAGGED"), ("paid", ""))
    assert told(session, "pending") == ["MEMBER_FLAGGED"]
    assert service.pay_pending(session, SYSTEM, assets=["POINTS"]) == 0
    decide(session, review, release=True)
    decide(session, review, release=True)
    assert state(session, hers) == ("paid", "")
    assert queries.balances(session, ada)[0].posted == 10
    assert verify(session) == []


def test_a_rejected_review_refuses_the_rewards_of_its_contribution_and_no_others(session):
    ada = new_member(session)
    fill(session, 100)
    early, other, after = asked(ada), asked(ada), asked(ada)
    ask(session, early)
    review, second = flag(session, ada), flag(session, ada)
    hers = replace(asked(ada), contribution_id=contribution_of(session, review))
    ask(session, other, hers)
    decide(session, review, release=False)
    assert (state(session, hers), state(session, other)) == (
        ("refused", "REVIEW_REJECTED"),
        ("pending", "MEMBER_FLAGGED"),
    )
    decide(session, second, release=False)
    ask(session, after)
    assert [state(session, one)[0] for one in (early, other, after)] == ["paid"] * 3
    assert (told(session, "refused"), queries.reward_fund(session).balance) == (["REVIEW_REJECTED"], 70)
    assert ask(session, hers) == 0
    audited = text("SELECT reason FROM core_audit WHERE action = 'wallet.reward.refused' AND subject_id = :id")
    assert session.scalar(audited, {"id": str(hers.reward_id)}) == "REVIEW_REJECTED"
    assert verify(session) == []


def test_a_reward_that_is_asked_for_after_its_contribution_was_rejected_is_refused(session):
    ada = new_member(session)
    fill(session, 100)
    review = flag(session, ada)
    decide(session, review, release=False)
    late, other = replace(asked(ada), contribution_id=contribution_of(session, review)), asked(ada)
    assert ask(session, late, other) == 1
    assert (state(session, late), state(session, other)) == (("refused", "REVIEW_REJECTED"), ("paid", ""))
    assert (told(session, "pending"), verify(session)) == ([], [])


def test_a_reward_asked_after_the_decision_waits_for_the_next_one(session):
    ada = new_member(session)
    fill(session, 100)
    first, second = flag(session, ada), flag(session, ada)
    late = asked(ada)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        ask(session, late)
    decide(session, first, release=False)
    assert state(session, late) == ("pending", "MEMBER_FLAGGED")
    decide(session, second, release=True)
    assert state(session, late) == ("paid", "")


def test_the_last_of_several_releases_pays(session):
    ada = new_member(session)
    fill(session, 100)
    first, second = flag(session, ada), flag(session, ada)
    hers = asked(ada)
    ask(session, hers)
    decide(session, first, release=True)
    assert state(session, hers) == ("pending", "MEMBER_FLAGGED")
    decide(session, second, release=True)
    assert state(session, hers) == ("paid", "")


def test_a_history_takes_its_waiting_rewards_along_but_for_doubles(session):
    old, new = new_member(session), new_member(session)
    one, double = asked(old), asked(old)
    ask(session, one, double)
    assert service.hand_over(session, SYSTEM, old=old, new=new, twice=[double.reward_id]) == 1
    fill(session, 100)
    assert (state(session, one), state(session, double)) == (("paid", ""), ("refused", "REWARDED_TWICE"))
    assert [sum(one.posted for one in queries.balances(session, member)) for member in (new, old)] == [10, 0]


def test_a_short_fund_asks_once_and_the_case_ends_when_it_is_filled(session):
    ada = new_member(session)
    ask(session, asked(ada, 30))
    ask(session, asked(ada, 20), asked(ada, 5, asset="CREDITS"))
    assert (cases(session), cases(session, "CREDITS")) == ([("open", "30 POINTS")], [("open", "5 CREDITS")])
    assert fill(session, 30) == 1
    assert cases(session) == [("open", "30 POINTS")]
    assert fill(session, 20) == 1
    assert cases(session) == [("withdrawn", "30 POINTS")]
    ask(session, asked(ada, 1))
    assert [state for state, _title in cases(session)] == ["withdrawn", "open"]
    assert [state for state, _title in cases(session, "CREDITS")] == ["open"]


@pytest.mark.parametrize("approved", [True, False])
def test_the_case_issues_what_is_missing_or_lets_them_wait(session, approved):
    ada = new_member(session)
    wanted = [asked(ada, amount) for amount in (30, 20)]
    for one in wanted:
        ask(session, one)
    case = session.execute(CASE, {"asset": "POINTS"}).one().id
    admin = Actor(kind="member", name="x", member_id=new_member(session), permissions=frozenset({"wallet:fund:create"}))
    inbox.decide(session, admin, case, approved=approved, reason="looked at")
    assert {state(session, one) for one in wanted} == {("paid", "") if approved else ("pending", "FUND_SHORT")}
    assert queries.reward_fund(session).balance == 0
    assert [state for state, _title in cases(session)] == ["approved" if approved else "rejected"]
    assert verify(session) == []


def test_the_job_ends_the_case_of_a_fund_that_was_filled_in_another_way(platform):
    with platform.unit_of_work(SYSTEM) as session:
        ask(session, asked(new_member(session), 30))
        donor = new_wallet(session, 50)
    for filled in (False, True):
        with platform.unit_of_work(SYSTEM) as session:
            if filled:
                move(session, donor, queries.reward_fund(session).account_id, 30)
            enqueue(session, SYSTEM, "wallet.pay_pending")
        assert run_next(platform.database)
        with platform.unit_of_work() as session:
            assert [state for state, _title in cases(session)] == ["withdrawn" if filled else "open"]
            assert queries.reward_fund(session).waiting == (0 if filled else 1)


def test_requests_flags_and_decisions_of_16_threads_leave_nothing_behind(platform):
    with platform.unit_of_work(SYSTEM) as session:
        people = [new_member(session) for _ in range(3)]
        fill(session, 100_000)

    def act(session, index):
        dice = random.Random(index)
        if index % 4 == 0:
            return len([flag(session, one) for one in dice.sample(people, 1)])
        if index % 4 == 1:
            found = select(Doubt.id).where(Doubt.state == "open").order_by(Doubt.id).limit(1)
            if (review := session.scalar(found.with_for_update(skip_locked=True))) is not None:
                reviews.decide(session, SYSTEM, review, release=bool(dice.getrandbits(1)), reason="seen")
            return 0
        return ask(session, *(asked(one) for one in dice.sample(people, 2)))

    for _round in range(3):
        results = at_once(platform, 16, act)
        assert {type(result).__name__ for result in results} == {"int"}
        Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        for review in session.scalars(select(Doubt.id).where(Doubt.state == "open").order_by(Doubt.id)).all():
            reviews.decide(session, SYSTEM, review, release=True, reason="seen")
    Deliverer(platform.database).drain()
    with platform.unit_of_work() as session:
        assert set(session.scalars(select(Reward.state))) <= {"paid", "refused"}
        paid = Counter(session.scalars(select(Reward.member_id).where(Reward.state == "paid")))
        for one in people:
            assert sum(account.posted for account in queries.balances(session, one)) == 10 * paid[one]
        assert verify(session) == []


def test_a_case_is_open_exactly_while_somebody_waits_under_16_threads(platform):
    with platform.unit_of_work(SYSTEM) as session:
        people = [new_member(session) for _ in range(8)]

    def act(session, index):
        if index % 4 == 3:
            return fill(session, 40)
        return ask(session, asked(people[index % 8], 20))

    for _round in range(3):
        results = at_once(platform, 16, act)
        assert {type(result).__name__ for result in results} == {"int"}, results
        with platform.unit_of_work(SYSTEM) as session:
            enqueue(session, SYSTEM, "wallet.pay_pending")
        assert run_next(platform.database)
        with platform.unit_of_work() as session:
            short = session.scalars(select(Reward.id).where(Reward.why == "FUND_SHORT")).all()
            assert [state for state, _title in cases(session)].count("open") == bool(short)
            assert verify(session) == []
