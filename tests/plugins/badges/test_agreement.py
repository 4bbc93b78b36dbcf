"""The property that keeps the two readings equal: a random tree on random members, closure against SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import false, func, insert, select, update
from sqlalchemy.orm import Session

from guildhall import Actor, Member, new_id, now
from plugins.badges import Award, Badge, filters
from plugins.badges.catalogue import kinds
from plugins.badges.criteria import Node, parse
from plugins.badges.evaluator import cascade, evaluate
from plugins.badges.frame import Frame
from plugins.badges.queries import facts_of
from plugins.contributions import Contribution, MemberProgress, TypeProgress

from .conftest import add_badge, recalculate_all

NUMBERS = st.sampled_from([1, 2, 7, 99, 100, 101, 2**31 - 1])
POINTS = st.sampled_from([1, 99, 100, 101, 10**20, 10**38 - 1])
TYPES = ["git.commit", "challenge.win", "submission.approved", "profile.complete"]
CHALLENGES = ["challenge.win", "challenge.finalist", "challenge.participation"]
BADGES = ["points-100", "winner", "legend"]
DAY = date(2025, 1, 1)

leaves = st.one_of(
    st.builds(lambda value: {"type": "points.threshold", "value": value}, POINTS),
    st.builds(
        lambda event, n: {"type": "event.count", "event": event, "count": n}, st.sampled_from([*TYPES, "*"]), NUMBERS
    ),
    st.builds(
        lambda event, n, days: {"type": "event.count", "event": event, "count": n, "days": days},
        st.sampled_from([*TYPES, "*"]),
        st.integers(1, 4),
        st.sampled_from([1, 2, 30]),
    ),
    st.builds(lambda kind, n: {"type": kind, "count": n}, st.sampled_from(CHALLENGES), NUMBERS),
    st.builds(lambda days: {"type": "streak", "days": days}, NUMBERS),
    st.builds(lambda level: {"type": "level", "level": level}, st.integers(1, 4)),
    st.sampled_from([{"type": "profile.complete"}, {"type": "email.verified"}]),
    st.builds(lambda d: {"type": "member.before", "date": str(DAY + timedelta(days=d))}, st.integers(-1, 1)),
    st.builds(lambda slug: {"type": "badge.held", "badge": slug}, st.sampled_from(BADGES)),
    st.just({"type": "manual"}),
)
filtered = st.builds(
    lambda event, n, where: {"type": "event.count", "event": event, "count": n, "where": where},
    st.sampled_from([*TYPES, "*"]),
    st.integers(1, 3),
    st.sampled_from(["kind.startsWith('git.')", "occurred_at > timestamp('2025-01-02T00:00:00Z')", "tier == 'pro'"]),
)


def trees_of(leaves: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    made = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=8,
    )
    return made.filter(lambda tree: _depth(tree) <= 6)


trees = trees_of(leaves)
around = st.sampled_from([0, 1, 2, 6, 7, 8, 98, 99, 100, 101, 102])
members = st.fixed_dictionaries(
    {
        "points": st.one_of(around, st.sampled_from([10**20, 10**38 - 1])),
        "streak": around,
        "counts": st.dictionaries(st.sampled_from(TYPES), around.filter(bool)),
        "joined": st.integers(-172_801, 172_801).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s)),
        "held": st.dictionaries(st.sampled_from(BADGES), st.booleans()),
        "progress": st.booleans(),
        "verified": st.booleans(),
        "hours": st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 80), st.booleans()), max_size=6),
    }
)


def _depth(tree: dict[str, Any]) -> int:
    if "type" in tree:
        return 1
    inner = next(iter(tree.values()))
    return 1 + max(map(_depth, inner if isinstance(inner, list) else [inner]))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees_of(st.one_of(leaves, filtered)), crowd=st.lists(members, min_size=1, max_size=5))
def test_closure_and_sql_agree(session: Session, tree: dict[str, Any], crowd: list[dict[str, Any]]) -> None:
    node = parse(tree, kinds(session))
    savepoint = session.begin_nested()
    try:
        ids = [_write(session, one) for one in crowd]
        filters.recount(session, filters.named(tree), ids[::2])  # the others are counted in memory
        frames = (filters.uncounted(session, filters.named(tree)),)
        narrow, wide = (_by_sql(session, node, ids, wide, *frames) for wide in (False, True))
        test = node.closure()
        for member_id in ids:
            facts = facts_of(session, [node], member_id)
            met, measured = narrow[member_id]
            assert wide[member_id] == (met, measured)
            assert test(facts) is met
            assert node.measure(facts) == measured
            assert node.holds(measured) is met
            assert node.explain(facts).ok is met
    finally:
        savepoint.rollback()


def _by_sql(
    session: Session, node: Node, ids: list[UUID], wide: bool = False, counted: Any = None
) -> dict[UUID, tuple[bool, dict[str, Any]]]:
    """Whether each member meets a tree, and what is measured, as a statement for one badge or for many has it."""
    frame = Frame(lambda member_id: member_id.in_(ids), wide=wide, counted=counted)
    columns = (Member.id, func.coalesce(node.sql(frame), false()), node.measure_sql(frame))
    query = select(*columns).select_from(frame.joined()).where(Member.id.in_(ids))
    return {member_id: (met, measured) for member_id, met, measured in session.execute(query)}


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(some=st.lists(trees, min_size=1, max_size=6), crowd=st.lists(members, min_size=1, max_size=4))
def test_evaluator_and_recalculation_award_the_same(
    session: Session, system: Actor, some: list[dict[str, Any]], crowd: list[dict[str, Any]]
) -> None:
    savepoint = session.begin_nested()
    try:
        session.execute(update(Badge).values(enabled=False))
        for number, tree in enumerate(some):
            add_badge(session, system, f"any-{number}", tree)
        ids = [_write(session, one) for one in crowd]
        pairs = select(Award.member_id, Award.badge_id, Award.facts).where(Award.source != "manual")
        inner = session.begin_nested()
        evaluate(session, system, members=ids, types=TYPES, tipped=dict)
        for member_id, one in zip(ids, crowd, strict=True):
            for slug in (slug for slug, removed in one["held"].items() if not removed):
                cascade(session, system, member_id=member_id, slug=slug)  # as who gives a badge by hand does
        by_events = sorted(session.execute(pairs).tuples(), key=str)
        inner.rollback()
        recalculate_all(session, system)
        assert sorted(session.execute(pairs).tuples(), key=str) == by_events
        assert recalculate_all(session, system) == 0
        assert evaluate(session, system, members=ids, types=TYPES, tipped=dict) == []
    finally:
        savepoint.rollback()


EMPTY: dict[str, Any] = {
    "points": 0,
    "streak": 0,
    "counts": {},
    "joined": datetime(2025, 1, 1, tzinfo=UTC),
    "held": {},
    "progress": True,
    "verified": False,
    "hours": [],
}


@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize(
    ("leaf", "member"),
    [
        ({"type": "points.threshold", "value": 100}, lambda n: {"points": n}),
        ({"type": "event.count", "event": "git.commit", "count": 100}, lambda n: {"counts": {"git.commit": n}}),
        (
            {"type": "event.count", "event": "*", "count": 100},
            lambda n: {"counts": {"git.commit": 60, "challenge.win": n - 60}},
        ),
        ({"type": "streak", "days": 100}, lambda n: {"streak": n}),
    ],
)
def test_both_readings_turn_at_the_target_itself(session: Session, leaf: dict[str, Any], member: Any, off: int) -> None:
    member_id = _write(session, {**EMPTY, **member(100 + off)})
    node = parse(leaf, kinds(session))
    expected = off >= 0
    assert node.closure()(facts_of(session, [node], member_id)) is expected
    assert _by_sql(session, node, [member_id])[member_id][0] is expected


@pytest.mark.parametrize("seconds", [-1, 0])
def test_both_readings_turn_at_midnight_utc(session: Session, seconds: int) -> None:
    member_id = _write(session, {**EMPTY, "joined": EMPTY["joined"] + timedelta(seconds=seconds)})
    node = parse({"type": "member.before", "date": "2025-01-01"}, kinds(session))
    expected = seconds < 0
    assert node.closure()(facts_of(session, [node], member_id)) is expected
    assert _by_sql(session, node, [member_id])[member_id][0] is expected


def _write(session: Session, one: dict[str, Any]) -> UUID:
    member_id = new_id()
    verified = {"email_verified_at": now()} if one["verified"] else {"email_verified_at": None}
    session.execute(insert(Member), [{"id": member_id, "display_name": "x", "joined_at": one["joined"], **verified}])
    for kind, hour, counted in one["hours"]:
        session.execute(insert(Contribution), [_contribution(member_id, kind, hour, counted)])
    if one["progress"]:
        total = {"member_id": member_id, "points": one["points"], "streak_best": one["streak"], "streak_current": 0}
        session.execute(insert(MemberProgress), [{**total, "count": sum(one["counts"].values())}])
        rows = [{"member_id": member_id, "type": t, "count": n, "points": 0} for t, n in one["counts"].items()]
        if rows:
            session.execute(insert(TypeProgress), rows)
    ids = dict(session.execute(select(Badge.slug, Badge.id)).tuples().all())
    for slug, removed in one["held"].items():
        award = {"id": new_id(), "badge_id": ids[slug], "member_id": member_id, "badge_version": 1, "source": "manual"}
        if removed:
            award |= {"revoked_at": now(), "revoke_reason": "test"}
        session.execute(insert(Award), [{"awarded_at": now(), **award}])
    return member_id


def _contribution(member_id: UUID, kind: str, hour: int, counted: bool) -> dict[str, Any]:
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    return {
        "id": new_id(),
        "member_id": member_id,
        "type": kind,
        "points": 0,
        "state": "counted" if counted else "rejected",
        "breakdown": [],
        "type_version": 1,
        "details": {},
        "source": "system",
        "event_key": str(new_id()),
        "occurred_at": at,
        "local_day": at.date(),
        "counts_for_streak": True,
        "correlation_id": new_id(),
    }


def test_the_best_days_count_whenever_they_were(session: Session) -> None:
    leaf = {"type": "event.count", "event": "git.commit", "count": 3, "days": 1}
    node = parse(leaf, kinds(session))
    just = _write(session, {**EMPTY, "hours": [("git.commit", hour, True) for hour in (0, 50, 60, 73)]})
    late = _write(session, {**EMPTY, "hours": [("git.commit", hour, True) for hour in (50, 60, 74)]})
    assert [node.closure()(facts_of(session, [node], one)) for one in (just, late)] == [True, False]
    assert [_by_sql(session, node, [one])[one][0] for one in (just, late)] == [True, False]
    told = node.explain(facts_of(session, [node], late)).leaf
    assert told
    assert told.text == "at best 2 of 3 contributions within 1 days"
