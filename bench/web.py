"""Requests a second of a running web server: an empty route, a list in REST and as a page. bench/writes.py has a write.

The route's limit is a bare Flask view on the same server. The limit of the others is their own SQL: the statements that
one such request sends, sent again by psycopg on as many connections, with nothing else done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import event

from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, pairs, percentile
from bench.serving import CLIENTS, NOTHING, PLUGIN, THREADS, load, request, serving, token, warm
from core.ids import new_id
from core.platform import Platform
from core.runtime.web import application

DISK = False
SECONDS = 1.0
LIST = "/api/v1/contributions/contributions?limit=50"
PAGE = "/admin/contributions/contribution/list/"
KEY = "bench-key"
Statement = tuple[str, Any]


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    with site(cluster) as (platform, access):
        empty, listing, page = (partial(request, path, access) for path in (NOTHING, LIST, PAGE))
        with serving(cluster, platform, "bare") as bare, serving(cluster, platform, "guildhall") as ours:
            warm(bare, [empty])
            warm(ours, [empty, listing, page])
            figures = compared("an empty authenticated route", ours, empty, lambda: load(bare, empty, SECONDS)[0])
            for name, make in (("a REST list", listing), ("a list page", page)):
                figures += against_sql(name, ours, make, platform, notes)
    notes.append(
        f"web: one gunicorn process of {THREADS} threads, {CLIENTS} kept connections from this process, {SECONDS} s"
        f" each; {community.EVENTS:,} contributions in the lists. Client, server and database share the cores. Limits:"
        " of the route a bare Flask view on the same server, of the others the same statements by psycopg alone."
    )
    return figures


@contextmanager
def site(cluster: Cluster) -> Iterator[tuple[Platform, str]]:
    """A platform with the community, and an admin's access token."""
    with cluster.platform(cluster.create("bench_web"), [PLUGIN]) as platform:
        community.load(platform, community.write(cluster.home / "community.csv"))
        access = token(platform)
        with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        yield platform, access


def against_sql(name: str, port: int, make: Callable[[], bytes], platform: Platform, notes: list[str]) -> list[Figure]:
    """Requests a second against the same statements by psycopg."""
    statements = recorded(platform, make())
    notes.append(f"{name}: {len(statements)} statements a request.")
    with replaying(platform, statements) as replay:
        return compared(name, port, make, replay)


def compared(name: str, port: int, make: Callable[[], bytes], limit: Callable[[], float]) -> list[Figure]:
    """Requests a second of the server on ``port`` against ``limit``, in pairs, and the 99th percentile of a request."""
    times: list[float] = []

    def ours() -> float:
        rate, taken = load(port, make, SECONDS)
        times.extend(taken)
        return rate

    found = pairs(ours, limit)
    rate = Figure(figure=name, value=found.value, unit="requests/s", limit=found.limit, paired=found.ratio)
    return [rate, Figure(figure=f"{name}: p99", value=percentile(times, 99), unit="ms")]


def recorded(platform: Platform, message: bytes) -> list[Statement]:
    """The statements that a request sends once everything is warm."""
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _version = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith("Content-Length"))
    client = application(platform).test_client()
    found: list[Statement] = []
    listen = (platform.database.engine, "before_cursor_execute")

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        found.append((statement, parameters))

    for attempt in range(2):
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = f"{KEY}-{attempt}"
        if attempt:
            event.listen(*listen, note)
        answer = client.open(path, method=method, data=body or None, headers=headers)
        if answer.status_code >= 300:
            raise RuntimeError(f"{path} answers {answer.status}")
    event.remove(*listen, note)
    return found


@contextmanager
def replaying(platform: Platform, statements: Sequence[Statement]) -> Iterator[Callable[[], float]]:
    """Sends them a transaction at a time on CLIENTS connections; gives transactions a second."""
    url = platform.database.url.replace("+psycopg", "", 1)
    connections = [psycopg.connect(url) for _ in range(CLIENTS)]
    now = new_id().int >> 80  # milliseconds, as a UUIDv7 begins
    try:
        yield lambda: _replay(connections, statements, now)
    finally:
        for connection in connections:
            connection.close()


def _replay(connections: Sequence[psycopg.Connection[Any]], statements: Sequence[Statement], now: int) -> float:
    until = time.perf_counter() + SECONDS
    counts: list[int] = []
    problems: list[BaseException] = []

    def work(connection: psycopg.Connection[Any]) -> None:
        done = 0
        try:
            while time.perf_counter() < until:
                fresh: dict[Any, Any] = {}
                for statement, parameters in statements:
                    cursor = connection.execute(statement, _renewed(parameters, fresh, now), prepare=True)
                    if cursor.description:
                        cursor.fetchall()
                connection.commit()
                done += 1
        except BaseException as problem:
            problems.append(problem)
        counts.append(done)

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return sum(counts) / (time.perf_counter() - began)


def _renewed(value: Any, fresh: dict[Any, Any], now: int) -> Any:
    """``value`` with a new id for each id that the request made, and a new Idempotency-Key, the same throughout."""
    if isinstance(value, dict):
        return {name: _renewed(one, fresh, now) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renewed(one, fresh, now) for one in value]
    made = isinstance(value, UUID) and value.version == 7 and now - (value.int >> 80) < 2000
    if made:
        return fresh.setdefault(value, new_id())
    if isinstance(value, str) and KEY in value:
        return value.replace(f"{KEY}-1", fresh.setdefault(KEY, str(new_id())))
    return value
