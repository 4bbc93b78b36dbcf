"""A list page with 5,000 rows, as an Admin sees it: its statements and the server's time."""

from __future__ import annotations

import statistics
import time
from typing import Any

from sqlalchemy import event

from app import create_app
from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, percentile
from core.actor import Actor
from core.members import service

DISK = False
PAGE = "/admin/contributions/contribution/list/"
STATEMENTS = 8
COUNT = 40
EMAIL, PASSWORD = "bench@example.org", "correct horse battery"


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    path = community.write(cluster.home / "community.csv")
    with cluster.platform(cluster.create("bench_pages")) as platform:
        community.load(platform, path)
        actor = Actor.system("bench")
        with platform.unit_of_work(actor) as session:
            service.register(
                session, actor, email=EMAIL, password=PASSWORD, display_name="Bench", roles=("Admin", "User")
            )
        with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        client = create_app(platform).test_client()
        signed_in = client.post("/api/v1/core/auth/login", json={"email": EMAIL, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed_in.get_json()['data']['access_token']}"}

        statements: list[str] = []
        event.listen(
            platform.database.engine, "before_cursor_execute",
            lambda _connection, _cursor, statement, *_: statements.append(statement),
        )  # fmt: skip
        counts, times = [], []
        for _ in range(COUNT):
            statements.clear()
            began = time.perf_counter()
            answer = client.get(PAGE, headers=headers)
            times.append((time.perf_counter() - began) * 1000)
            counts.append(len(statements))
            _check(answer)
    notes.append(
        f"pages: {PAGE} with {community.EVENTS:,} rows through the test client, {COUNT} times; the statements are the"
        f" median, at most {max(counts)}, and include who signs in and which plugins are on."
    )
    return [
        Figure(
            figure="statements of a list page", value=statistics.median(counts), unit="statements", limit=STATEMENTS,
            target=1, at_most=True,
        ),
        Figure(figure="server time of a list page: p50", value=statistics.median(times), unit="ms"),
        Figure(figure="server time of a list page: p99", value=percentile(times, 99), unit="ms"),
    ]  # fmt: skip


def _check(answer: Any) -> None:
    if answer.status_code != 200 or "git.commit" not in answer.get_data(as_text=True):
        raise RuntimeError(f"{PAGE} does not show contributions: {answer.status_code}")
