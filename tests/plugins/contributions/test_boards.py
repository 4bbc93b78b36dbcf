"""Leaderboards that freeze and hide, seasons that close once, awards whose parts sum to the whole, levels."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from core.clock import frozen
from core.platform import Platform
from guildhall import Actor, DomainError, Invalid, Member, now
from plugins.contributions import awards, boards, levels, queries, seasons, service
from plugins.contributions.models import AwardRun, Level, Reward

from .conftest import add_people, findings
from .test_milestones import published

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def give(session: Session, actor: Actor, member_id: UUID, points: int, at: datetime = NOON, **more: Any) -> None:
    """Points in steps of 5."""
    for _ in range(points // 5):
        service.record(session, actor, member_id=member_id, type="git.commit", occurred_at=at, **more)


def ranks(board: queries.Leaderboard) -> list[tuple[int, int]]:
    return [(one.rank, one.points) for one in board.ranks]


def test_a_board_of_a_type_and_of_a_challenge(session: Session, system: Actor) -> None:
    ada, bob, cyd = add_people(session, 3)
    challenge = uuid4()
    with frozen(NOON):
        give(session, system, ada, 10)
        give(session, system, bob, 5, challenge_id=challenge, event_key="b")
        service.record(session, system, member_id=cyd, type="git.merge", challenge_id=challenge)
        assert ranks(boards.leaderboard(session, type="git.commit")) == [(1, 10), (2, 5)]
        of_challenge = boards.leaderboard(session, challenge_id=challenge, me=ada)
        assert (ranks(of_challenge), of_challenge.me) == ([(1, 10), (2, 5)], None)
        week = boards.leaderboard(session, period="week", me=bob)
    assert ranks(week) == [(1, 10), (1, 10), (3, 5)]
    assert boards.leaderboard(session, type="nothing").ranks == []
    with pytest.raises(DomainError):
        boards.leaderboard(session, season_id=uuid4())


def test_who_opts_out_vanishes_for_others_and_is_told_the_own_rank(session: Session, system: Actor) -> None:
    ada, bob, cyd = add_people(session, 3)
    for who, points in ((ada, 15), (bob, 10), (cyd, 5)):
        give(session, system, who, points, now())
    boards.show(session, ada, shown=False)
    boards.show(session, ada, shown=False)
    board = boards.leaderboard(session, me=cyd)
    assert [one.member_id for one in board.ranks] == [bob, cyd]
    assert ranks(board) == [(1, 10), (2, 5)]
    own = boards.leaderboard(session, me=ada)
    assert own.me is not None
    assert (own.me.rank, own.me.points) == (1, 15)
    cut = boards.leaderboard(session, me=cyd, top=1)
    assert [(one.rank, one.member_id) for one in cut.neighbours] == [(1, bob), (2, cyd)]
    boards.show(session, ada, shown=True)
    assert ranks(boards.leaderboard(session)) == [(1, 15), (2, 10), (3, 5)]


def test_a_frozen_board_stays_as_it_was_until_it_is_thawed(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    for period in ("all", "month", "week"):
        with frozen(NOON):
            give(session, system, ada, 5)
            board = boards.find(session, period=period)
            since = boards.freeze(session, system, board)
            before = boards.leaderboard(session, period=period)
            give(session, system, bob, 20)
            assert boards.leaderboard(session, period=period).ranks == before.ranks
            assert before.frozen_at == since
            assert boards.freeze(session, system, board) == since
            assert boards.leaderboard(session, period=period, live=True).ranks != before.ranks
            boards.thaw(session, system, board)
            boards.thaw(session, system, board)
            assert boards.leaderboard(session, period=period).frozen_at is None
    assert findings(session) == []


def test_my_rank_needs_no_look_at_every_member(session: Session) -> None:
    session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "EXPLAIN SELECT count(*) FROM contributions_progress p WHERE true AND p.points > CAST(10 AS numeric)"
    assert "ix_contributions_progress_rank" in str(session.execute(text(plan)).all())


def test_a_season_counts_what_came_before_it_was_made_and_closes_once(session: Session, system: Actor) -> None:
    ada, bob, cyd = add_people(session, 3)
    with frozen(NOON):
        give(session, system, ada, 10, NOON - DAY)
        give(session, system, bob, 5, NOON - 9 * DAY)
        values = {"name": "Spring", "starts_at": NOON - 2 * DAY, "ends_at": NOON + DAY}
        season = seasons.create_season(session, system, {**values, "awards": [{"first": 1, "last": 2, "amount": 51}]})
        give(session, system, bob, 10)
        give(session, system, cyd, 5)
        assert ranks(boards.leaderboard(session, season_id=season.id)) == [(1, 10), (1, 10), (3, 5)]
        with pytest.raises(DomainError) as early:
            seasons.close(session, system, season.id)
        assert early.value.code == "SEASON_NOT_OVER"
        assert findings(session) == []
    with frozen(NOON + 2 * DAY):
        seasons.close(session, system, season.id)
        give(session, system, cyd, 100, NOON)
        seasons.close(session, system, season.id)
        board = boards.leaderboard(session, season_id=season.id)
    assert (ranks(board), board.frozen_at) == ([(1, 10), (1, 10), (3, 5)], NOON + 2 * DAY)
    paid = select(Reward.member_id, Reward.amount).where(Reward.reason == "season")
    assert dict(session.execute(paid).tuples().all()) == {ada: 51, bob: 51}
    assert len(published(session, "season.closed")) == 1
    assert findings(session) == []
    with pytest.raises(DomainError) as closed:
        seasons.update_season(session, system, season, {"name": "Summer"})
    assert closed.value.code == "SEASON_CLOSED"


def test_a_season_that_moves_is_added_up_anew(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        give(session, system, ada, 5, NOON - 3 * DAY)
        season = seasons.create_season(session, system, {"name": "S", "starts_at": NOON, "ends_at": NOON + DAY})
        assert boards.leaderboard(session, season_id=season.id).ranks == []
        seasons.update_season(session, system, season, {"starts_at": NOON - 4 * DAY})
        assert ranks(boards.leaderboard(session, season_id=season.id)) == [(1, 5)]
        with pytest.raises(Invalid):
            seasons.update_season(session, system, season, {"ends_at": NOON - 9 * DAY})
    assert findings(session) == []


def test_closing_at_once_with_recording_loses_nothing(
    platform: Platform, people: Callable[..., Any], system: Actor
) -> None:
    [ada], at = people(), now()
    with platform.unit_of_work(system) as session:
        prizes = [{"first": 1, "last": 1, "amount": 9}]
        values = {"name": "S", "starts_at": at - DAY, "ends_at": at, "awards": prizes}
        season_id = seasons.create_season(session, system, values).id

    def act(n: int) -> None:
        with platform.unit_of_work(system) as session:
            if n % 4 == 3:
                seasons.close(session, system, season_id)
            else:
                give(session, system, ada, 5, at - timedelta(hours=1))

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(act, range(16)))
    with platform.unit_of_work(system) as session:
        [final] = boards.leaderboard(session, season_id=season_id).ranks or [None]
        kept = session.scalar(text("SELECT points FROM contributions_board_progress WHERE board LIKE 'season:%'"))
        assert (final.points if final else None) == kept
        paid = session.scalars(select(Reward.id).where(Reward.reason == "season")).all()
        assert len(paid) == (1 if final else 0)
        assert findings(session) == []


standings = st.lists(st.integers(0, 20), max_size=12).map(lambda found: [(UUID(int=n), p) for n, p in enumerate(found)])


@settings(deadline=None, max_examples=60)
@given(pool=st.integers(0, 10**9), found=standings)
def test_a_shared_pool_is_paid_to_the_last_unit(pool: int, found: Any) -> None:
    parts = awards.by_share(pool, found)
    scoring = [points for _member, points in found if points]
    assert sum(parts.values()) == (pool if scoring else 0)
    for member_id, points in found:
        if points:
            exact = pool * points // sum(scoring)
            assert 0 <= parts.get(member_id, 0) - exact < len(scoring)
        else:
            assert member_id not in parts


@settings(deadline=None, max_examples=60)
@given(found=standings, prizes=st.lists(st.integers(1, 100), max_size=5))
def test_those_with_equal_points_share_the_prizes_of_their_places(found: Any, prizes: list[int]) -> None:
    listed = [{"first": n, "last": n, "amount": amount} for n, amount in enumerate(prizes, start=1)]
    awards.check(listed)
    parts = awards.by_place(listed, found)
    scoring = sum(1 for _member, points in found if points)
    assert sum(parts.values()) == sum(prizes[:scoring])
    for one, points in found:
        for other, same in found:
            if points == same and points:
                assert abs(parts.get(one, 0) - parts.get(other, 0)) <= sum(1 for _m, p in found if p == points)
            if points > same and same:
                assert parts.get(one, 0) >= 0


def test_the_last_takes_the_dust() -> None:
    assert awards.split(101, [25, 50, 15, 10]) == [25, 50, 15, 11]
    assert awards.split(1, [1, 1, 1]) == [0, 0, 1]
    assert awards.split(5, []) == []
    for wrong in ([{"first": 2, "last": 1, "amount": 1}], [{"first": 1, "last": 2, "amount": 1}] * 2, [{"first": 1}]):
        with pytest.raises(Invalid):
            awards.check(wrong)


def test_each_month_is_paid_once_by_whoever_comes(session: Session, system: Actor) -> None:
    ada, bob, cyd = add_people(session, 3)
    with frozen(NOON):
        for who, points in ((ada, 10), (bob, 5), (cyd, 5)):
            give(session, system, who, points)
        values = {"label": "Mining", "kind": "share", "pool": 101, "first_month": date(2026, 3, 10)}
        plan = awards.create_plan(session, system, values)
        assert awards._next_due(session) is None
    with frozen(NOON + 30 * DAY):
        due = awards._next_due(session)
        assert due == (plan, date(2026, 3, 1))
        first = awards.pay_month(session, system, *due)
        assert awards.pay_month(session, system, *due) == {}
        assert awards._next_due(session) is None
    assert first == {ada: 50, bob: 25, cyd: 26}
    assert session.scalar(select(func.sum(Reward.amount)).where(Reward.reason == "month")) == 101
    assert session.scalars(select(AwardRun.paid)).all() == [101]


def test_a_level_is_reached_once_and_may_grant_a_tier(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    session.execute(update(Member).where(Member.id == bob).values(tier="enterprise"))
    second = session.scalars(select(Level).where(Level.number == 2)).one()
    levels.update_level(session, system, second, {"threshold": 10, "tier": "pro"})
    with frozen(NOON):
        give(session, system, ada, 10)
        give(session, system, bob, 10)
    told = [(one["member_id"], one["number"], one["tier"]) for one in published(session, "level.reached")]
    assert told == [(str(ada), 1, None), (str(ada), 2, "pro"), (str(bob), 1, None), (str(bob), 2, None)]
    tiers = dict(session.execute(select(Member.id, Member.tier)).tuples().all())
    assert (tiers[ada], tiers[bob]) == ("pro", "enterprise")
    assert queries.facts(session, [ada])[ada].level == 2
    progress = queries.progress_of(session, ada)
    assert progress is not None
    assert (progress.level, progress.level_label, progress.next_level) == (2, "Regular", 500)
    with pytest.raises(Invalid):
        levels.create_level(session, system, {"number": 0, "threshold": -1, "label": "x"})
