"""The rank of all time without counting everybody: how many members who can be seen are in each bucket of points.

A change of a member's bucket is a row of its own, so that no two members ever wait for one another; a job folds them.
A rank is the members of higher buckets, with the changes not folded yet, and those above within the own bucket: it is
exact at any moment.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

WIDTH = 16
SEEN = "NOT EXISTS (SELECT 1 FROM contributions_hidden h WHERE h.member_id = {of}.member_id)"

# For a statement that has ``moved (member_id, before, after)``: points before and after it.
CHANGES = f"""
    INSERT INTO contributions_rank_change (bucket, members)
    SELECT bucket, sum(one) FROM (
        SELECT member_id, floor(before / {WIDTH})::bigint AS bucket, -1 AS one FROM moved WHERE before > 0
        UNION ALL SELECT member_id, floor(after / {WIDTH})::bigint, 1 FROM moved WHERE after > 0
    ) changes WHERE {SEEN.format(of="changes")} GROUP BY bucket HAVING sum(one) <> 0
"""
BUCKETS = f"""
    SELECT floor(points / {WIDTH})::bigint AS bucket, count(*) AS members FROM contributions_progress p
    WHERE points > 0 AND {SEEN.format(of="p")} GROUP BY 1
"""
_ABOVE = text(f"""
    SELECT coalesce((SELECT sum(members) FROM contributions_rank_bucket WHERE bucket > :bucket), 0)
        + coalesce((SELECT sum(members) FROM contributions_rank_change WHERE bucket > :bucket), 0)
        + (SELECT count(*) FROM contributions_progress p WHERE points > CAST(:points AS numeric)
            AND points < CAST(:edge AS numeric) AND {SEEN.format(of="p")})
""")
_FOLD = text("""
    WITH gone AS (DELETE FROM contributions_rank_change RETURNING bucket, members)
    INSERT INTO contributions_rank_bucket AS kept (bucket, members)
    SELECT bucket, sum(members) FROM gone GROUP BY bucket ORDER BY bucket
    ON CONFLICT (bucket) DO UPDATE SET members = kept.members + excluded.members
""")
_MOVE = text(f"""
    WITH moved AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:before AS numeric[]), CAST(:after AS numeric[]))
            AS m (member_id, before, after)
    ) {CHANGES}
""")


def above(session: Session, points: int) -> int:
    """How many members who can be seen have more than ``points`` of all time."""
    bucket = points // WIDTH
    return int(session.scalar(_ABOVE, {"bucket": bucket, "points": points, "edge": (bucket + 1) * WIDTH}) or 0)


def move(session: Session, points: dict[UUID, tuple[int, int]]) -> None:
    """Note that (locked) members who can be seen went from some points to others."""
    columns = {
        "ids": list(points),
        "before": [before for before, _after in points.values()],
        "after": [after for _before, after in points.values()],
    }
    session.execute(_MOVE, columns)


def fold(session: Session) -> None:
    """Add the changes up, so that reading stays fast; one at a time, and nobody who records waits for it."""
    session.execute(text("LOCK TABLE contributions_rank_bucket IN SHARE ROW EXCLUSIVE MODE"))
    session.execute(_FOLD)


def rebuild(session: Session) -> None:
    """Count everybody anew; the caller keeps everybody from recording meanwhile."""
    session.execute(text("DELETE FROM contributions_rank_change"))
    session.execute(text("DELETE FROM contributions_rank_bucket"))
    session.execute(text(f"INSERT INTO contributions_rank_bucket (bucket, members) {BUCKETS}"))
