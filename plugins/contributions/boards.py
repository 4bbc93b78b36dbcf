"""Leaderboards: of all time, a month, a week, a season, a type or a challenge; live, frozen or final."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import TextClause, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Member, NotFound, audit, locks, now

from . import ranks
from .heirs import heirs
from .models import Freeze, HiddenMember, MemberProgress, Season, Standing
from .rules import window_start
from .seasons import STAND, board_of

Period = Literal["all", "month", "week"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """Which board: its ``key`` names it, ``table`` and ``where`` say which rows it is made of."""

    key: str
    table: str
    where: str
    params: dict[str, Any]
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A place on a leaderboard; equal points share a ``rank``, and the next one counts them all (1, 1, 3)."""

    rank: int
    member_id: UUID
    name: str
    points: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The best of a board, half-open in UTC; ``start`` and ``end`` are missing for all time.

    ``me`` is the asking member's own place, wherever it is, None without points; ``neighbours`` are those around
    it, ``me`` among them, where ``ranks`` does not reach so far. ``frozen_at`` is when it was frozen or closed:
    everything is as it was then. Members who do not want to be seen are left out and counted in nobody's rank; they
    are told their own.
    """

    board: str
    period: Period
    start: datetime | None
    end: datetime | None
    ranks: list[Rank]
    me: Rank | None
    neighbours: list[Rank]
    frozen_at: datetime | None = None


def find(
    session: Session,
    *,
    period: Period = "all",
    at: datetime | None = None,
    type: str | None = None,
    challenge_id: UUID | None = None,
    season_id: UUID | None = None,
) -> Board:
    """The board of a season, a challenge or a type, or else of a period around ``at`` (now). Raises NotFound."""
    if season_id is not None:
        season: Season | None = session.get(Season, season_id)
        if season is None:
            raise NotFound()
        return _kept(board_of(season_id), season.starts_at, season.ends_at)
    if challenge_id is not None:
        return _kept(f"challenge:{challenge_id}")
    if type is not None:
        table, where = "contributions_type_progress", "p.type = :type"
        return Board(key=f"type:{type}", table=table, where=where, params={"type": type})
    if period == "all":
        return Board(key="all", table="contributions_progress", where="true", params={})
    start = window_start(period, at or now())
    end = window_start(period, start + timedelta(days=7 if period == "week" else 32))
    if period == "week":
        return _kept(f"week:{start.date().isoformat()}", start, end)
    return Board(
        key=f"month:{start.date().isoformat()}",
        table="contributions_month_progress",
        where="p.month = :month",
        params={"month": start.date()},
        start=start,
        end=end,
    )


def _kept(key: str, start: datetime | None = None, end: datetime | None = None) -> Board:
    table, where = "contributions_board_progress", "p.board = :board"
    return Board(key=key, table=table, where=where, params={"board": key}, start=start, end=end)


def leaderboard(
    session: Session,
    *,
    period: Period = "all",
    at: datetime | None = None,
    type: str | None = None,
    challenge_id: UUID | None = None,
    season_id: UUID | None = None,
    top: int = 25,
    me: UUID | None = None,
    live: bool = False,
) -> Leaderboard:
    """The ``top`` members of a board (see ``find``), as it stands, or as it stood when it was frozen or closed.

    ``live`` looks behind the freeze. Raises NotFound for a season that is not there.
    """
    board = find(session, period=period, at=at, type=type, challenge_id=challenge_id, season_id=season_id)
    frozen_at = None if live or season_id is None else _closed_at(session, season_id)
    ranks: list[Rank] = []
    if frozen_at is None:
        ranks, frozen_at = _top(session, board, top, live=live)
    if frozen_at is not None:
        board = Board(
            key=board.key,
            table="contributions_standing",
            where="p.board = :board",
            params={"board": board.key},
            start=board.start,
            end=board.end,
        )
        ranks, _ = _top(session, board, top, live=True)
    if frozen_at is not None:
        ranks = _present(session, ranks)
    mine = next((one for one in ranks if one.member_id == me), None)
    neighbours: list[Rank] = []
    if mine is None and me is not None and (mine := rank_of(session, board, me)):
        neighbours = _around(session, board, mine)
        if frozen_at is not None:
            neighbours = _present(session, neighbours)
    return Leaderboard(
        board=board.key,
        period=period,
        start=board.start,
        end=board.end,
        ranks=ranks,
        me=mine,
        neighbours=neighbours,
        frozen_at=frozen_at,
    )


_SEEN = "NOT EXISTS (SELECT 1 FROM contributions_hidden h WHERE h.member_id = p.member_id)"


@cache
def _best(table: str, where: str) -> TextClause:
    """The best of a board and since when it is frozen: the names are read of those who are shown alone."""
    return text(f"""
        SELECT p.member_id, m.display_name, p.points, p.count,
            (SELECT frozen_at FROM contributions_freeze WHERE board = :key) AS frozen_at
        FROM (
            SELECT member_id, points, count FROM {table} p WHERE {where} AND p.points > 0 AND {_SEEN}
            ORDER BY p.points DESC, p.member_id DESC LIMIT :top
        ) p JOIN core_member m ON m.id = p.member_id ORDER BY p.points DESC, p.member_id DESC
    """)


def _top(session: Session, board: Board, top: int, *, live: bool) -> tuple[list[Rank], datetime | None]:
    """The best of a board; where it is frozen and not asked ``live``, since when instead."""
    asked = {**board.params, "top": top, "key": board.key}
    found = session.execute(_best(board.table, board.where), asked).tuples().all()
    if not live:
        frozen_at = found[0][4] if found else _frozen_at(session, board)
        if frozen_at is not None:
            return [], frozen_at
    ranks: list[Rank] = []
    for position, (member_id, name, points, count, _frozen) in enumerate(found, start=1):
        tied = bool(ranks) and ranks[-1].points == points
        rank = ranks[-1].rank if tied else position
        ranks.append(Rank(rank=rank, member_id=member_id, name=name, points=int(points), count=int(count)))
    return ranks, None


def _present(session: Session, ranks: list[Rank]) -> list[Rank]:
    """Places that were kept, under the present names of those whose history another one was given since."""
    given = heirs(session, [one.member_id for one in ranks])
    if not given:
        return ranks
    query = select(Member.id, Member.display_name).where(Member.id.in_(given.values()))
    names: dict[UUID, str] = dict(session.execute(query).tuples().all())
    return [replace(one, name=names[given[one.member_id]]) if one.member_id in given else one for one in ranks]


def rank_of(session: Session, board: Board, member_id: UUID) -> Rank | None:
    """A member's own place: 1 and however many who can be seen have more. None without points."""
    query = f"""
        SELECT m.display_name, p.points, p.count FROM {board.table} p JOIN core_member m ON m.id = p.member_id
        WHERE {board.where} AND p.member_id = :me AND p.points > 0
    """
    found = session.execute(text(query), {**board.params, "me": member_id}).first()
    if found is None:
        return None
    name, points, count = found
    everybody = board.table == "contributions_progress"
    above = ranks.above(session, int(points)) if everybody else _between(session, board, int(points), None)
    rank = 1 + above
    return Rank(rank=rank, member_id=member_id, name=name, points=int(points), count=int(count))


