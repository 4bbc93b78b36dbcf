"""The aggregates: how far each member got, kept equal to the sum of what counts.

The caller holds the members' locks, so that what a statement reads is what the one before it wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from . import figures, ranks


@dataclass(frozen=True, slots=True)
class Change:
    """What one contribution adds: ``count`` is 1 when it is recorded, 0 when it is corrected, -1 when reversed."""

    contribution_id: UUID
    points: int
    count: int = 1


# Each is asked of ``added``: contributions with the points and the number that they add.
SUMS = {
    "type": "SELECT member_id, type, sum(n)::bigint, sum(points) FROM added GROUP BY 1, 2",
    "month": """SELECT member_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date, sum(n)::bigint, sum(points)
        FROM added GROUP BY 1, 2""",
    "day": """SELECT member_id, local_day, sum(n)::bigint, sum(points),
        coalesce(sum(n) FILTER (WHERE counts_for_streak), 0)::bigint FROM added GROUP BY 1, 2""",
    "board": """SELECT board, member_id, sum(n)::bigint, sum(points) FROM (
            SELECT 'week:' || date_trunc('week', occurred_at AT TIME ZONE 'UTC')::date AS board, member_id, n, points
            FROM added
            UNION ALL SELECT 'challenge:' || challenge_id, member_id, n, points
            FROM added WHERE challenge_id IS NOT NULL
            UNION ALL SELECT 'season:' || season.id, member_id, n, points
            FROM added JOIN contributions_season season ON season.state = 'open'
            AND occurred_at >= season.starts_at AND occurred_at < season.ends_at
        ) boards GROUP BY 1, 2""",
    "all": "SELECT member_id, sum(n)::bigint, sum(points), min(occurred_at), max(occurred_at) FROM added GROUP BY 1",
}
TABLES = {
    "type": "contributions_type_progress (member_id, type, count, points)",
    "month": "contributions_month_progress (member_id, month, count, points)",
    "day": "contributions_day_progress (member_id, day, count, points, streak_count)",
    "board": "contributions_board_progress (board, member_id, count, points)",
    "all": "contributions_progress (member_id, count, points, first_at, last_at)",
}
_MORE = "count = kept.count + excluded.count, points = kept.points + excluded.points"


def _into(name: str) -> str:
    return f"INSERT INTO {TABLES[name].replace(' (', ' AS kept (', 1)} {SUMS[name]}"


# For a statement that has ``added``; TOLD is what ``finish`` wants to know of it, three arrays.
AGGREGATES = f"""
    by_type AS ({_into("type")} ON CONFLICT (member_id, type) DO UPDATE SET {_MORE}
    ), by_month AS ({_into("month")} ON CONFLICT (member_id, month) DO UPDATE SET {_MORE}
    ), by_board AS ({_into("board")} ON CONFLICT (board, member_id) DO UPDATE SET {_MORE}
    ), by_day AS (
        {_into("day")} ON CONFLICT (member_id, day) DO UPDATE
        SET {_MORE}, streak_count = kept.streak_count + excluded.streak_count
        RETURNING kept.member_id, (coalesce(old.streak_count, 0) > 0) <> (new.streak_count > 0) AS another
    ), total AS (
        {_into("all")} ON CONFLICT (member_id) DO UPDATE SET {_MORE},
            first_at = least(kept.first_at, excluded.first_at), last_at = greatest(kept.last_at, excluded.last_at)
        RETURNING member_id, points, coalesce(old.points, 0) AS before
    ), moved AS (SELECT member_id, before, points AS after FROM total), ranked AS ({ranks.CHANGES}
    ), figures AS ({figures.CHANGES}
    ), told AS (SELECT member_id, points, bool_or(another) AS another FROM total JOIN by_day USING (member_id)
        GROUP BY 1, 2)
"""
TOLD = "array_agg(member_id) AS members, array_agg(points) AS points, array_agg(another) AS another"
_ADD = text(f"""
    WITH added AS MATERIALIZED (
        SELECT c.id, c.member_id, c.type, c.occurred_at, c.local_day, c.counts_for_streak, c.challenge_id, d.points, d.n
        FROM unnest(CAST(:ids AS uuid[]), CAST(:points AS numeric[]), CAST(:counts AS int[])) AS d (id, points, n)
        JOIN contributions_contribution c ON c.id = d.id
    ), {AGGREGATES} SELECT {TOLD} FROM told
""")

# Gaps and islands: days of one run have the same difference to their rank.
RUNS = """
    islands AS (
        SELECT member_id, count(*)::int AS length, max(day) AS last FROM (
            SELECT member_id, day, day - (row_number() OVER (PARTITION BY member_id ORDER BY day))::int AS island
            FROM contributions_day_progress WHERE streak_count > 0 {only}
        ) days GROUP BY member_id, island
    ), streak AS (
        SELECT member_id, max(length) AS best, max(last) AS last, (array_agg(length ORDER BY last DESC))[1] AS current
        FROM islands GROUP BY member_id
    )
