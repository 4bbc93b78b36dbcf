"""Bringing a community's past in, against COPY of the very same rows into a bare table."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from bench import community
from bench.cluster import Cluster
from bench.figures import Figure, pairs

DISK = True
COLUMNS_ALIKE = "CREATE TABLE bench_bare (LIKE contributions_contribution)"


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    path = community.write(cluster.home / "community.csv")
    rows: list[bytes] = []

    def load() -> float:
        with cluster.platform(cluster.create("bench_import")) as platform:
            cluster.checkpoint()
            began = time.perf_counter()
            community.load(platform, path)
            seconds = time.perf_counter() - began
            if not rows:
                rows.append(_rows(platform))
        return community.EVENTS / seconds

    def copy() -> float:
        if not rows:
            load()
        with cluster.platform(cluster.create("bench_copy")) as platform, _raw(platform) as connection:
            connection.execute(COLUMNS_ALIKE)
            connection.commit()
            cluster.checkpoint()
            began = time.perf_counter()
            with connection.cursor().copy("COPY bench_bare FROM STDIN (FORMAT binary)") as sink:
                sink.write(rows[0])
            connection.commit()
            return community.EVENTS / (time.perf_counter() - began)

    found = pairs(load, copy)
    notes.append(
        f"imports: {community.EVENTS:,} events of {community.MEMBERS} new members; the import also makes members,"
        " scores, sums by member, type, day and month, reaches milestones and publishes; COPY does none of it."
    )
    name = "import of a CSV file, against COPY of its rows into a bare table"
    return [Figure(figure=name, value=found.value, unit="events/s", limit=found.limit, paired=found.ratio)]


def _raw(platform: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(platform.database.url.replace("+psycopg", "", 1))


def _rows(platform: Any) -> bytes:
    read = "COPY contributions_contribution TO STDOUT (FORMAT binary)"
    with _raw(platform) as connection, connection.cursor().copy(read) as source:
        return b"".join(bytes(block) for block in source)