def _between(session: Session, board: Board, more_than: int, at_most: int | None) -> int:
    """How many who can be seen have more than ``more_than`` points, and no more than ``at_most``."""
    span = "p.points > CAST(:low AS numeric)" + (" AND p.points <= CAST(:high AS numeric)" if at_most else "")
    query = f"""
        SELECT (SELECT count(*) FROM {board.table} p WHERE {board.where} AND {span}) - (
            SELECT count(*) FROM contributions_hidden h JOIN {board.table} p ON p.member_id = h.member_id
            WHERE {board.where} AND {span}
        )
    """
    return session.scalar(text(query), {**board.params, "low": more_than, "high": at_most}) or 0


def _around(session: Session, board: Board, mine: Rank, each: int = 2) -> list[Rank]:
    """Up to ``each`` places above and below ``mine``, which is between them."""

    def next_ones(comparison: str, direction: str) -> list[Any]:
        query = f"""
            SELECT p.member_id, m.display_name, p.points, p.count FROM {board.table} p
            JOIN core_member m ON m.id = p.member_id
            WHERE {board.where} AND p.points > 0 AND {_SEEN}
                AND (p.points, p.member_id) {comparison} (CAST(:points AS numeric), CAST(:me AS uuid))
            ORDER BY p.points {direction}, p.member_id {direction} LIMIT :each
        """
        place = {**board.params, "points": mine.points, "me": mine.member_id, "each": each}
        return list(session.execute(text(query), place))

    def place(one: Any) -> Rank:
        member_id, name, points, count = one
        if points > mine.points:
            rank = mine.rank - _between(session, board, mine.points, int(points))
        else:
            # The asking member has no place for others while hidden, but stands between these.
            rank = mine.rank + _between(session, board, int(points), mine.points)
        return Rank(rank=rank, member_id=member_id, name=name, points=int(points), count=int(count))

    above, below = next_ones(">", "ASC"), next_ones("<", "DESC")
    return [*(place(one) for one in reversed(above)), mine, *(place(one) for one in below)]


