"""A score is a pure function whose lines sum to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import now
from guildhall import Invalid
from plugins.contributions.errors import ScoringError
from plugins.contributions.models import TIERS, ContributionType
from plugins.contributions.rules import check, rules_of, score

whole = st.integers(0, 10**9)
bonuses = st.lists(
    st.one_of(
        st.fixed_dictionaries({"label": st.just("More"), "points": whole}),
        st.fixed_dictionaries({"label": st.just("Share"), "basis_points": st.integers(0, 10**6)}),
        st.fixed_dictionaries(
            {"label": st.just("Long"), "points": whole, "min_details": st.just({"lines": 10})},
        ),
    ),
    max_size=4,
)


def kind(**values: Any) -> ContributionType:
    plain = {"code": "git.commit", "label": "Commit", "base_points": 10, "bonus": [], "tiers": TIERS, "limits": []}
    return ContributionType(**{**plain, "cap": None, "version": 3, "counts_for_streak": True, **values})


@given(
    base=st.integers(0, 10**30),
    bonus=bonuses,
    cap=st.none() | st.integers(0, 10**12),
    tier=st.sampled_from(["free", "pro", "enterprise", "unheard of"]),
    lines=st.none() | st.integers(0, 20),
)
def test_lines_sum_to_the_total_within_zero_and_the_cap(
    base: int, bonus: list[dict[str, Any]], cap: int | None, tier: str, lines: int | None
) -> None:
    rules = rules_of(kind(base_points=base, bonus=bonus, cap=cap))
    result = score(rules, tier, {"lines": lines})
    assert sum(line["points"] for line in result.lines) == result.points >= 0
    assert all(type(line["points"]) is int for line in result.lines)
    if cap is not None:
        assert result.points <= cap
    # An independent reading of the formula.
    extra = 0
    for one in bonus:
        if "min_details" not in one or (lines or 0) >= 10:
            extra += one["points"] if "points" in one else (base * one["basis_points"]) // 10000
    total = base + extra + base * ({"pro": 5000, "enterprise": 10000}.get(tier, 0)) // 10000
    assert result.points == (total if cap is None else min(total, cap))


def test_a_tier_adds_to_the_base_and_not_to_bonuses() -> None:
    rules = rules_of(kind(base_points=15, bonus=[{"label": "First", "points": 100}]))
    result = score(rules, "pro", {})
    assert result.lines == [
        {"label": "Base", "points": 15},
        {"label": "Bonus: First", "points": 100},
        {"label": "Tier pro", "points": 7},
    ]
    assert result.points == 122


def test_text_and_booleans_in_details_never_meet_a_number() -> None:
    rules = rules_of(kind(bonus=[{"label": "Long", "points": 5, "min_details": {"lines": 1}}]))
    for value in ("12", True, None, [3], {}):
        assert score(rules, "free", {"lines": value}).points == 10


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bonus", [{"label": "Both", "points": 1, "basis_points": 1}]),
        ("bonus", [{"label": "None"}]),
        ("bonus", [{"label": "Less", "points": -1}]),
        ("bonus", {"not": "a list"}),
        ("tiers", {"pro": 9999}),
        ("tiers", {"pro": "15000"}),
        ("limits", [{"per": "fortnight", "count": 1}]),
        ("limits", [{"per": "day", "count": 1}, {"per": "day", "count": 2}]),
        ("limits", ["day"]),
        ("cap", -1),
        ("base_points", -1),
    ],
)
def test_a_type_that_could_not_be_scored_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        check({field: value})
    assert list(refused.value.details) == [field]


def test_rules_broken_behind_our_back_are_a_scoring_error() -> None:
    with pytest.raises(ScoringError) as refused:
        rules_of(kind(bonus=[{"points": "many"}], created_at=now()))
    assert refused.value.code == "SCORING_ERROR"
