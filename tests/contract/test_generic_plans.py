"""What PostgreSQL makes of a statement when it plans it once for all parameters, as it may do with any prepared one.

A partial index is then found only where its condition stands in the statement as a literal: an ``ON CONFLICT`` without
it fails, and anything else reads the whole table. `GUILDHALL_TEST_GENERIC_PLANS=1` runs any test in this way.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event, text

from core.actor import Actor
from core.events.deliver import Deliverer
from core.jobs.run import run_next
from core.members import service as members
from core.platform import Platform
from plugins.contributions import service

ROOT = Path(__file__).resolve().parents[2]
LARGE = (
    "core_event", "core_delivery", "core_job", "core_audit", "core_session", "contributions_contribution",
    "contributions_progress", "wallet_transfer", "wallet_entry", "wallet_reward", "badges_award",
    "notifications_notice",
)  # fmt: skip
PARAMETER = re.compile(r"%\((\w+)\)s")
SYSTEM = Actor.system("test")


def prepared(statement: str) -> str:
    """A statement as it is prepared: with numbers for its parameters."""
    names: dict[str, int] = {}
    numbered = PARAMETER.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement)
    return numbered.replace("%%", "%")


def way_of_one_event(platform: Platform) -> list[str]:
    """Record contributions, deliver what follows, run the jobs; every statement that was sent."""
    sent: dict[str, None] = {}

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent[statement] = None

    def plan(connection: Any, _record: Any) -> None:
        connection.prepare_threshold = 0
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()

    engine = platform.database.engine
    event.listen(engine, "connect", plan)
    event.listen(engine, "before_cursor_execute", note)
    try:
        with platform.unit_of_work(SYSTEM) as session:
            member = members.register(
                session, SYSTEM, email="ada@example.org", password="correct horse battery", display_name="Ada"
            )
        for number in range(3):
            with platform.unit_of_work(SYSTEM) as session:
                service.record(session, SYSTEM, member_id=member.id, type="git.commit", event_key=f"k{number}")
            Deliverer(platform.database).drain()
        while run_next(platform.database):
            pass
    finally:
        event.remove(engine, "before_cursor_execute", note)
        event.remove(engine, "connect", plan)
    with platform.unit_of_work() as session:
        assert set(session.scalars(text("SELECT DISTINCT state FROM core_delivery"))) == {"done"}
    return list(sent)


def test_the_way_of_one_event_reads_no_large_table_whole(platform: Platform) -> None:
    whole = []
    statements = way_of_one_event(platform)
    assert len(statements) > 30
    url = platform.database.url.replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SET enable_seqscan = off")
        for statement in statements:
            if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")):
                continue
            asked: Any = "EXPLAIN (GENERIC_PLAN) " + prepared(statement)
            plan = [line for (line,) in connection.execute(asked)]
            scans = {name for line in plan for name in LARGE if re.search(rf"Seq Scan on {name}\b", line)}
            whole += [f"{name}: {' '.join(statement.split())}" for name in sorted(scans)]
    assert not whole, "\n".join(whole)


def test_every_conflict_on_a_partial_index_is_tried_without_parameters() -> None:
    """Who adds one tests it under force_generic_plan, as tests/core/reviews does, and names it here."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("core", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"index_where=|ON CONFLICT\s*\([^)]*\)\s*WHERE", path.read_text())
    }
    assert found == {"core/reviews/service.py"}
