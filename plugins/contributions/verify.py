"""Prove that the aggregates equal the sum of what counts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from .figures import COUNTED, KEPT
from .progress import RUNS, SUMS
from .ranks import BUCKETS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that does not add up: which check, where, what is stored and what it should be."""

    check: str
    where: str
    stored: str
    expected: str


def _sums(table: str, key: str, of: str, columns: str, sums: str) -> str:
    return f"""
        WITH expected AS (
            SELECT member_id, {of} AS key, ROW({sums})::text AS figures
            FROM contributions_contribution WHERE state = 'counted' GROUP BY 1, 2
        ), stored AS (
            SELECT member_id, {key} AS key, ROW({columns})::text AS figures FROM {table}
        )
        SELECT concat_ws(' ', member_id, nullif(key::text, '')), stored.figures, expected.figures
        FROM expected FULL JOIN stored USING (member_id, key)
        WHERE stored.figures IS DISTINCT FROM expected.figures ORDER BY 1
    """


CHECKS = {
    "total": _sums(
        "contributions_progress",
        "''",
        "''",
        "count, points, first_at, last_at",
        "count(*), sum(points + correction), min(occurred_at), max(occurred_at)",
    ),
    "type": _sums("contributions_type_progress", "type", "type", "count, points", "count(*), sum(points + correction)"),
    "month": _sums(
        "contributions_month_progress",
        "month",
        "date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date",
        "count, points",
        "count(*), sum(points + correction)",
    ),
    "day": _sums(
        "contributions_day_progress",
        "day",
        "local_day",
        "count, points, streak_count",
        "count(*), sum(points + correction), count(*) FILTER (WHERE counts_for_streak)",
    ),
    "figures": f"""
        WITH expected AS (SELECT day, type, ROW(count, points, members)::text AS figures FROM ({COUNTED}) counted),
        stored AS (SELECT day, type, ROW(count, points, members)::text AS figures FROM ({KEPT.format(where="")}) kept)
        SELECT concat_ws(' ', day, type), stored.figures, expected.figures
        FROM expected FULL JOIN stored USING (day, type)
        WHERE stored.figures IS DISTINCT FROM expected.figures ORDER BY 1
    """,
    "breakdown": """
        SELECT c.id::text, c.points::text, coalesce(lines.total, 0)::text FROM contributions_contribution c
        CROSS JOIN LATERAL (
            SELECT sum((line ->> 'points')::numeric) AS total FROM jsonb_array_elements(c.breakdown) AS line
        ) lines
        WHERE c.points <> coalesce(lines.total, 0) ORDER BY 1
    """,
    "correction": """
        SELECT c.id::text, c.correction::text, coalesce(sum(k.points), 0)::text FROM contributions_contribution c
        LEFT JOIN contributions_correction k ON k.contribution_id = c.id
        GROUP BY c.id, c.correction HAVING c.correction <> coalesce(sum(k.points), 0) ORDER BY 1
    """,
    "correction_breakdown": """
        SELECT k.id::text, k.points::text, coalesce(lines.total, 0)::text FROM contributions_correction k
        CROSS JOIN LATERAL (
            SELECT sum((line ->> 'points')::numeric) AS total FROM jsonb_array_elements(k.breakdown) AS line
        ) lines
        WHERE k.points <> coalesce(lines.total, 0) ORDER BY 1
    """,
    "board": f"""
        WITH added AS (
            SELECT member_id, occurred_at, challenge_id, points + correction AS points, 1 AS n
            FROM contributions_contribution WHERE state = 'counted'
        ), expected (board, member_id, count, points) AS ({SUMS["board"]}), stored AS (
            SELECT * FROM contributions_board_progress
            WHERE board NOT IN (SELECT 'season:' || id FROM contributions_season WHERE state = 'closed')
        )
        SELECT concat_ws(' ', board, member_id), ROW(s.count, s.points)::text, ROW(e.count, e.points)::text
        FROM expected e FULL JOIN stored s USING (board, member_id)
        WHERE (s.count, s.points) IS DISTINCT FROM (e.count, e.points) ORDER BY 1
    """,
    "rank": f"""
        WITH expected AS ({BUCKETS}), stored AS (
            SELECT bucket, sum(members) AS members FROM (
                SELECT bucket, members FROM contributions_rank_bucket
                UNION ALL SELECT bucket, members FROM contributions_rank_change
            ) both_kinds GROUP BY 1 HAVING sum(members) <> 0
        )
        SELECT bucket::text, s.members::text, e.members::text FROM expected e FULL JOIN stored s USING (bucket)
        WHERE s.members IS DISTINCT FROM e.members ORDER BY 1
    """,
    "standing": """
        SELECT concat_ws(' ', s.board, s.member_id), s.rank::text, r.rank::text FROM contributions_standing s
        JOIN (
            SELECT board, member_id, rank() OVER (PARTITION BY board ORDER BY points DESC) FROM contributions_standing
        ) r
        USING (board, member_id) WHERE s.rank <> r.rank ORDER BY 1
    """,
    "review": """
        SELECT c.id::text, c.state, coalesce(r.state, 'no review') FROM contributions_contribution c
        LEFT JOIN contributions_review r ON r.contribution_id = c.id
        WHERE (c.state = 'pending') <> coalesce(r.state = 'open', false) ORDER BY 1
    """,
    "import": """
        SELECT c.id::text, c.state, 'reversed' FROM contributions_import i
        JOIN contributions_import_row r ON r.import_id = i.id
        JOIN contributions_contribution c ON c.id = r.contribution_id
        WHERE i.state = 'undone' AND c.state = 'counted' ORDER BY 1
    """,
    "streak": f"""
        WITH {RUNS.format(only="")}
        SELECT member_id::text, ROW(p.streak_current, p.streak_best, p.last_day)::text,
            ROW(coalesce(s.current, 0), coalesce(s.best, 0), s.last)::text
        FROM contributions_progress p FULL JOIN streak s USING (member_id)  -- from the left it would be a nested loop
        WHERE (p.streak_current, p.streak_best, p.last_day)
            IS DISTINCT FROM (coalesce(s.current, 0), coalesce(s.best, 0), s.last) ORDER BY 1
    """,
}


def verify(session: Session, most: int = 100) -> dict[str, list[Finding]]:
    """Compare every aggregate with the contributions it sums; findings by check, at most ``most`` of each."""
    return {
        name: [
            Finding(check=name, where=where, stored=str(stored), expected=str(expected))
            for where, stored, expected in session.execute(text(f"{query} LIMIT :most"), {"most": most})
        ]
        for name, query in CHECKS.items()
    }
