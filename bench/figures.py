"""What a benchmark reports: figures, the table, the JSON file, and the disk probe that says whether to believe them."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

BLOCK = 8192  # bytes, a page of PostgreSQL
SLOW_DISK = 2000  # fdatasync/s; below it every figure that commits measures the disk and not the code
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured thing. ``ratio`` is against ``limit``; ``target`` bounds the ratio from below, or ``at_most``.

    ``paired`` is the median of the ratios of interleaved pairs, where it is a comparison. ``measured`` is False when
    the circumstances do not allow a verdict: such a figure is never met.
    """

    figure: str
    value: float
    unit: str
    limit: float | None = None
    target: float | None = None
    at_most: bool = False
    paired: float | None = None
    measured: bool = True

    @property
    def ratio(self) -> float | None:
        if self.paired is not None:
            return self.paired
        return self.value / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target, and when it was not measured."""
        if self.target is None or self.ratio is None or not self.measured:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    def not_measured(self) -> Figure:
        return replace(self, measured=False)

    def as_json(self) -> dict[str, Any]:
        """The figure as ``var/bench.json`` holds it; ``target`` bounds ``ratio``."""
        bound = None if self.target is None else f"{'<=' if self.at_most else '>='} {self.target:g}"
        return {
            "figure": self.figure, "value": _short(self.value), "unit": self.unit, "limit": _short(self.limit),
            "ratio": _short(self.ratio), "target": bound, "met": self.met,
        }  # fmt: skip


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


@dataclass(frozen=True)
class Pairs:
    """The medians of interleaved pairs: ours, the limit, and ours against it pair by pair."""

    value: float
    limit: float
    ratio: float


def pairs(ours: Callable[[], float], limit: Callable[[], float], rounds: int = ROUNDS) -> Pairs:
    """Measure both in turn, so that a slow minute hits both alike; who begins changes with each round."""
    measured = []
    for number in range(rounds):
        if number % 2:
            second, first = limit(), ours()
        else:
            first, second = ours(), limit()
        measured.append((first, second))
    values, limits = zip(*measured, strict=True)
    ratios = [value / bound for value, bound in measured]
    return Pairs(statistics.median(values), statistics.median(limits), statistics.median(ratios))


def percentile(values: Iterable[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def probe(folder: Path, seconds: float = 1.0) -> float:
    """How many 8 kB overwrites a second reach the disk that holds ``folder``, one fdatasync each."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(BLOCK * 64))
        file.flush()
        os.fdatasync(file.fileno())
        done, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            os.pwrite(file.fileno(), os.urandom(BLOCK), BLOCK * (done % 64))
            os.fdatasync(file.fileno())
            done += 1
    return done / seconds


def in_memory(folder: Path) -> bool:
    """Whether ``folder`` is on no disk at all, where a flush costs nothing."""
    device = folder.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    mounts = Path("/proc/self/mountinfo")
    lines = mounts.read_text().splitlines() if mounts.exists() else []
    return any(line.split()[2] == name and " - tmpfs " in line for line in lines)


def doubt(before: float, after: float) -> str | None:
    """Why the figures between two probes of the disk are no measurement; None when they are."""
    if min(before, after) < SLOW_DISK:
        return f"the disk is slow: fewer than {SLOW_DISK} fdatasync/s"
    if max(before, after) > 2 * min(before, after):
        return "the disk changed its speed more than twofold meanwhile"
    return None


def table(figures: Iterable[Figure]) -> Table:
    made = Table(title="Guildhall bench")
    for name in ("figure", "value", "unit", "limit", "ratio", "target", "met"):
        made.add_column(name, justify="right" if name in ("value", "limit", "ratio", "target") else "left")
    for one in figures:
        row = one.as_json()
        verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: "" if one.measured else "[yellow]not measured[/]"}
        numbers = ["" if row[name] is None else f"{row[name]:,.4g}" for name in ("value", "limit", "ratio")]
        made.add_row(one.figure, numbers[0], one.unit, *numbers[1:], row["target"] or "", verdict[one.met])
    return made


def write(path: Path, figures: Iterable[Figure]) -> None:
    """Write the list of figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([one.as_json() for one in figures], indent=2) + "\n")