def _closed_at(session: Session, season_id: UUID) -> datetime | None:
    season = session.get_one(Season, season_id)
    return season.closed_at if season.state == "closed" else None


def _frozen_at(session: Session, board: Board) -> datetime | None:
    frozen: datetime | None = session.scalar(select(Freeze.frozen_at).where(Freeze.board == board.key))
    return frozen


def freeze(session: Session, actor: Actor, board: Board) -> datetime:
    """Show a board to everybody as it stands now until it is thawed; frozen before, it stays as it was. Audited."""
    actor.require("contributions:leaderboard:freeze")
    at = now()
    row = insert(Freeze).values(board=board.key, frozen_at=at).on_conflict_do_nothing().returning(Freeze.board)
    if session.scalar(row) is None:
        before: datetime = session.scalars(select(Freeze.frozen_at).where(Freeze.board == board.key)).one()
        return before
    stand = STAND.format(table=f"{board.table} p", where=board.where)
    session.execute(delete(Standing).where(Standing.board == board.key))
    session.execute(text(stand.replace(":board AS", ":key AS", 1)), {**board.params, "key": board.key})
    audit(session, actor, "contributions.leaderboard.frozen", subject_type="leaderboard", subject_id=board.key)
    return at


def thaw(session: Session, actor: Actor, board: Board) -> None:
    """Show a board live again; one that is not frozen stays as it is. Audited."""
    actor.require("contributions:leaderboard:freeze")
    gone = session.scalar(delete(Freeze).where(Freeze.board == board.key).returning(Freeze.board))
    if gone:
        session.execute(delete(Standing).where(Standing.board == board.key))
        audit(session, actor, "contributions.leaderboard.thawed", subject_type="leaderboard", subject_id=board.key)


def show(session: Session, member_id: UUID, *, shown: bool) -> None:
    """Let a member be on leaderboards, or vanish from them for everybody else at once."""
    locks.members(session, [member_id])
    points = session.scalar(select(MemberProgress.points).where(MemberProgress.member_id == member_id)) or 0
    if shown:
        gone = delete(HiddenMember).where(HiddenMember.member_id == member_id).returning(HiddenMember.member_id)
        if session.scalar(gone) is not None:
            ranks.move(session, {member_id: (0, points)})
    elif is_shown(session, member_id):
        ranks.move(session, {member_id: (points, 0)})
        session.add(HiddenMember(member_id=member_id, created_at=now()))
        session.flush()


def is_shown(session: Session, member_id: UUID) -> bool:
    """Whether a member is on leaderboards."""
    return session.get(HiddenMember, member_id, populate_existing=True) is None
