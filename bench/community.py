"""Generated communities, in which a few do most: 5,000 events of 200 members, or 5,000,000 of 200,000."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from core.actor import Actor
from plugins.contributions import importing, progress
from plugins.contributions.history import Masked, csv_lines

EVENTS = 5000
MEMBERS = 200
TYPES = {"git.commit": 80, "git.merge": 10, "learning.completed": 6, "challenge.participation": 3, "git.release": 1}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)

FULL_EVENTS, FULL_MEMBERS = 5_000_000, 200_000
FULL_TYPES = {
    "git.commit": 56, "daily.login": 14, "git.merge": 8, "learning.completed": 6, "challenge.participation": 6,
    "submission.approved": 5, "git.release": 2, "referral.success": 1, "challenge.finalist": 1, "challenge.win": 1,
}  # fmt: skip
# Who did most did 11,000, half did fewer than 18; over two years that ended a week ago, so that nothing seems rapid.
_FILL = (
    "CREATE TEMP TABLE people ON COMMIT DROP AS SELECT n, uuidv7(interval '1 second' * (n - {members}) - "
    "interval '740 days') AS id FROM generate_series(1, {members}) n",
    "INSERT INTO core_member (id, display_name, joined_at)"
    " SELECT id, 'Member ' || n, now() - interval '740 days' FROM people ORDER BY id",
    "ANALYZE people",
    """
    INSERT INTO contributions_contribution (
        id, member_id, type, points, correction, state, breakdown, type_version, details, source, event_key,
        occurred_at, local_day, counts_for_streak, created_at, correlation_id
    )
    SELECT uuidv7(e.at - now()), p.id, t.code, t.base_points, 0, 'counted', t.breakdown, t.version,
        CASE t.code WHEN 'git.merge' THEN jsonb_build_object('lines', e.n % 997) ELSE '{{}}' END, 'import',
        'event-' || lpad(e.n::text, 8, '0'), e.at, (e.at AT TIME ZONE 'UTC')::date, t.counts_for_streak, e.at,
        (SELECT uuidv7())
    FROM (
        SELECT n, now() - interval '737 days' + n * (interval '730 days' / {events}) AS at,
            1 + floor({members} * random() ^ 2)::int AS person, random() AS kind
        FROM generate_series(1, {events}) n
    ) e
    JOIN people p ON p.n = e.person
    JOIN (
        SELECT *, jsonb_build_array(jsonb_build_object('label', 'base', 'points', base_points)) AS breakdown
        FROM contributions_type OFFSET 0
    ) t ON t.code = (CAST(:types AS text[]))[width_bucket(e.kind, CAST(:bounds AS float8[]))]
    """,
)
# Rows come in the order of their keys and the other indexes are built at the end, so that nothing is written twice.
_AT_LENGTH = (
    "SET LOCAL session_replication_role = replica",  # every reference is right by construction
    "SET LOCAL synchronous_commit = off",
    "SET LOCAL work_mem = '512MB'",
    "SET LOCAL maintenance_work_mem = '1GB'",
    "SET LOCAL enable_hashagg = off",
    "SET LOCAL jit = off",
)
_INDEXES = """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS made
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
    WHERE i.indrelid = ANY(CAST(:tables AS regclass[])) AND c.oid IS NULL ORDER BY 1
"""
# What members came to long ago is noted already: nobody reaches a first milestone because of the way this is written.
_REACHED = (
    "CREATE TEMP TABLE risen ON COMMIT DROP AS SELECT p.member_id, p.points, p.last_at AS at, ("
    "SELECT id FROM contributions_contribution c WHERE c.member_id = p.member_id ORDER BY occurred_at DESC LIMIT 1"
    ") AS contribution_id FROM contributions_progress p",
    "INSERT INTO contributions_milestone_reached (id, member_id, milestone_id, contribution_id, created_at)"
    " SELECT uuidv7(), r.member_id, m.id, r.contribution_id, r.at"
    " FROM risen r JOIN contributions_milestone m ON m.threshold <= r.points",
    "INSERT INTO contributions_level_reached (member_id, level_id, contribution_id, created_at)"
    " SELECT r.member_id, l.id, r.contribution_id, r.at"
    " FROM risen r JOIN contributions_level l ON l.threshold <= r.points",
)


def write(path: Path, events: int = EVENTS) -> Path:
    """Write the community as the CSV file that ``contributions import-csv`` reads; always the same one."""
    chance = random.Random(815)
    people = [f"member-{number:03}" for number in range(MEMBERS)]
    weights = [1 / (number + 1) for number in range(MEMBERS)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("key", "member", "occurred_at", "type"))
        at = BEGIN
        for number in range(events):
            at += timedelta(minutes=chance.randint(1, 200))
            # Everybody comes once, then some come often.
            person = people[number] if number < MEMBERS else chance.choices(people, weights)[0]
            [kind] = chance.choices(list(TYPES), list(TYPES.values()))
            writer.writerow((f"event-{number}", person, at.isoformat(), kind))
    return path


def load(platform: Any, path: Path) -> None:
    """Import the file the way the command does: chunks of 1,000, a transaction each."""
    actor = Actor.system("bench import")
    lines = csv_lines(path, Masked(platform.config.secret_key))
    report = importing.run(lambda: platform.unit_of_work(actor), actor, lines, kind="import")
    if report.recorded != report.lines:
        raise RuntimeError(f"{report.recorded} of {report.lines} lines were recorded: {report.problems[:3]}")


def fill(platform: Any, events: int = FULL_EVENTS, members: int = FULL_MEMBERS) -> None:
    """Write a community straight into the tables, and its aggregates the way ``contributions recalculate`` does."""
    share = [0.0]
    for weight in FULL_TYPES.values():
        share.append(share[-1] + weight / sum(FULL_TYPES.values()))
    values = {"types": list(FULL_TYPES), "bounds": share[:-1]}
    tables = ["contributions_contribution", *(table.split(" ")[0] for table in progress.TABLES.values())]
    with platform.unit_of_work() as session:
        for statement in _AT_LENGTH:
            session.execute(text(statement))
        indexes = session.execute(text(_INDEXES), {"tables": tables}).tuples().all()
        for name, _made in indexes:
            session.execute(text(f"DROP INDEX {name}"))
        for statement in _FILL:
            asked = values if ":types" in statement else {}
            session.execute(text(statement.format(events=events, members=members)), asked)
        session.execute(text("ANALYZE contributions_contribution"))
        progress.rebuild(session)
        for _name, made in indexes:
            session.execute(text(made.replace(":", "\\:")))
        for statement in _REACHED:
            session.execute(text(statement))
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
