"""Leaderboards and figures are what the contributions say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from core.clock import frozen
from guildhall import Actor
from plugins.contributions import admin, hooks, queries, service

from .conftest import add_people

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday


def give(session: Session, actor: Actor, member_id: UUID, *moments: datetime, code: str = "git.commit") -> list[UUID]:
    with frozen(NOW):
        return [
            service.record(session, actor, member_id=member_id, type=code, occurred_at=at, source="import").id
            for at in moments
        ]


def ranks(board: queries.Leaderboard) -> list[tuple[int, str, int]]:
    return sorted((one.rank, one.name, one.points) for one in board.ranks)


def test_equal_points_share_a_rank_and_the_next_counts_them_all(session: Session, system: Actor) -> None:
    members = add_people(session, 5)
    for member, count in zip(members, (3, 2, 2, 1, 0), strict=True):
        give(session, system, member, *[NOW] * count)
    board = queries.leaderboard(session, me=members[3])
    assert ranks(board) == [(1, "Member 0", 15), (2, "Member 1", 10), (2, "Member 2", 10), (4, "Member 3", 5)]
    assert board.me is not None
    assert board.me.rank == 4
    cut = queries.leaderboard(session, top=1, me=members[2])
    assert [one.name for one in cut.ranks] == ["Member 0"]
    assert cut.me is not None
    assert (cut.me.rank, cut.me.points, cut.me.count) == (2, 10, 2)
    around = [(one.rank, one.name) for one in cut.neighbours]
    assert around[0] == (1, "Member 0")
    assert sorted(around) == [(1, "Member 0"), (2, "Member 1"), (2, "Member 2"), (4, "Member 3")]
    assert [one.points for one in cut.neighbours] == [15, 10, 10, 5]
    assert board.neighbours == []
    assert queries.leaderboard(session, me=members[4]).me is None


@pytest.mark.parametrize("period", ["all", "month", "week"])
def test_the_places_around_a_member_are_those_of_the_whole_board(
    session: Session, system: Actor, period: queries.Period
) -> None:
    members = add_people(session, 9)
    for member, count in zip(members, (5, 4, 4, 3, 3, 3, 2, 1, 1), strict=True):
        give(session, system, member, *[NOW] * count)
    with frozen(NOW):
        whole = queries.leaderboard(session, period=period).ranks
        for position, one in enumerate(whole[1:], start=1):
            board = queries.leaderboard(session, period=period, top=1, me=one.member_id)
            assert board.neighbours == whole[max(0, position - 2) : position + 3]


def test_months_and_weeks_are_half_open_in_utc(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    monday, first = datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    give(session, system, ada, monday, monday - moment, first, first - moment)
    give(session, system, bob, first - moment)
    with frozen(NOW):
        week, month = (queries.leaderboard(session, period=period) for period in ("week", "month"))
        assert ranks(week) == [(1, "Member 0", 5)]
        assert ranks(month) == [(1, "Member 0", 15)]
        assert (week.start, week.end) == (monday, monday + timedelta(days=7))
        assert (month.start, month.end) == (first, datetime(2026, 4, 1, tzinfo=UTC))
        before = queries.leaderboard(session, period="month", at=first - moment, me=bob)
        assert ranks(before) == [(1, "Member 0", 5), (1, "Member 1", 5)]
        assert before.me is not None
        assert before.me.rank == 1


def test_progress_tells_the_month_the_types_and_the_next_milestone(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    give(session, system, ada, NOW, NOW - timedelta(days=1), NOW - timedelta(days=60))
    give(session, system, ada, NOW, code="challenge.win")
    with frozen(NOW):
        found = queries.progress_of(session, ada)
    assert found is not None
    assert (found.points, found.count, found.month_points, found.month_count) == (115, 4, 110, 3)
    assert (found.streak_current, found.streak_best, found.next_milestone) == (2, 2, 500)
    assert [(one["type"], one["count"], one["points"]) for one in found.by_type] == [
        ("challenge.win", 1, 100),
        ("git.commit", 3, 15),
    ]


def test_the_chart_ends_with_the_last_day_present(session: Session, system: Actor) -> None:
    assert queries.by_day(session) == []
    assert admin.day_chart(session)["spec"]["labels"] == []
    [ada] = add_people(session)
    last = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)
    give(session, system, ada, last, last, last - timedelta(days=89), last - timedelta(days=90))
    days = queries.by_day(session)
    assert len(days) == 90
    assert (days[0], days[-1]) == ((date(2019, 12, 2), 1), (date(2020, 2, 29), 2))
    assert sum(count for _, count in days) == 3
    assert admin.day_chart(session)["last"] == date(2020, 2, 29)


def test_the_key_figure_compares_thirty_days_with_the_thirty_before(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOW):
        assert admin.recent_kpi(session) == {"this": 0, "before": 0, "delta": None}
    give(session, system, ada, NOW, NOW, NOW, NOW - timedelta(days=40), NOW - timedelta(days=40))
    with frozen(NOW):
        assert admin.recent_kpi(session) == {"this": 3, "before": 2, "delta": 50}


def test_a_contribution_tells_its_story_in_the_order_of_the_workflow(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    [made] = give(session, system, ada, NOW, code="challenge.win")
    service.request_reward(
        session,
        system,
        member_id=ada,
        amount=10,
        asset="POINTS",
        reason="milestone",
        reference="r",
        contribution_id=made,
    )
    told = hooks.story(session, made)
    assert [stage.stage for stage in told] == ["trigger", "score", "record", *["progress"] * 4, "reward"]
    assert told[1].detail == "Base +100 = 100 · v1"
    assert told[2].state == "counted"
    assert hooks.story(session, ada) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_the_member_page_shows_progress_to_who_may_see_it(session: Session, system: Actor, allowed: bool) -> None:
    [ada] = add_people(session)
    made = give(session, system, ada, NOW)
    seen = frozenset({"contributions:contribution:list"}) if allowed else frozenset[str]()
    panels: list[Any] = hooks.member_panels(session, Actor(kind="member", name="x", permissions=seen), ada)
    assert [[one.id for one in panel.load()["latest"]] for panel in panels] == ([made] if allowed else [])
