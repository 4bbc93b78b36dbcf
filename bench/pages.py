"""Lists of large tables as an Admin works with them: each step's statements and the server's time.

200,000 contributions, as many suggestions (a resource whose pages and routes are all generated) and a tenth as many
members; ``SCALE=full`` takes five million.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

from sqlalchemy import event, text

from app import create_app
from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.members import service
from core.platform import Platform

DISK = False
LIST, VIEW = "/admin/contributions/contribution/list/", "ContributionsContributionView"
IDEAS, IDEAS_VIEW = "/admin/suggestions/suggestion/list/", "SuggestionsSuggestionView"
SCALES = {"full": 5_000_000}
ROWS = 200_000
STATEMENTS, SLOWEST = 6, 50  # a page; ms at the 95th percentile
COUNT = 40
EMAIL, PASSWORD = "bench@example.org", "correct horse battery"
# What the community did, again and again; the table's own order is kept, so that no index is read at random.
FILL = """
    INSERT INTO contributions_contribution ({columns})
    SELECT {values} FROM generate_series(1, {rows}) g JOIN pattern p ON p.number = 1 + g %% {events}
"""
SUGGESTED = """
    INSERT INTO suggestions_suggestion (id, author_id, title, body, status)
    SELECT uuidv7(), m.member_id, (ARRAY['Longer','Better','Fewer','Cheaper','Quieter'])[1 + g %% 5] || ' '
        || substr(md5(g::text), 1, 12), 'More light.', CASE WHEN g %% 10 = 0 THEN 'planned' ELSE 'new' END
    FROM generate_series(1, {rows}) g JOIN authors m ON m.number = g %% {authors} ORDER BY g
"""
MEMBERS = """
    INSERT INTO core_member (id, display_name, joined_at)
    SELECT uuidv7(), 'person-' || g, now() FROM generate_series(1, {rows}) g