"""
_STREAKS = text(f"""
    WITH {RUNS.format(only="AND member_id = ANY(:ids)")}
    UPDATE contributions_progress p
    SET streak_current = coalesce(s.current, 0), streak_best = coalesce(s.best, 0), last_day = s.last
    FROM unnest(CAST(:ids AS uuid[])) AS m (id) LEFT JOIN streak s ON s.member_id = m.id WHERE p.member_id = m.id
""")


def add(session: Session, changes: Sequence[Change]) -> dict[UUID, int]:
    """Add contributions, already stored as counted, to every aggregate; returns the members' new points.

    Streaks are worked out anew for members who got or lost a day, so an event that comes late repairs them.
    """
    if not changes:
        return {}
    columns = {
        "ids": [one.contribution_id for one in changes],
        "points": [one.points for one in changes],
        "counts": [one.count for one in changes],
    }
    return finish(session, session.execute(_ADD, columns).one())


def finish(session: Session, told: Row[Any]) -> dict[UUID, int]:
    """After a statement with AGGREGATES: work out the streaks of who got or lost a day; returns the new points.

    ``told`` has the columns of TOLD.
    """
    members = told.members or []
    if another := [member_id for member_id, new_day in zip(members, told.another or (), strict=True) if new_day]:
        session.execute(_STREAKS, {"ids": another})
    return dict(zip(members, map(int, told.points or ()), strict=True))


_NAMES = [table.split(" ")[0] for table in TABLES.values()]
_ENDS = text("""
    UPDATE contributions_progress p SET first_at = c.first_at, last_at = c.last_at FROM (
        SELECT member_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM contributions_contribution
        WHERE member_id = ANY(:ids) AND state = 'counted' GROUP BY 1
    ) c WHERE c.member_id = p.member_id
""")


def settle(session: Session, member_ids: Iterable[UUID]) -> None:
    """After something stopped counting: forget what is empty now, and find the first and last one anew."""
    ids = {"ids": list(member_ids)}
    for name in _NAMES:
        session.execute(text(f"DELETE FROM {name} WHERE member_id = ANY(:ids) AND count = 0"), ids)
    session.execute(_ENDS, ids)


_COUNTED = """
    WITH added AS (
        SELECT member_id, type, occurred_at, local_day, counts_for_streak, challenge_id,
            points + correction AS points, 1 AS n
        FROM contributions_contribution WHERE state = 'counted' {only}
    )
"""
_CLOSED = "SELECT 'season:' || id FROM contributions_season WHERE state = 'closed'"
_FORGET = {"board": f"DELETE FROM contributions_board_progress WHERE board NOT IN ({_CLOSED})"}


def rebuild(session: Session) -> int:
    """Work out every aggregate anew from the contributions; returns the number of members.

    Recording waits meanwhile. Set-based: minutes for millions of contributions, not hours. Closed seasons stay.
    """
    session.execute(text("LOCK TABLE contributions_contribution IN SHARE ROW EXCLUSIVE MODE"))
    for name, table in TABLES.items():
        session.execute(text(_FORGET.get(name, f"DELETE FROM {table.split(' ')[0]}")))
        session.execute(text(f"{_COUNTED.format(only='')} INSERT INTO {table} {SUMS[name]}"))
    ids = list(session.scalars(text("SELECT member_id FROM contributions_progress")))
    session.execute(_STREAKS, {"ids": ids})
    ranks.rebuild(session)
    figures.rebuild(session)
    return len(ids)


def rebuild_members(session: Session, member_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Work out the aggregates of (locked) members anew, all but closed seasons'; returns their points."""
    ids = {"ids": list(member_ids)}
    before = _points(session, ids)
    for name, table in TABLES.items():
        forget = _FORGET.get(name, f"DELETE FROM {table.split(' ')[0]}")
        word = "AND" if "WHERE" in forget else "WHERE"
        session.execute(text(f"{forget} {word} member_id = ANY(:ids)"), ids)
        only = _COUNTED.format(only="AND member_id = ANY(:ids)")
        session.execute(text(f"{only} INSERT INTO {table} {SUMS[name]}"), ids)
    session.execute(_STREAKS, ids)
    after = _points(session, ids)
    ranks.move(session, {one: (before.get(one, 0), after.get(one, 0)) for one in ids["ids"]})
    return after


def _points(session: Session, ids: dict[str, list[UUID]]) -> dict[UUID, int]:
    query = text("SELECT member_id, points FROM contributions_progress WHERE member_id = ANY(:ids)")
    return {member_id: int(points) for member_id, points in session.execute(query, ids)}
