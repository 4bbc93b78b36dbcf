"""A period is whole days of somebody's clock, and its steps cover it without a gap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.reports.period import SHORTCUTS, Period, PeriodInvalid, chosen, shortcut, zone_named

TODAY = date(2026, 3, 31)
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("7_days", "2026-03-25", "2026-03-31"),
        ("30_days", "2026-03-02", "2026-03-31"),
        ("90_days", "2026-01-01", "2026-03-31"),
        ("12_months", "2025-04-01", "2026-03-31"),
        ("this_month", "2026-03-01", "2026-03-31"),
        ("last_month", "2026-02-01", "2026-02-28"),
        ("this_year", "2026-01-01", "2026-03-31"),
        ("last_year", "2025-01-01", "2025-12-31"),
    ],
)
def test_a_shortcut_is_what_it_says(name: str, first: str, last: str) -> None:
    made = shortcut(name, TODAY)
    assert (made.first.isoformat(), made.last.isoformat()) == (first, last)


def test_every_shortcut_is_known() -> None:
    assert all(shortcut(name, TODAY).last <= TODAY for name in SHORTCUTS)


def test_the_period_before_whole_months_is_whole_months() -> None:
    before = Period(date(2026, 2, 1), date(2026, 3, 31)).before
    assert (before.first, before.last) == (date(2025, 12, 1), date(2026, 1, 31))


def test_the_period_before_days_is_as_many_days() -> None:
    before = Period(date(2026, 3, 10), date(2026, 3, 12)).before
    assert (before.first, before.last) == (date(2026, 3, 7), date(2026, 3, 9))


def test_a_day_begins_when_the_clock_there_says_so() -> None:
    summer_begins = Period(date(2026, 3, 29), date(2026, 3, 29), "Europe/Berlin")
    assert summer_begins.since == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert summer_begins.until == datetime(2026, 3, 29, 22, tzinfo=UTC)


@settings(deadline=None, max_examples=60)
@given(DAYS, st.integers(0, 1000))
def test_steps_cover_the_period_in_order(first: date, days: int) -> None:
    made = Period(first, first + timedelta(days=days))
    steps = made.steps
    assert steps == sorted(set(steps)) and len(steps) <= 50
    assert steps[0] <= first and all(made.step_of(day) == day for day in steps)
    assert {made.step_of(first + timedelta(days=n)) for n in range(days + 1)} == set(steps)


@settings(deadline=None, max_examples=60)
@given(DAYS, st.integers(0, 1000))
def test_the_period_before_ends_where_this_begins(first: date, days: int) -> None:
    made = Period(first, first + timedelta(days=days))
    assert made.before.until == made.since and made.before.days >= 1


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-02-01", ""),
        ("", "2026-02-01"),
        ("2026-02-02", "2026-02-01"),
        ("x", "y"),
        ("2001-01-01", "2026-01-01"),
        ("0001-01-01", "0001-01-02"),
        ("9999-12-01", "9999-12-31"),
    ],
)
def test_days_that_are_no_period_are_refused(first: str, last: str) -> None:
    with pytest.raises(PeriodInvalid):
        chosen("", first, last, TODAY)


def test_a_zone_that_nobody_knows_is_utc() -> None:
    assert [zone_named(name) for name in ("Asia/Tokyo", "Mars/Base", "", None, "../etc")] == [
        "Asia/Tokyo",
        "UTC",
        "UTC",
        "UTC",
        "UTC",
    ]
