"""Conditions in CEL: what a filter counts, once each, whichever way the contributions come and go."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Actor
from plugins.badges import filters, queries, service
from plugins.badges.catalogue import kinds
from plugins.badges.criteria import parse
from plugins.badges.errors import InvalidCriteria, PreviewTooSlow
from plugins.badges.models import Award, Badge, Filtered, FilteredCount
from plugins.badges.verify import verify
from plugins.contributions import Contribution
from plugins.contributions import corrections as corrected
from plugins.contributions import service as contributions

from .conftest import add_badge, add_people, recalculate_all, slugs

LARGE = "details.lines > 100"


def large(count: int = 2, where: str = LARGE, event: str = "git.merge") -> dict[str, Any]:
    return {"type": "event.count", "event": event, "count": count, "where": where}


def write(session: Session, actor: Actor, member_id: UUID, lines: Any, kind: str = "git.merge", **more: Any) -> UUID:
    key = f"{member_id}-{random.random()}"
    made = contributions.record(
        session, actor, member_id=member_id, type=kind, event_key=key, details={"lines": lines}, **more
    )
    return made.id


def counted(session: Session) -> dict[UUID, int]:
    return dict(session.execute(select(FilteredCount.member_id, FilteredCount.count)).tuples().all())


def test_only_contributions_that_meet_the_condition_count(
    platform: Platform, system: Actor, people: Any, badge: Any, drain: Any
) -> None:
    [member_id] = people()
    badge("large", large(2))
    for lines, held in ((101, False), (100, False), (None, False), ("many", False), (5_000, True)):
        with platform.unit_of_work(system) as session:
            write(session, system, member_id, lines)
        drain()
        with platform.unit_of_work(system) as session:
            assert ("large" in slugs(session, member_id)) is held
    with platform.unit_of_work(system) as session:
        assert counted(session) == {member_id: 2}
        told = queries.explain(session, "large", member_id)
        assert told.tree and told.tree.leaf
        assert told.tree.leaf.text == f"2 of 2 contributions where {LARGE}"


def test_a_delivery_that_comes_again_counts_nothing_twice(
    platform: Platform, system: Actor, people: Any, badge: Any, drain: Any
) -> None:
    [member_id] = people()
    badge("large", large(3))
    with platform.unit_of_work(system) as session:
        keys = [write(session, system, member_id, 500) for _ in range(2)]
    drain()
    with platform.unit_of_work(system) as session:
        some = [filters.Filter("git.merge", LARGE)]
        for _again in range(3):
            filters.follow(session, some, [member_id], keys)
        assert counted(session) == {member_id: 2}
        assert len(session.scalars(select(Filtered)).all()) == 2


def test_what_is_reversed_counts_no_more(
    platform: Platform, system: Actor, people: Any, badge: Any, drain: Any
) -> None:
    [member_id] = people()
    badge("large", large(2))
    with platform.unit_of_work(system) as session:
        first, _second = (write(session, system, member_id, 500) for _ in range(2))
    drain()
    with platform.unit_of_work(system) as session:
        corrected.reverse(session, system, first, reason="it was a copy")
    drain()
    with platform.unit_of_work(system) as session:
        assert counted(session) == {member_id: 1}
        assert "large" in slugs(session, member_id)  # nothing removes a badge by itself
    with platform.unit_of_work(system) as session:
        assert not list(verify(session))


def test_a_new_badge_counts_what_was_done_before_it(session: Session, system: Actor) -> None:
    ids = add_people(session, 3)
    for member_id, number in zip(ids, (1, 2, 3), strict=True):
        for _ in range(number):
            write(session, system, member_id, 900)
    add_badge(session, system, "large", large(2))
    found = queries.preview(session, large(2), slug="large")
    assert found.count == 2
    assert counted(session) == {}
    from plugins.badges.recalculation import count_anew

    count_anew(session, "large")
    assert counted(session) == dict(zip(ids, (1, 2, 3), strict=True))
    recalculate_all(session, system)
    assert ["large" in slugs(session, one) for one in ids] == [False, True, True]
    assert queries.preview(session, large(2), slug="large").count == 2


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("details.lines >", "$.where"),
        ("1 + 1", "true or false"),
        ("nobody == 1", "undeclared"),
        ("x" * 501, "500"),
        ("", "at least 1"),
        (
            "[{0}].all(a, [{0}].all(b, [{0}].all(c, true)))".format(",".join("1" * 60)),
            "budget",
        ),
    ],
)
def test_a_bad_or_hostile_condition_is_refused_with_its_place(session: Session, where: str, said: str) -> None:
    with pytest.raises(InvalidCriteria) as refused:
        service.check_criteria(session, large(where=where))
    [told] = refused.value.details["criteria"]
    assert told.startswith("$.where")
    assert said in told


def test_days_and_a_condition_do_not_go_together(session: Session) -> None:
    with pytest.raises(InvalidCriteria, match="not both"):
        parse({**large(), "days": 3}, kinds(session))


def test_a_condition_that_runs_away_on_an_event_does_not_count_it(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    runs = "details.many.all(a, details.many.all(b, details.many.all(c, true)))"
    add_badge(session, system, "runs", large(1, runs))
    made = contributions.record(
        session, system, member_id=member_id, type="git.merge", event_key="k", details={"many": list(range(100))}
    )
    one = filters.Filter("git.merge", runs)
    filters.follow(session, [one], [member_id], [made.id])
    assert counted(session) == {member_id: 0}


def test_a_preview_stops_when_counting_takes_too_long(
    session: Session, system: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    [member_id] = add_people(session)
    write(session, system, member_id, 1)
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(filters, "monotonic", lambda: next(clock))
    with pytest.raises(PreviewTooSlow):
        queries.preview(session, large(1))


def test_a_filter_that_comes_back_is_counted_anew(session: Session, system: Actor) -> None:
    [member_id] = add_people(session)
    made = add_badge(session, system, "large", large(5))
    some = [filters.Filter("git.merge", LARGE)]
    filters.follow(session, some, [member_id], [write(session, system, member_id, 500)])
    service.update_badge(session, system, made, {"criteria": {"type": "manual"}})
    write(session, system, member_id, 500)  # nobody follows it now
    service.update_badge(session, system, made, {"criteria": large(5)})
    assert counted(session) == {}
    filters.follow(session, some, [member_id], [])
    assert counted(session) == {member_id: 2}


def test_verify_names_a_count_that_is_wrong(platform: Platform, system: Actor, people: Any, badge: Any) -> None:
    [member_id] = people()
    badge("large", large(2))
    with platform.unit_of_work(system) as session:
        key = write(session, system, member_id, 500)
    Deliverer(platform.database).drain()
    with platform.unit_of_work(system) as session:
        session.execute(update(FilteredCount).values(count=7))
        assert key
    with platform.unit_of_work(system) as session:
        assert "count" in {finding.kind for finding in verify(session)}
    with platform.unit_of_work(system) as session:
        from plugins.badges.recalculation import count_anew

        count_anew(session, "large")
    with platform.unit_of_work(system) as session:
        assert not list(verify(session))


def test_events_in_any_order_and_recalculation_count_the_same(session: Session, system: Actor) -> None:
    chance = random.Random(11)
    ids = add_people(session, 4)
    some = [
        filters.Filter("git.merge", LARGE),
        filters.Filter("*", "kind.startsWith('git.') && details.lines >= 50"),
        filters.Filter("git.commit", "tier == 'free' && occurred_at > timestamp('2020-01-01T00:00:00Z')"),
    ]
    made = [
        (one, write(session, system, one, chance.choice([10, 60, 200]), chance.choice(["git.merge", "git.commit"])))
        for one in chance.choices(ids, k=30)
    ]
    chance.shuffle(made)
    for number, (member_id, key) in enumerate(made):
        if number % 7 == 0:
            session.execute(update(Contribution).where(Contribution.id == key).values(state="reversed"))
        filters.follow(session, some, [member_id], [key])
    rows = select(FilteredCount.filter_id, FilteredCount.member_id, FilteredCount.count)
    followed = set(session.execute(rows).tuples())
    assert not list(filters.wrong(session, some, ids))
    filters.recount(session, some, ids)
    assert set(session.execute(rows).tuples()) == followed
    assert sum(count for _one, _member, count in followed) > 20


def test_a_proved_address_brings_its_badge_at_once(platform: Platform, system: Actor, people: Any, drain: Any) -> None:
    from core.members.events import EmailVerified
    from guildhall import Member, now, publish

    [member_id] = people()
    with platform.unit_of_work(system) as session:
        session.execute(update(Member).where(Member.id == member_id).values(email_verified_at=now()))
        publish(session, system, EmailVerified(member_id=member_id))
    drain()
    drain()
    with platform.unit_of_work(system) as session:
        query = select(Badge.criteria).join(Award, Award.badge_id == Badge.id).where(Award.member_id == member_id)
        assert {"type": "email.verified"} in list(session.scalars(query))
