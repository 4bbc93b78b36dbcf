"""A milestone is reached once for each member, and its reward asked for once, whatever is delivered twice."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from core.events.deliver import Deliverer
from core.events.models import Delivery, EventRow
from core.platform import Platform
from guildhall import Actor
from plugins.contributions import service
from plugins.contributions.models import Milestone, MilestoneReachedRow, Reward
from plugins.contributions.service import NewContribution

from .conftest import add_people


def wins(session: Session, actor: Actor, member_id: UUID, *keys: str) -> list[UUID]:
    return [service.record(session, actor, member_id=member_id, type="challenge.win", event_key=key).id for key in keys]


def published(session: Session, name: str) -> list[dict[str, object]]:
    query = select(EventRow.payload).where(EventRow.name == f"contributions.{name}").order_by(EventRow.id)
    return list(session.scalars(query))


def test_the_contribution_that_reaches_it_is_noted(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    service.record(session, system, member_id=ada, type="profile.complete")
    first, *_rest = made = wins(session, system, ada, *"abcde")
    reached = (
        select(Milestone.threshold, MilestoneReachedRow.contribution_id).join(Milestone).order_by(Milestone.threshold)
    )
    assert session.execute(reached).tuples().all() == [(100, first), (500, made[-1])]
    events = published(session, "milestone.reached")
    assert [(event["threshold"], event["quiet"]) for event in events] == [(100, False), (500, False)]


def test_a_batch_finds_the_same_contribution_and_is_quiet_when_imported(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    rows = [NewContribution(line=n, member_id=ada, type="challenge.win", event_key=f"k{n}") for n in range(6)]
    outcomes = service.record_many(session, system, rows)
    reached = select(MilestoneReachedRow.contribution_id).join(Milestone).order_by(Milestone.threshold)
    assert session.scalars(reached).all() == [outcomes[0].contribution_id, outcomes[4].contribution_id]
    assert [event["quiet"] for event in published(session, "milestone.reached")] == [True, True]


def test_disabled_milestones_wait_until_they_are_enabled(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    session.execute(update(Milestone).values(enabled=False))
    wins(session, system, ada, "a")
    assert published(session, "milestone.reached") == []
    session.execute(update(Milestone).values(enabled=True))
    [second] = wins(session, system, ada, "b")
    assert session.scalars(select(MilestoneReachedRow.contribution_id)).all() == [second]


def test_the_reward_is_asked_for_once_even_when_delivered_again(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        [made] = wins(session, system, ada, "a")
    deliverer = Deliverer(platform.database)
    deliverer.drain()
    with platform.unit_of_work(system) as session:
        [reward] = session.scalars(select(Reward)).all()
        milestone = session.scalar(select(Milestone).where(Milestone.threshold == 100))
        assert milestone is not None
        assert (reward.amount, reward.asset, reward.reason) == (10, "POINTS", "milestone")
        assert reward.reference == f"milestone:{milestone.id}:{ada}"
        assert published(session, "reward.requested") == [
            {
                "reward_id": str(reward.id),
                "member_id": str(ada),
                "amount": 10,
                "asset": "POINTS",
                "reason": "milestone",
                "reference": reward.reference,
                "contribution_id": str(made),
            }
        ]
        again = update(Delivery).where(Delivery.subscriber == "contributions.reward_milestone")
        session.execute(again.values(state="pending"))
    deliverer.drain()
    with platform.unit_of_work(system) as session:
        assert len(published(session, "reward.requested")) == 1
        assert session.scalar(text("SELECT count(*) FROM core_delivery WHERE state = 'dead'")) == 0


def test_a_milestone_without_reward_asks_for_none(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        session.execute(update(Milestone).values(reward_amount=0))
        wins(session, system, ada, "a")
    Deliverer(platform.database).drain()
    with platform.unit_of_work(system) as session:
        assert len(published(session, "milestone.reached")) == 1
        assert published(session, "reward.requested") == []
