"""Rewards of badges: asked for once for each member, paid once, counted in the preview; batches tell and pay too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events.models import Delivery, EventRow
from core.events.replay import replay
from core.jobs.run import run_next
from core.platform import Platform
from core.settings import write
from guildhall import Actor, Invalid, enqueue
from plugins.badges import queries, service
from plugins.badges.settings import BadgeSettings
from plugins.contributions import service as contributions
from plugins.contributions.claims import merge
from plugins.notifications import Notification
from plugins.wallet.models import Account

from .conftest import add_badge, add_people, count, points

PRICE = {"reward_amount": 25, "reward_asset": "POINTS"}


def again(session: Session, actor: Actor, name: str) -> None:
    """Deliver every event of this name once more."""
    query = select(Delivery.id).join(EventRow, EventRow.id == Delivery.event_id).where(EventRow.name == name)
    assert replay(session, actor, session.scalars(query).all())


def balances(session: Session) -> dict[UUID | None, int]:
    query = select(Account.member_id, Account.posted).where(Account.purpose == "member", Account.asset == "POINTS")
    return dict(session.execute(query).tuples().all())


def fund(platform: Platform, system: Actor) -> None:
    from plugins.wallet import service as wallet

    with platform.unit_of_work(system) as session:
        wallet.fund_rewards(session, system, amount=1_000_000, asset="POINTS", reason="for the test")


def test_a_badge_that_was_earned_is_paid_for_once(
    platform: Platform, system: Actor, people: Any, badge: Any, contribute: Any, drain: Any
) -> None:
    fund(platform, system)
    [member_id] = people()
    badge("merger", count("git.merge"), **PRICE)
    contribute(member_id, "git.merge")
    drain()
    with platform.unit_of_work(system) as session:
        assert balances(session)[member_id] == 25
        again(session, system, "contributions.contribution.recorded")
        again(session, system, "badges.badge.awarded")
        service.revoke(session, system, slug="merger", member_id=member_id, reason="by mistake")
        service.award(session, system, slug="merger", member_id=member_id, reason="given back")
    drain()
    with platform.unit_of_work(system) as session:
        assert balances(session)[member_id] == 25


@pytest.mark.parametrize("single", [0, 1_000])
def test_a_recalculation_pays_and_tells_each_member_once(
    platform: Platform, system: Actor, people: Any, badge: Any, contribute: Any, drain: Any, single: int
) -> None:
    fund(platform, system)
    members = people(3)
    for member_id in members:
        contribute(member_id, "git.merge")
    drain()
    badge("merger", count("git.merge"), **PRICE)
    badge("free", count("git.merge"))
    with platform.unit_of_work(system) as session:
        write(session, system, BadgeSettings, {"single_events": single})
        before = balances(session)
        enqueue(session, system, "badges.recalculate", {})
    assert run_next(platform.database)
    drain()
    with platform.unit_of_work(system) as session:
        assert {one: balances(session)[one] - before.get(one, 0) for one in members} == dict.fromkeys(members, 25)
        told = session.execute(
            select(Notification.member_id, Notification.params).where(Notification.kind == "badges_awarded")
        ).all()
        if single == 0:
            assert sorted(row.member_id for row in told) == members
            assert all(row.params == {"count": 2, "badges": "free, merger"} for row in told)
            again(session, system, "badges.batch.awarded")
        else:
            assert not told
    drain()
    with platform.unit_of_work(system) as session:
        assert {one: balances(session)[one] - before.get(one, 0) for one in members} == dict.fromkeys(members, 25)
        mailed = select(EventRow.payload).where(EventRow.name == "notifications.notification.created")
        kinds = {row["kind"] for row in session.scalars(mailed) if row["mail"]}
        assert "badges_awarded" not in kinds


def test_a_preview_shows_what_it_would_cost(
    platform: Platform, system: Actor, people: Any, badge: Any, contribute: Any
) -> None:
    for member_id in people(4):
        contribute(member_id, "git.merge")
    badge("merger", count("git.merge"), **PRICE)
    badge("rare", count("git.merge"), supply_limit=3, **PRICE)
    badge("free", count("git.merge"))
    with platform.unit_of_work(system) as session:
        costs = {slug: queries.preview(session, count("git.merge"), slug=slug) for slug in ("merger", "rare", "free")}
    assert {slug: (one.cost, one.asset) for slug, one in costs.items()} == {
        "merger": (100, "POINTS"),
        "rare": (75, "POINTS"),
        "free": (0, ""),
    }


def test_what_came_with_a_claimed_history_is_not_paid_for_again(session: Session, system: Actor) -> None:
    former, member_id = add_people(session, 2)
    made = add_badge(session, system, "thanks", {"type": "manual"}, **PRICE)
    service.award(session, system, slug="thanks", member_id=former, reason="for the talk")
    assert [key for _member, key in contributions.rewarded(session, [former], "badge")] == [f"badge:{made.id}:{former}"]
    merge(session, system, old_id=former, new_id=member_id)
    service.award(session, system, slug="thanks", member_id=member_id, reason="for the talk")
    assert len(contributions.rewarded(session, [former, member_id], "badge")) == 1


def test_of_two_who_were_the_same_one_reward_is_not_handed_over(session: Session, system: Actor) -> None:
    ids = add_people(session, 2)
    add_badge(session, system, "thanks", {"type": "manual"}, **PRICE)
    for one in ids:
        service.award(session, system, slug="thanks", member_id=one, reason="for the talk")
    assert len(merge(session, system, old_id=ids[0], new_id=ids[1])) == 1


@pytest.mark.parametrize("wrong", [{"reward_amount": -1}, {"reward_asset": "points"}, {"reward_asset": ""}])
def test_a_reward_that_cannot_be_paid_is_refused(session: Session, system: Actor, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        add_badge(session, system, "bad", points(1), **wrong)
