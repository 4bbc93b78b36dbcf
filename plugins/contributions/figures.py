"""What counted on each UTC day of each type: kept as it is recorded, so that reading it does not grow with the events.

A change is a row of its own, so that no two members ever wait for one another on a day of both; a job folds them. The
changes not folded yet are part of every answer: it is exact at any moment.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# For a statement that has ``added (id, member_id, type, occurred_at, points, n)``, whose members are locked. A member
# is new to a day and type, or gone from it, where nothing else of theirs counts there; looked up by index, one by one.
CHANGES = """
    INSERT INTO contributions_day_change (day, type, count, points, members)
    SELECT day, type, sum(n), sum(points), sum(CASE
        WHEN turn = 0 THEN 0
        WHEN EXISTS (
            SELECT FROM contributions_contribution c
            WHERE c.member_id = mine.member_id AND c.type = mine.type AND c.state = 'counted'
                AND c.occurred_at >= mine.day::timestamp AT TIME ZONE 'UTC'
                AND c.occurred_at < (mine.day + 1)::timestamp AT TIME ZONE 'UTC' AND c.id <> ALL (mine.ids)
        ) THEN 0 ELSE turn END)
    FROM (
        SELECT day, type, member_id, sum(n) AS n, sum(points) AS points, array_agg(id) AS ids,
            CASE WHEN min(n) = 1 THEN 1 WHEN max(n) = -1 THEN -1 ELSE 0 END AS turn
        FROM (SELECT *, (occurred_at AT TIME ZONE 'UTC')::date AS day FROM added) dated GROUP BY day, type, member_id
    ) mine GROUP BY day, type HAVING sum(n) <> 0 OR sum(points) <> 0
"""
KEPT = """
    SELECT day, type, sum(count)::bigint AS count, sum(points) AS points, sum(members)::bigint AS members FROM (
        SELECT day, type, count, points, members FROM contributions_day_figure {where}
        UNION ALL SELECT day, type, count, points, members FROM contributions_day_change {where}
    ) both_kinds GROUP BY day, type HAVING sum(count) <> 0
"""
WITHIN = KEPT.format(where="WHERE day BETWEEN CAST(:first AS date) AND CAST(:last AS date)")
COUNTED = """
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, type, count(*) AS count, sum(points + correction) AS points,
        count(DISTINCT member_id) AS members
    FROM contributions_contribution WHERE state = 'counted' GROUP BY 1, 2
"""
_FOLD = text("""
    WITH gone AS (DELETE FROM contributions_day_change RETURNING day, type, count, points, members)
    INSERT INTO contributions_day_figure AS kept (day, type, count, points, members)
    SELECT day, type, sum(count), sum(points), sum(members) FROM gone GROUP BY day, type
    ON CONFLICT (day, type) DO UPDATE SET count = kept.count + excluded.count,
        points = kept.points + excluded.points, members = kept.members + excluded.members
""")
_MERGED = text("""
    INSERT INTO contributions_day_change (day, type, count, points, members)
    SELECT day, type, 0, 0, -1 FROM (
        SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, type
        FROM contributions_contribution WHERE member_id = :old AND state = 'counted'
        INTERSECT SELECT (occurred_at AT TIME ZONE 'UTC')::date, type
        FROM contributions_contribution WHERE member_id = :new AND state = 'counted'
    ) days
""")
_LOCK = text("LOCK TABLE contributions_day_figure IN SHARE ROW EXCLUSIVE MODE")


def merge(session: Session, *, old_id: UUID, new_id: UUID) -> None:
    """Before all that one (locked) member did becomes another's: where both did something, there is one fewer now."""
    session.execute(_MERGED, {"old": old_id, "new": new_id})


def fold(session: Session) -> None:
    """Add the changes up, so that reading stays fast; one at a time, and nobody who records waits for it."""
    session.execute(_LOCK)
    session.execute(_FOLD)


def rebuild(session: Session) -> None:
    """Count every day anew; the caller keeps everybody from recording meanwhile."""
    session.execute(_LOCK)
    session.execute(text("DELETE FROM contributions_day_change"))
    session.execute(text("DELETE FROM contributions_day_figure"))
    session.execute(text(f"INSERT INTO contributions_day_figure (day, type, count, points, members) {COUNTED}"))
