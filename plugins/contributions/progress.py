"""The aggregates: how far each member got, kept equal to the sum of what counts.

The caller holds the members' locks, so that what a statement reads is what the one before it wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_COLUMNS = {
    "type": "SELECT member_id, type, count(*), sum(points) FROM added GROUP BY 1, 2",
    "month": """SELECT member_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date, count(*), sum(points)
        FROM added GROUP BY 1, 2""",
    "day": """SELECT member_id, local_day, count(*), sum(points), count(*) FILTER (WHERE counts_for_streak)
        FROM added GROUP BY 1, 2""",
    "all": "SELECT member_id, count(*), sum(points), min(occurred_at), max(occurred_at) FROM added GROUP BY 1",
}
_ADD = text(f"""
    WITH added AS MATERIALIZED (SELECT * FROM contributions_contribution WHERE id = ANY(:ids)),
    by_type AS (
        INSERT INTO contributions_type_progress AS kept (member_id, type, count, points) {_COLUMNS["type"]}
        ON CONFLICT (member_id, type) DO UPDATE
        SET count = kept.count + excluded.count, points = kept.points + excluded.points
    ), by_month AS (
        INSERT INTO contributions_month_progress AS kept (member_id, month, count, points) {_COLUMNS["month"]}
        ON CONFLICT (member_id, month) DO UPDATE
        SET count = kept.count + excluded.count, points = kept.points + excluded.points
    ), by_day AS (
        INSERT INTO contributions_day_progress AS kept (member_id, day, count, points, streak_count) {_COLUMNS["day"]}
        ON CONFLICT (member_id, day) DO UPDATE SET count = kept.count + excluded.count,
            points = kept.points + excluded.points, streak_count = kept.streak_count + excluded.streak_count
        RETURNING kept.member_id, coalesce(old.streak_count, 0) = 0 AND new.streak_count > 0 AS another
    ), total AS (
        INSERT INTO contributions_progress AS kept (member_id, count, points, first_at, last_at) {_COLUMNS["all"]}
        ON CONFLICT (member_id) DO UPDATE SET count = kept.count + excluded.count,
            points = kept.points + excluded.points, first_at = least(kept.first_at, excluded.first_at),
            last_at = greatest(kept.last_at, excluded.last_at)
        RETURNING member_id, points
    )
    SELECT member_id, points, bool_or(another) FROM total JOIN by_day USING (member_id) GROUP BY 1, 2
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
    UPDATE contributions_progress p SET streak_current = s.current, streak_best = s.best, last_day = s.last
    FROM streak s WHERE s.member_id = p.member_id
""")


def add(session: Session, contribution_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Add contributions, already stored as counted, to every aggregate; returns the members' new points.

    Streaks are worked out anew for members who got another day, so an event that comes late repairs them.
    """
    if not contribution_ids:
        return {}
    rows = session.execute(_ADD, {"ids": list(contribution_ids)}).all()
    if another := [member_id for member_id, _, new_day in rows if new_day]:
        session.execute(_STREAKS, {"ids": another})
    return {member_id: int(points) for member_id, points, _ in rows}


_REBUILD = [
    f"DELETE FROM contributions_{name}" for name in ("progress", "type_progress", "month_progress", "day_progress")
] + [
    "WITH added AS (SELECT * FROM contributions_contribution WHERE state = 'counted') "
    f"INSERT INTO {into} {_COLUMNS[key]}"
    for key, into in {
        "type": "contributions_type_progress (member_id, type, count, points)",
        "month": "contributions_month_progress (member_id, month, count, points)",
        "day": "contributions_day_progress (member_id, day, count, points, streak_count)",
        "all": "contributions_progress (member_id, count, points, first_at, last_at)",
    }.items()
]


def rebuild(session: Session) -> int:
    """Work out every aggregate anew from the contributions; returns the number of members.

    Recording waits meanwhile. Set-based: minutes for millions of contributions, not hours.
    """
    session.execute(text("LOCK TABLE contributions_contribution IN SHARE ROW EXCLUSIVE MODE"))
    for statement in _REBUILD:
        session.execute(text(statement))
    ids = list(session.scalars(text("SELECT member_id FROM contributions_progress")))
    session.execute(_STREAKS, {"ids": ids})
    return len(ids)
