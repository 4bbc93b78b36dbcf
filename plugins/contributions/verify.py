"""Prove that the aggregates equal the sum of what counts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from .progress import RUNS


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
        SELECT concat_ws(' ', member_id, key), stored.figures, expected.figures
        FROM expected FULL JOIN stored USING (member_id, key)
        WHERE stored.figures IS DISTINCT FROM expected.figures ORDER BY 1
    """


CHECKS = {
    "total": _sums(
        "contributions_progress",
        "''",
        "''",
        "count, points, first_at, last_at",
        "count(*), sum(points), min(occurred_at), max(occurred_at)",
    ),
    "type": _sums("contributions_type_progress", "type", "type", "count, points", "count(*), sum(points)"),
    "month": _sums(
        "contributions_month_progress",
        "month",
        "date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date",
        "count, points",
        "count(*), sum(points)",
    ),
    "day": _sums(
        "contributions_day_progress",
        "day",
        "local_day",
        "count, points, streak_count",
        "count(*), sum(points), count(*) FILTER (WHERE counts_for_streak)",
    ),
    "breakdown": """
        SELECT c.id::text, c.points::text, coalesce(lines.total, 0)::text FROM contributions_contribution c
        CROSS JOIN LATERAL (
            SELECT sum((line ->> 'points')::numeric) AS total FROM jsonb_array_elements(c.breakdown) AS line
        ) lines
        WHERE c.points <> coalesce(lines.total, 0) ORDER BY 1
    """,
    "streak": f"""
        WITH {RUNS.format(only="")}
        SELECT p.member_id::text, ROW(p.streak_current, p.streak_best, p.last_day)::text,
            ROW(coalesce(s.current, 0), coalesce(s.best, 0), s.last)::text
        FROM contributions_progress p LEFT JOIN streak s USING (member_id)
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
