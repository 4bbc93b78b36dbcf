"""``python -m bench [NAME …]``: measure, print a table, write ``var/bench.json`` (of some: ``var/bench-part.json``).

Without names everything is measured, in about six minutes on two cores. ``SCALE=full`` takes five million rows in lists
and contributions, and 200,000 members.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from bench.cluster import Cluster, cluster
from bench.figures import Figure, doubt, in_memory, probe, table, write
from core import logs

SUBJECTS = (
    "imports",
    "record_imports",
    "contributions",
    "badges",
    "deliveries",
    "automations",
    "webhooks",
    "ledger",
    "startup",
    "pages",
    "web",
    "writes",
)
RESULT = Path(__file__).resolve().parent.parent / "var" / "bench.json"
console = Console(width=None if sys.stdout.isatty() else 150)


def main(names: list[str]) -> None:
    if unknown := set(names) - set(SUBJECTS):
        raise SystemExit(f"There is no bench called {', '.join(sorted(unknown))}; choose from {', '.join(SUBJECTS)}.")
    logs.configure("WARNING", process="bench")
    began = time.perf_counter()
    figures: list[Figure] = []
    notes: list[str] = []
    failed: list[str] = []
    with cluster() as made:
        for name in names or SUBJECTS:
            started = time.perf_counter()
            console.print(f"{name} … ", end="")
            try:
                figures += _measured(made, name, notes)
            except Exception as problem:
                failed.append(name)
                notes.append(f"{name}: failed: {str(problem)[-2000:]}")
            console.print(f"{time.perf_counter() - started:.0f} s")
    console.print(table(figures))
    for note in notes:
        console.print(f"- {note}", highlight=False)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(
        f"- {os.cpu_count()} cores, load {load} at the end, {time.perf_counter() - began:.0f} s in all."
        " Take ±30 % as noise for values, less for ratios of pairs.",
        highlight=False,
    )
    result = RESULT.with_name("bench-part.json") if names else RESULT  # a part does not pass for the whole
    write(result, figures)
    console.print(f"Written to {result.relative_to(Path.cwd()) if result.is_relative_to(Path.cwd()) else result}.")
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}; see the notes.")


def _measured(made: Cluster, name: str, notes: list[str]) -> list[Figure]:
    """A subject's figures; without a verdict when it commits and the disk cannot be trusted."""
    subject = importlib.import_module(f"bench.{name}")
    if not subject.DISK:
        return list(subject.measure(made, notes))
    before = probe(made.data)
    figures: list[Figure] = subject.measure(made, notes)
    after = probe(made.data)
    why = "the database is in memory" if in_memory(made.data) else doubt(before, after)
    if why:
        notes.append(f"{name}: not measured, {why}.")
        figures = [one.not_measured() for one in figures]
    for when, rate in (("before", before), ("after", after)):
        figures.append(Figure(figure=f"disk {when} {name}", value=rate, unit="fdatasync/s"))
    return figures


if __name__ == "__main__":
    main(sys.argv[1:])
