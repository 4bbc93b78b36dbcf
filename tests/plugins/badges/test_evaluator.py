"""The evaluator: each contribution brings what it tips, once, whatever is delivered twice or at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy import event as sa_event
from sqlalchemy.orm import Session

from core.clock import frozen
from core.events.models import EventRow
from core.platform import Platform
from guildhall import Actor, Member, StoredEvent, new_id, now
from plugins.badges import Award, Badge, handlers, service
from plugins.badges.catalogue import current
from plugins.badges.recalculation import recalculate
from plugins.contributions import BatchRecorded, ContributionRecorded
from plugins.contributions import service as contributions

from .conftest import add_badge, add_people, count, held, points, recalculate_all, slugs

Make = Callable[..., UUID]


def stored(payload: Any) -> StoredEvent:
    return StoredEvent(
        id=new_id(),
        name=payload.event_name,
        version=1,
        payload=payload,
        occurred_at=now(),
        correlation_id=new_id(),
        causation_id=None,
        actor_id=None,
    )


def record(session: Session, actor: Actor, member_id: UUID, type: str, **values: Any) -> StoredEvent:
    """Record a contribution; returns the event that a subscriber would get."""
    made = contributions.record(session, actor, member_id=member_id, type=type, event_key=str(new_id()), **values)
    return stored(ContributionRecorded(contribution_id=made.id, member_id=member_id, type=type, points=made.points))


def awards(session: Session) -> list[Award]:
    return list(session.scalars(select(Award).order_by(Award.id)))


def test_a_contribution_brings_its_badge_through_the_outbox(
    platform: Platform, people: Callable[..., list[UUID]], contribute: Make, drain: Callable[[], int]
) -> None:
    [member_id] = people()
    contribution_id = contribute(member_id, "challenge.win")
    drain()
    with platform.unit_of_work() as session:
        assert slugs(session, member_id) >= {"contributor", "winner", "points-100"}
        winner = session.scalars(select(Award).join(Badge).where(Badge.slug == "winner")).one()
        assert winner.contribution_id == contribution_id
        assert (winner.source, winner.badge_version, winner.facts) == ("evaluator", 1, {"": 1})
        said = session.scalars(select(EventRow.payload).where(EventRow.name == "badges.badge.awarded")).all()
        assert len(said) == len(slugs(session, member_id))
        assert {one["quiet"] for one in said} == {False}
        assert {one["contribution_id"] for one in said} == {str(contribution_id)}


def test_the_same_event_twice_awards_once(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    event = record(session, system, member_id, "challenge.win")
    handlers.evaluate(session, system, event)
    before = [(award.id, award.awarded_at) for award in awards(session)]
    said = session.scalar(select(func.count()).select_from(EventRow))
    handlers.evaluate(session, system, event)
    assert [(award.id, award.awarded_at) for award in awards(session)] == before
    assert session.scalar(select(func.count()).select_from(EventRow)) == said


def test_a_chain_of_badges_is_awarded_at_once_in_dependency_order(session: Session, system: Actor) -> None:
    add_badge(session, system, "c1", count("git.merge"))
    add_badge(session, system, "a2", held("c1"))  # sorted before what it needs
    add_badge(session, system, "b3", {"all": [held("a2"), held("c1")]})
    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "git.merge"))
    assert slugs(session, member_id) >= {"c1", "a2", "b3"}
    assert {award.contribution_id for award in awards(session)} == {awards(session)[0].contribution_id}


def test_a_removed_badge_is_never_awarded_again_and_does_not_count_as_held(session: Session, system: Actor) -> None:
    add_badge(session, system, "first-merge", count("git.merge"))
    add_badge(session, system, "second", {"all": [held("first-merge"), count("git.merge", 2)]})
    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "git.merge"))
    service.revoke(session, system, slug="first-merge", member_id=member_id, reason="given in error")
    handlers.evaluate(session, system, record(session, system, member_id, "git.merge"))
    recalculate(session, system, "first-merge")
    assert not slugs(session, member_id) & {"first-merge", "second"}
    [row] = session.scalars(select(Award).join(Badge).where(Badge.slug == "first-merge"))
    assert row.revoke_reason == "given in error"


def test_only_badges_that_the_type_can_touch_are_looked_at(session: Session) -> None:
    catalogue = current(session)
    touched = {catalogue.badges[position].slug for position in catalogue.touched_by(["challenge.win"])}
    assert "winner" in touched
    assert "points-100" in touched
    assert not touched & {"finalist", "participant", "commits-10", "legend"}


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_a_member_who_is_not_active_earns_nothing(session: Session, system: Actor, status: str) -> None:
    [member_id] = add_people(session)
    event = record(session, system, member_id, "git.merge")
    session.execute(update(Member).where(Member.id == member_id).values(status=status))
    handlers.evaluate(session, system, event)
    assert not slugs(session, member_id)
    assert recalculate_all(session, system) == 0


def test_the_window_is_half_open_and_off_means_off(session: Session, system: Actor) -> None:
    start = now()
    add_badge(session, system, "window", count("git.merge"), active_from=start, active_until=start + timedelta(days=1))
    add_badge(session, system, "off", count("git.merge"), enabled=False)
    early, inside, late = add_people(session, 3)
    for member_id, hours in ((early, -1), (inside, 0), (late, 24)):
        event = record(session, system, member_id, "git.merge")
        with frozen(start + timedelta(hours=hours)):
            handlers.evaluate(session, system, event)
    assert [("window" in slugs(session, one), "off" in slugs(session, one)) for one in (early, inside, late)] == [
        (False, False),
        (True, False),
        (False, False),
    ]


def test_an_edit_takes_effect_with_the_very_next_event(session: Session, system: Actor) -> None:
    badge = add_badge(session, system, "edited", count("git.merge", 5))
    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "git.merge"))
    assert "edited" not in slugs(session, member_id)
    service.update_badge(session, system, badge, {"criteria": count("git.merge", 2)})
    assert badge.version == 2
    handlers.evaluate(session, system, record(session, system, member_id, "git.merge"))
    assert "edited" in slugs(session, member_id)
    assert session.scalars(select(Award.badge_version).where(Award.badge_id == badge.id)).one() == 2


def test_an_unchanged_version_is_compiled_once(platform: Platform, badge: Make, system: Actor) -> None:
    with platform.unit_of_work() as session:
        before = {one.slug: one for one in current(session).badges}
        assert current(session) is current(session)
    badge("new-one", points(1))
    with platform.unit_of_work() as session:
        after = {one.slug: one for one in current(session).badges}
    assert "new-one" in after
    assert all(after[slug].test is one.test for slug, one in before.items())


def test_a_batch_is_quiet_and_the_last_contribution_stands_for_it(session: Session, system: Actor) -> None:
    [member_id, other] = add_people(session, 2)
    at = now() - timedelta(hours=1)
    rows = [
        contributions.NewContribution(
            member_id=one, type="git.commit", event_key=f"{one}:{n}", occurred_at=at + timedelta(seconds=n)
        )
        for n in range(10)
        for one in (member_id, other)
    ]
    outcomes = contributions.record_many(session, system, rows)
    ids = [one.contribution_id for one in outcomes if one.contribution_id]
    event = stored(BatchRecorded(contribution_ids=ids, member_ids=[member_id, other], types=["git.commit"]))
    for _twice in range(2):
        handlers.evaluate_batch(session, system, event)
    for one in (member_id, other):
        assert slugs(session, one) >= {"contributor", "commits-10"}
    tipped = session.scalars(select(Award.contribution_id).where(Award.member_id == member_id)).all()
    assert set(tipped) == {ids[18]}
    said = session.scalars(select(EventRow.payload).where(EventRow.name == "badges.badge.awarded")).all()
    assert len(said) == len(awards(session))
    assert {one["quiet"] for one in said} == {True}


def test_evaluator_and_recalculation_award_the_same(session: Session, system: Actor) -> None:
    import random

    add_badge(session, system, "any-two", {"any": [count("git.merge", 2), count("referral.success", 2)]})
    chance = random.Random(7)
    members = add_people(session, 5, joined_at=now() - timedelta(days=900))
    types = ["git.commit", "git.merge", "challenge.win", "submission.approved", "challenge.finalist"]
    start = now() - timedelta(days=80)
    for day in range(24):
        for member_id in members:
            if chance.random() < 0.7 or member_id == members[0]:
                at = start + timedelta(days=day, seconds=chance.randrange(3600))
                event = record(session, system, member_id, chance.choice(types), occurred_at=at, source="import")
                handlers.evaluate(session, system, event)
    pair = select(Award.member_id, Award.badge_id)
    by_events = set(session.execute(pair).tuples())
    assert len(by_events) > 30
    assert recalculate_all(session, system) == 0
    session.execute(delete(Award))
    assert recalculate_all(session, system) == len(by_events)
    assert set(session.execute(pair).tuples()) == by_events


def test_a_badge_whose_leaf_is_gone_does_not_stop_the_others(session: Session, system: Actor) -> None:
    session.execute(
        update(Badge).where(Badge.slug == "winner").values(criteria={"type": "gone"}, version=2, revision=2)
    )
    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "challenge.win"))
    assert "winner" not in slugs(session, member_id)
    assert "points-100" in slugs(session, member_id)
    assert "winner" in current(session).broken


def test_evaluating_takes_few_statements(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    handlers.evaluate(session, system, record(session, system, member_id, "git.commit"))
    nothing_new = record(session, system, member_id, "git.commit")
    seen: list[str] = []
    connection = session.connection()
    sa_event.listen(connection, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    handlers.evaluate(session, system, nothing_new)
    assert len(seen) <= 6, seen


def test_a_not_is_the_same_in_both_readings(session: Session, system: Actor) -> None:
    add_badge(session, system, "quiet-one", {"all": [count("*"), {"not": {"any": [count("git.commit"), points(50)]}}]})
    silent, loud = add_people(session, 2)
    events = [record(session, system, silent, "git.merge"), record(session, system, loud, "git.commit")]
    inner = session.begin_nested()
    for event in events:
        handlers.evaluate(session, system, event)
    by_events = [slugs(session, one) for one in (silent, loud)]
    inner.rollback()
    recalculate_all(session, system)
    assert ["quiet-one" in one for one in by_events] == [True, False]
    assert [slugs(session, one) for one in (silent, loud)] == by_events


def test_the_windows_of_all_badges_are_read_at_once(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    for number, days in enumerate((1, 7, 30)):
        for code in ("git.commit", "*"):
            leaf = {"type": "event.count", "event": code, "count": 2, "days": days}
            add_badge(session, system, f"within-{number}-{'any' if code == '*' else 'commits'}", leaf)
    record(session, system, member_id, "git.commit")
    recorded = record(session, system, member_id, "git.commit")
    sent: list[str] = []
    listener = (session.connection(), "before_cursor_execute", lambda *told: sent.append(told[2]))
    sa_event.listen(*listener)
    handlers.evaluate(session, system, recorded)
    sa_event.remove(*listener)
    assert sum("width_bucket" in statement for statement in sent) == 1
    assert {f"within-{number}-{kind}" for number in range(3) for kind in ("any", "commits")} <= slugs(
        session, member_id
    )