"""


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    rows = SCALES.get(os.environ.get("SCALE", ""), ROWS)
    path = community.write(cluster.home / "community.csv")
    with cluster.platform(cluster.create("bench_pages")) as platform:
        community.load(platform, path)
        actor = Actor.system("bench")
        with platform.unit_of_work(actor) as session:
            service.register(
                session, actor, email=EMAIL, password=PASSWORD, display_name="Bench", roles=("Admin", "User")
            )
        fill(platform, rows)
        client = create_app(platform).test_client()
        signed_in = client.post("/api/v1/core/auth/login", json={"email": EMAIL, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed_in.get_json()['data']['access_token']}"}
        figures = []
        for step, (address, shown) in steps(platform).items():
            figures += _measured(platform, client, headers, step, address, shown)
    more = "" if rows != ROWS else " (SCALE=full takes five million)"
    notes.append(
        f"pages: {rows:,} contributions, {rows:,} suggestions and {rows // 10:,} members{more},"
        f" each step {COUNT} times through the test client. Statements are the median, and include who signs in."
    )
    return figures


def fill(platform: Platform, rows: int) -> None:
    """Let the community's tables grow to ``rows``, and a tenth as many people join."""
    table = "contributions_contribution"
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        run = connection.exec_driver_sql
        run("SET session_replication_role = replica")  # what refers to others was checked when it was first recorded
        run("SET synchronous_commit = off")
        run(
            "CREATE TEMP TABLE pattern AS"
            f" SELECT row_number() OVER (ORDER BY occurred_at) AS number, c.* FROM {table} c"
        )
        own = {
            "id": "uuidv7()",
            "event_key": "'again-' || lpad(g::text, 9, '0')",
            "occurred_at": f"p.occurred_at + (g / {community.EVENTS}) * interval '20 seconds'",
        }
        names = list(run(f"SELECT * FROM {table} LIMIT 0").keys())
        values = ", ".join(own.get(name, f"p.{name}") for name in names)
        _insert(run, table, FILL.format(columns=", ".join(names), values=values, rows=rows, events=community.EVENTS))
        run(
            "CREATE TEMP TABLE authors AS SELECT row_number() OVER () - 1 AS number, member_id"
            " FROM contributions_progress"
        )
        authors = run("SELECT count(*) FROM authors").scalar_one()
        _insert(run, "suggestions_suggestion", SUGGESTED.format(rows=rows, authors=authors))
        run(MEMBERS.format(rows=rows // 10))
        run("SET session_replication_role = origin")
        run("VACUUM ANALYZE")


def _insert(run: Any, table: str, statement: str) -> None:
    """Insert many; indexes are built at the end."""
    found = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}' AND indexdef NOT LIKE '%%UNIQUE%%'"
    indexes = run(found).all()
    for name, _definition in indexes:
        run(f"DROP INDEX {name}")
    run(statement)
    for _name, definition in indexes:
        run(definition)


def steps(platform: Platform) -> dict[str, tuple[str, str]]:
    """What is done at the lists, by its name: an address, and a text that its answer must show."""
    with platform.unit_of_work() as session:
        latest = "SELECT member_id FROM contributions_contribution WHERE type = 'git.commit' ORDER BY occurred_at DESC"
        member = session.scalar(text(f"{latest} LIMIT 1"))
        key = session.scalar(text("SELECT id FROM contributions_contribution LIMIT 1"))
        title = str(session.scalar(text("SELECT title FROM suggestions_suggestion ORDER BY id LIMIT 1")))

    def sorted_by(column: str, direction: str) -> str:
        return f"_oc_{VIEW}={column}&_od_{VIEW}={direction}"

    rest = "/api/v1/suggestions/suggestions?limit=50"

    return {
        "list": (LIST, "git.commit"),
        "filter by type": (f"{LIST}?_flt_1_type=git.release", "git.release"),
        "filter by member": (f"{LIST}?_flt_0_member_id={member}", "git.commit"),
        "sort by type": (f"{LIST}?{sorted_by('type', 'desc')}", "learning.completed"),
        "filter and sort": (f"{LIST}?_flt_1_type=git.merge&{sorted_by('occurred_at', 'asc')}", "git.merge"),
        "next page": (f"{LIST}?page_{VIEW}=1", "git.commit"),
        "far page": (f"{LIST}?page_{VIEW}=9999", "git.commit"),
        "REST list": ("/api/v1/contributions/contributions?limit=50", "git.commit"),
        "suggestions: list": (IDEAS, "Longer"),
        "suggestions: filter": (f"{IDEAS}?_flt_0_status=planned", "Longer"),
        "suggestions: far page": (f"{IDEAS}?page_{IDEAS_VIEW}=9999", "Longer"),
        "suggestions: search, one": (f"{IDEAS}?q={title.lower().replace(' ', '+')}", title),
        "suggestions: search, a fifth": (f"{IDEAS}?q=quieter", "Quieter"),
        "suggestions: REST list": (rest, "Longer"),
        "suggestions: REST search": (f"{rest}&q={title.replace(' ', '+')}", title),
        "palette, found": ("/admin/search?q=person-1", "person-1"),
        "palette, nothing": ("/admin/search?q=nobody-is-called-so", "[]"),
        "palette, by id": (f"/admin/search?q={key}", str(key)),
    }


def _measured(
    platform: Platform, client: Any, headers: dict[str, str], step: str, address: str, shown: str
) -> list[Figure]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    counts, times = [], []
    event.listen(platform.database.engine, "before_cursor_execute", note)
    try:
        for number in range(COUNT + 1):
            statements.clear()
            began = time.perf_counter()
            answer = client.get(address, headers=headers)
            if number:  # the first compiles and reads from the disk
                times.append((time.perf_counter() - began) * 1000)
                counts.append(len(statements))
            if answer.status_code != 200 or shown not in answer.get_data(as_text=True):
                raise RuntimeError(f"{address} does not show {shown}: {answer.status_code}")
    finally:
        event.remove(platform.database.engine, "before_cursor_execute", note)
    return [
        Figure(
            figure=f"{step}: p95 of the server's time", value=percentile(times, 95), unit="ms", limit=SLOWEST, target=1,
            at_most=True,
        ),
        Figure(
            figure=f"{step}: statements", value=statistics.median(counts), unit="statements", limit=STATEMENTS,
            target=1, at_most=True,
        ),
    ]  # fmt: skip
