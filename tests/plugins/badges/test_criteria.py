"""Criteria: what is refused and where, what a tree depends on, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.badges.criteria import parse
from plugins.badges.errors import InvalidCriteria
from plugins.badges.leaves import HELD, LEAVES, PROGRESS
from plugins.contributions import MemberFacts

from .conftest import count, held, points

KINDS = {leaf.type_name: leaf for leaf in LEAVES}
STREAK = {"type": "streak", "days": 7}


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = points(1)
    for _level in range(depth - 1):
        tree = {"not": tree}
    return tree


def facts(held: frozenset[str] = frozenset(), **values: Any) -> dict[Any, Any]:
    known = MemberFacts(**{"joined_at": datetime(2024, 5, 1, tzinfo=UTC), **values})
    return {PROGRESS: known, HELD: held}


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        (None, "$"),
        ([], "$"),
        ({}, "$"),
        ({"all": [points(1)], "any": [points(1)]}, "$"),
        ({"some": [points(1)]}, "$"),
        ({"all": []}, "$.all"),
        ({"all": points(1)}, "$.all"),
        ({"all": [points(1), "x"]}, "$.all[1]"),
        ({"type": "points.treshold", "value": 1}, "$.type"),
        ({"type": ["points.threshold"]}, "$.type"),
        ({"any": [points(1), {"not": {"type": "nothing"}}]}, "$.any[1].not.type"),
        ({"all": [points(1), {"type": "points.threshold"}]}, "$.all[1].value"),
        ({"type": "points.threshold", "value": "100"}, "$.value"),
        ({"type": "points.threshold", "value": True}, "$.value"),
        ({"type": "points.threshold", "value": 1.5}, "$.value"),
        ({"type": "points.threshold", "value": 0}, "$.value"),
        ({"type": "points.threshold", "value": 10**38}, "$.value"),
        ({"type": "points.threshold", "value": 1, "a/b~": 2}, "$.a/b~"),
        ({"type": "event.count", "event": "git.commit\x00", "count": 1}, "$.event"),
        ({"type": "member.before", "date": 20250101}, "$.date"),
        ({"type": "member.before", "date": "2025-13-01"}, "$.date"),
        ({"type": "badge.held", "badge": "Not A Slug"}, "$.badge"),
        (nested(7), "$.not.not.not.not.not.not"),
        ({"any": [{"all": [points(1)] * 26}, {"all": [points(1)] * 25}]}, "$"),
        ({"all": [points(1)] * 51}, "$.all"),
    ],
)
def test_bad_criteria_are_refused_with_the_place(definition: Any, place: str) -> None:
    with pytest.raises(InvalidCriteria) as refused:
        parse(definition, KINDS)
    assert refused.value.code == "INVALID_CRITERIA"
    assert refused.value.params["place"] == place
    assert place in refused.value.details["criteria"][0]


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(InvalidCriteria) as refused:
        parse({"all": [{"type": "x"}, {"type": "streak", "days": 0}, {"any": []}]}, KINDS)
    assert [told.split(":")[0] for told in refused.value.details["criteria"]] == [
        "$.all[0].type",
        "$.all[1].days",
        "$.all[2].any",
    ]


def test_the_limits_themselves_fit() -> None:
    parse(nested(6), KINDS)
    parse({"any": [{"all": [points(1)] * 25}, {"all": [points(1)] * 25}]}, KINDS)


def test_a_tree_depends_on_what_its_leaves_do_and_a_not_on_everything() -> None:
    assert parse({"any": [count("a"), {"all": [count("b"), held("x")]}]}, KINDS).depends_on() == {"a", "b", "badge:x"}
    assert parse({"not": count("a")}, KINDS).depends_on() == {"a", "*"}
    assert parse(points(1), KINDS).depends_on() == {"*"}
    assert parse({"type": "manual"}, KINDS).depends_on() == set()


def test_only_a_not_makes_criteria_depend_on_the_moment() -> None:
    assert parse({"all": [points(1), STREAK]}, KINDS).monotone()
    assert not parse({"any": [points(1), {"not": STREAK}]}, KINDS).monotone()


def test_explanation_has_actual_target_and_what_remains() -> None:
    tree = {"all": [points(1000), STREAK, {"not": held("banned")}, count("git.commit", 10)]}
    told = parse(tree, KINDS).explain(facts(points=640, streak_best=9, count_by_type={"git.commit": 10}))
    assert not told.ok
    short, streak, negated, commits = told.parts
    assert short.leaf
    assert (short.leaf.actual, short.leaf.target, short.leaf.remaining, short.ok) == (640, 1000, 360, False)
    assert short.leaf.text == "640 of 1000 points"
    assert short.place == "/all/0"
    assert streak.leaf
    assert (streak.ok, streak.leaf.remaining) == (True, 0)
    assert (negated.kind, negated.ok, negated.parts[0].ok) == ("not", True, False)
    assert commits.leaf
    assert commits.leaf.text == "10 of 10 contributions of type git.commit"
    assert told.progress == (6400 + 3 * 10_000) // 4


def test_an_any_is_as_far_as_its_nearest_part_and_never_full_before_it_is_met() -> None:
    told = parse({"any": [points(1000), count("*", 10_000_000)]}, KINDS).explain(
        facts(points=1, count_by_type={"a": 9_999_999})
    )
    assert (told.ok, told.progress) == (False, 9999)


def test_member_before_is_half_open_at_the_utc_day() -> None:
    leaf = parse({"type": "member.before", "date": "2025-01-01"}, KINDS)
    test = leaf.closure()
    assert test(facts(joined_at=datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)))
    assert not test(facts(joined_at=datetime(2025, 1, 1, tzinfo=UTC)))


def test_stored_facts_can_be_tested_again() -> None:
    node = parse({"all": [points(10), {"not": held("x")}]}, KINDS)
    measured = node.measure(facts(points=12))
    assert measured == {"/all/0": 12, "/all/1/not": False}
    assert node.holds(measured)
    assert not node.holds({"/all/0": 9, "/all/1/not": False})
    assert not node.holds({})


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.type_name)
def test_each_kind_documents_its_parameters(leaf: Any) -> None:
    schema = leaf.model_json_schema()
    assert schema["additionalProperties"] is False
    assert leaf.__doc__
    assert leaf.label
    leaf.wanted.format(**dict.fromkeys(schema.get("properties", {}), 1))
