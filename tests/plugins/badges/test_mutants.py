"""Evaluators and recalculations that are broken on purpose: each mistake is caught by a test that is named here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text, true
from sqlalchemy.orm import Session

from guildhall import Actor
from plugins.badges import catalogue, counts, criteria, evaluator, filters, leaf, leaves, recalculation, service
from plugins.badges.leaves import HELD

from . import test_agreement, test_evaluator, test_filters, test_races, test_recalculation, test_service


def _points(off: int) -> Callable[[Session, Actor], None]:
    def caught(session: Session, system: Actor) -> None:
        definition = {"type": "points.threshold", "value": 100}
        test_agreement.test_both_readings_turn_at_the_target_itself(session, definition, lambda n: {"points": n}, off)

    return caught


def _any_type(session: Session, system: Actor) -> None:
    definition = {"type": "event.count", "event": "*", "count": 100}
    both = {"git.commit": 60, "challenge.win": 40}
    test_agreement.test_both_readings_turn_at_the_target_itself(session, definition, lambda n: {"counts": both}, 0)


def _held_or_removed(session: Session, members: Collection[Any]) -> Any:
    standing = HAD(session, members)
    for member_id, mine in standing.had.items():
        standing.facts[member_id][HELD] = frozenset(mine)
    return standing


def _again(session: Session, met: Collection[Any]) -> list[Any]:
    INSERT(session, met)
    return [(filter_id, member) for filter_id, member, _key in met]


def forget(session: Session) -> None:
    """Let nothing be kept that was made with a mistake, or without one."""
    counts.best_of.cache_clear()
    session.info["registry"].cache.forget()


HAD = evaluator._standing
INSERT = filters._insert
BEST = counts.best


@pytest.mark.parametrize(
    ("place", "name", "mistake", "caught"),
    [
        pytest.param(
            leaf.AtLeast, "holds", lambda self, actual: (actual or 0) > self.target, _points(0), id="more than enough"
        ),
        pytest.param(
            leaf.AtLeast, "holds", lambda self, actual: (actual or 0) + 1 >= self.target, _points(-1), id="one too few"
        ),
        pytest.param(
            leaf.AtLeast, "sql", lambda self, frame: self.column(frame) > self.target, _points(0), id="SQL more"
        ),
        pytest.param(
            leaves.MemberBefore,
            "holds",
            lambda self, actual: actual <= self.date.isoformat(),
            lambda session, system: test_agreement.test_both_readings_turn_at_midnight_utc(session, 0),
            id="the day itself",
        ),
        pytest.param(
            counts.EventCount, "actual", lambda self, fact: fact.count_by_type.get(self.event, 0), _any_type, id="any"
        ),
        pytest.param(
            counts,
            "best",
            lambda event, days, keep: BEST(event, days + 1, keep),
            lambda session, system: test_agreement.test_the_best_days_count_whenever_they_were(session),
            id="a day too long in SQL",
        ),
        pytest.param(
            counts,
            "BEST_OF_ONE",
            text(counts.BEST_OF_ONE.text.replace("pair.days * ", "(pair.days + 1) * ")),
            lambda session, system: test_agreement.test_the_best_days_count_whenever_they_were(session),
            id="a day too long",
        ),
        pytest.param(
            criteria.All,
            "closure",
            lambda self: lambda facts: any(part.closure()(facts) for part in self.parts),
            test_evaluator.test_a_removed_badge_is_never_awarded_again_and_does_not_count_as_held,
            id="all is any",
        ),
        pytest.param(
            evaluator,
            "_standing",
            _held_or_removed,
            test_evaluator.test_a_removed_badge_is_never_awarded_again_and_does_not_count_as_held,
            id="removed is held",
        ),
        pytest.param(
            criteria.Not,
            "sql",
            lambda self, frame, *, negated=False: self.parts[0].sql(frame, negated=negated),
            test_evaluator.test_a_not_is_the_same_in_both_readings,
            id="not forgotten in SQL",
        ),
        pytest.param(
            catalogue.Catalogue,
            "touched_by",
            lambda self, types: {one for code in types for one in self.index.get(code, ())},
            test_service.test_the_timeline_shows_what_a_contribution_tipped,
            id="badges of any type forgotten",
        ),
        pytest.param(
            catalogue.Catalogue,
            "that_need",
            lambda self, slug: (),
            test_evaluator.test_a_chain_of_badges_is_awarded_at_once_in_dependency_order,
            id="no cascade",
        ),
        pytest.param(
            service,
            "cascade",
            lambda session, actor, **given: [],
            test_service.test_a_badge_given_by_hand_is_audited_published_and_cascades,
            id="no cascade by hand",
        ),
        pytest.param(
            catalogue.Compiled,
            "active",
            lambda self, at: True,
            test_recalculation.test_a_badge_that_is_gone_or_over_is_not_reported_as_missed,
            id="windows ignored",
        ),
        pytest.param(
            recalculation,
            "remaining",
            lambda session, badge_id: 10**6,
            test_recalculation.test_a_limited_badge_goes_to_those_who_joined_first,
            id="supply ignored",
        ),
        pytest.param(
            recalculation,
            "_within",
            lambda member_id: true(),
            test_recalculation.test_only_the_members_of_a_step_are_given_anything,
            id="all members in each step",
        ),
        pytest.param(
            filters,
            "_remove",
            lambda session, *where, met: [],
            test_filters.test_events_in_any_order_and_recalculation_count_the_same,
            id="what was reversed stays counted",
        ),
        pytest.param(
            filters,
            "_insert",
            _again,
            test_filters.test_events_in_any_order_and_recalculation_count_the_same,
            id="counted again by each delivery",
        ),
    ],
)
def test_the_mistake_is_caught(
    session: Session,
    system: Actor,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    mistake: Any,
    caught: Callable[[Session, Actor], None],
) -> None:
    forget(session)
    monkeypatch.setattr(place, name, mistake)
    with pytest.raises((AssertionError, ValueError)):
        caught(session, system)
    forget(session)


def test_not_locking_members_is_caught_by_the_composite_race(
    monkeypatch: pytest.MonkeyPatch, platform: Any, system: Actor, people: Any, badge: Any, contribute: Any
) -> None:
    monkeypatch.setattr(evaluator, "locks", SimpleNamespace(members=lambda session, ids: set(ids)))
    with pytest.raises(AssertionError):
        test_races.test_a_badge_that_needs_another_is_not_missed_between_two_evaluations(
            platform, system, people, badge, contribute
        )
