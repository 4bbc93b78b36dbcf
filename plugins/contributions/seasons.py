"""Seasons: a stretch of time with a board of its own, closed once with its awards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, NotFound, _, audit, now, publish

from . import awards
from .errors import SeasonIsClosed, SeasonNotOver
from .events import SeasonClosed
from .models import BoardProgress, Season, Standing

_QUIET = text("LOCK TABLE contributions_contribution IN SHARE ROW EXCLUSIVE MODE")
_FILL = text("""
    INSERT INTO contributions_board_progress (board, member_id, count, points)
    SELECT :board, member_id, count(*), sum(points + correction) FROM contributions_contribution
    WHERE state = 'counted' AND occurred_at >= :starts AND occurred_at < :ends GROUP BY member_id
""")
STAND = """
    INSERT INTO contributions_standing (board, member_id, rank, count, points)
    SELECT CAST(:board AS varchar), member_id, rank() OVER (ORDER BY points DESC), count, points
    FROM {table} WHERE {where} AND points > 0
"""


def board_of(season_id: UUID) -> str:
    return f"season:{season_id}"


def create_season(session: Session, actor: Actor, values: dict[str, Any]) -> Season:
    """A new season; what was contributed in it before counts too. Raises Invalid by field."""
    _check(values)
    season = Season(**values)
    session.execute(_QUIET)
    session.add(season)
    session.flush()
    _fill(session, season)
    return season


def update_season(session: Session, actor: Actor, record: Season, values: dict[str, Any]) -> Season:
    """Change an open season; with other dates its board is added up anew. Raises Invalid by field, SeasonIsClosed."""
    session.execute(_QUIET)
    session.refresh(record, with_for_update=True)
    if record.state == "closed":
        raise SeasonIsClosed()
    names = ("starts_at", "ends_at", "awards")
    _check({**{name: getattr(record, name) for name in names}, **values})
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()
    session.execute(delete(BoardProgress).where(BoardProgress.board == board_of(record.id)))
    _fill(session, record)
    return record


def close(session: Session, actor: Actor, season_id: UUID) -> Season:
    """Close a season that is over: keep its standings and ask for its awards. A second call finds it done.

    Raises NotFound, SeasonNotOver. Recording waits meanwhile, so nothing slips in between; audited.
    """
    actor.require("contributions:season:close")
    session.execute(_QUIET)
    season: Season | None = session.scalar(select(Season).where(Season.id == season_id).with_for_update())
    if season is None:
        raise NotFound()
    if season.state == "closed":
        return season
    if now() < season.ends_at:
        raise SeasonNotOver(ends_at=season.ends_at.isoformat())
    board = board_of(season.id)
    session.execute(delete(Standing).where(Standing.board == board))
    stand = STAND.format(table="contributions_board_progress", where="board = :board")
    session.execute(text(stand), {"board": board})
    query = select(Standing.member_id, Standing.points).where(Standing.board == board)
    standings = session.execute(query).tuples().all()
    parts = awards.by_place(season.awards, standings)
    season.state, season.closed_at = "closed", now()
    session.flush()
    audit(
        session,
        actor,
        "contributions.season.closed",
        subject_type="contributions.season",
        subject_id=season.id,
        changes={"members": [None, len(standings)], "paid": [None, sum(parts.values())]},
    )
    awards.ask(session, actor, parts, asset=season.asset, reason="season", reference=board)
    publish(session, actor, SeasonClosed(season_id=season.id, members=len(standings)))
    return season


def detail(session: Session, season: Season) -> dict[str, Any]:
    """What the page of a season shows below it: whether it can be closed, and who was ahead or is."""
    return {"season": season, "over": now() >= season.ends_at}


def _fill(session: Session, season: Season) -> None:
    span = {"board": board_of(season.id), "starts": season.starts_at, "ends": season.ends_at}
    session.execute(_FILL, span)


def _check(values: dict[str, Any]) -> None:
    if values["starts_at"] >= values["ends_at"]:
        raise Invalid({"ends_at": [_("The end must come after the beginning.")]})
    awards.check(values.get("awards") or [])
