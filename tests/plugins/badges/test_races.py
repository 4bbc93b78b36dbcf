"""What happens at once: nothing is missed, nothing doubled, no limit overrun."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update

from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Actor, DomainError, new_id
from plugins.badges import Award, Badge, service
from plugins.badges.evaluator import evaluate
from plugins.badges.recalculation import recalculate
from plugins.contributions import service as contributions

from .conftest import count, held

ROUNDS = 12
WAITS = text("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run every act in a thread of its own, all starting together; exceptions are results."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except DomainError as problem:
            return problem

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def awards_of(platform: Platform, slug: str) -> list[UUID]:
    with platform.unit_of_work() as session:
        query = select(Award.member_id).join(Badge, Badge.id == Award.badge_id).where(Badge.slug == slug)
        return list(session.scalars(query))


def test_two_contributions_at_once_tip_a_badge_that_needs_both_exactly_once(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], badge: Callable[..., UUID]
) -> None:
    badge("both", {"all": [count("git.commit"), count("git.merge")]})
    members = people(ROUNDS)

    def contribute_and_deliver(member_id: UUID, type: str) -> None:
        with platform.unit_of_work(system) as session:
            contributions.record(session, system, member_id=member_id, type=type, event_key=str(new_id()))
        Deliverer(platform.database).drain()

    for member_id in members:
        at_once(
            lambda one=member_id: contribute_and_deliver(one, "git.commit"),  # type: ignore[misc]
            lambda one=member_id: contribute_and_deliver(one, "git.merge"),  # type: ignore[misc]
        )
    Deliverer(platform.database).drain()
    assert sorted(awards_of(platform, "both")) == members


def test_a_badge_that_needs_another_is_not_missed_between_two_evaluations(
    platform: Platform,
    system: Actor,
    people: Callable[..., list[UUID]],
    badge: Callable[..., UUID],
    contribute: Callable[..., UUID],
) -> None:
    """The first has awarded ``base`` and not committed; the second must wait for it, or both would miss ``both``."""
    with platform.unit_of_work(system) as session:  # no other badge may make the two wait for each other
        session.execute(update(Badge).values(enabled=False, revision=Badge.revision + 1))
    badge("base", count("git.commit"))
    badge("both", {"all": [held("base"), count("git.merge")]})
    [member_id] = people()
    contribute(member_id, "git.commit")

    def second() -> None:
        contribute(member_id, "git.merge")
        with platform.unit_of_work(system) as session:
            evaluate(session, system, members=[member_id], types=["git.merge"], tipped=dict)

    with ThreadPoolExecutor(1) as pool:
        with platform.unit_of_work(system) as session:
            evaluate(session, system, members=[member_id], types=["git.commit"], tipped=dict)
            waiting = pool.submit(second)
            until = time.monotonic() + 20
            while not waiting.done() and not session.scalar(WAITS) and time.monotonic() < until:
                time.sleep(0.02)
        waiting.result()
    assert awards_of(platform, "both") == [member_id]


def test_a_supply_limit_holds_under_64_threads(
    platform: Platform,
    system: Actor,
    people: Callable[..., list[UUID]],
    badge: Callable[..., UUID],
    contribute: Callable[..., UUID],
) -> None:
    badge("rare", count("git.merge"), supply_limit=3)
    members = people(64)
    for member_id in members:
        contribute(member_id, "git.merge")

    def earn(member_id: UUID) -> int:
        with platform.unit_of_work(system) as session:
            earned = evaluate(session, system, members=[member_id], types=["git.merge"], tipped=dict)
            return sum(one.badge.slug == "rare" for one in earned)

    assert sum(at_once(*(lambda one=member_id: earn(one) for member_id in members))) == 3  # type: ignore[misc]
    assert len(awards_of(platform, "rare")) == 3
    with platform.unit_of_work(system) as session:
        assert recalculate(session, system, "rare") == 0


def test_evaluators_and_recalculations_at_once_award_each_badge_once(
    platform: Platform,
    system: Actor,
    people: Callable[..., list[UUID]],
    badge: Callable[..., UUID],
    contribute: Callable[..., UUID],
) -> None:
    badge("merger", count("git.merge"))
    badge("limited", count("git.merge"), supply_limit=5)
    members = people(12)
    for member_id in members:
        contribute(member_id, "git.merge")

    def by_events(some: list[UUID]) -> None:
        with platform.unit_of_work(system) as session:
            evaluate(session, system, members=some, types=["git.merge"], tipped=dict, quiet=True)

    def by_sets(slug: str) -> None:
        with platform.unit_of_work(system) as session:
            recalculate(session, system, slug)

    at_once(
        lambda: by_events(members),
        lambda: by_events(members[::-1]),
        lambda: by_events(members[3:]),
        lambda: by_sets("merger"),
        lambda: by_sets("merger"),
        lambda: by_sets("limited"),
    )
    assert sorted(awards_of(platform, "merger")) == members
    assert len(awards_of(platform, "limited")) == 5
    with platform.unit_of_work() as session:
        from core.events.models import EventRow

        said = session.scalars(select(EventRow.payload).where(EventRow.name == "badges.badge.awarded")).all()
        assert len({one["award_id"] for one in said}) == len(said)
        assert len(said) == session.scalar(select(func.count()).select_from(Award))


def test_of_two_admins_giving_the_same_badge_one_is_told_that_it_is_held(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], badge: Callable[..., UUID]
) -> None:
    badge("thanks", {"type": "manual"}, supply_limit=1)
    [member_id] = people()

    def give() -> str:
        with platform.unit_of_work(system) as session:
            service.award(session, system, slug="thanks", member_id=member_id, reason="for the talk")
        return "given"

    results = at_once(give, give, give, give)
    assert sorted(getattr(one, "code", one) for one in results) == ["BADGE_ALREADY_HELD"] * 3 + ["given"]
    assert awards_of(platform, "thanks") == [member_id]


def test_a_storm_of_the_same_event_awards_each_badge_once(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], contribute: Callable[..., UUID]
) -> None:
    [member_id] = people()
    contribute(member_id, "challenge.win")

    def earn() -> int:
        with platform.unit_of_work(system) as session:
            return len(evaluate(session, system, members=[member_id], types=["challenge.win"], tipped=dict))

    assert sorted(at_once(*[earn] * 16))[-2:] == [0, 3]
    for slug in ("winner", "points-100", "contributor"):
        assert awards_of(platform, slug) == [member_id]
