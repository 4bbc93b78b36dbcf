"""Bringing records of a plain resource in from a CSV file, and undoing it, job and all, against 100,000 a minute."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.cluster import Cluster
from bench.figures import Figure
from core.actor import Actor
from core.ids import new_id
from core.imports import service
from core.imports.models import Import
from core.jobs.run import run_next
from core.members.acting import later
from core.members.service import register
from core.platform import Platform

DISK = True
ROWS = 100_000
LIMIT = ROWS / 60
STEPS: tuple[tuple[str, Callable[..., Any], dict[str, str]], ...] = (
    ("dry run of an import of records", service.try_out, {}),
    ("import of records", service.start, {}),
    ("undo of an import of records", service.undo, {"reason": "The wrong file."}),
)


def measure(cluster: Cluster, notes: list[str]) -> list[Figure]:
    path = _file(cluster.home / "suggestions.csv")
    with cluster.platform(cluster.create("bench_records")) as platform:
        with platform.unit_of_work() as session:
            system = Actor.system("bench")
            member = register(
                session, system, email="a@example.org", password=None, display_name="Admin", roles=("Admin",)
            )
            actor = later(session, member.id, impersonator=None, correlation_id=new_id())
            bound = service.resource_of(session, "suggestions.suggestion")
            with path.open("rb") as file:
                key = service.upload(session, actor, bound, file, path.name).id
        figures = []
        for name, act, about in STEPS:
            cluster.checkpoint()
            with platform.unit_of_work() as session:
                act(session, actor, key, **about)
            began = time.perf_counter()
            while run_next(platform.database):
                pass
            rate = ROWS / (time.perf_counter() - began)
            figures.append(Figure(figure=name, value=rate, unit="rows/s", limit=LIMIT, target=1))
        _check(platform, key)
    notes.append(
        f"record_imports: {ROWS:,} suggestions of three columns, each checked as REST checks it, with its audit row,"
        " what undoing needs, and an event a thousand rows; undoing publishes one a record;"
        " the limit is 100,000 rows in a minute."
    )
    return figures


def _file(path: Path) -> Path:
    with path.open("w", newline="") as file:
        rows = ((f"Suggestion {number}", "More light in the reading room.", "new") for number in range(ROWS))
        csv.writer(file).writerows([("title", "body", "status"), *rows])
    return path


def _check(platform: Platform, key: UUID) -> None:
    with platform.unit_of_work() as session:
        figures = session.get_one(Import, key).figures
    assert figures["done"]["created"] == figures["undone"]["deleted"] == ROWS, figures
