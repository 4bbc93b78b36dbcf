"""A generated community: 5,000 events of 200 members, most of them by a few, as communities are."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.actor import Actor
from plugins.contributions import importing
from plugins.contributions.history import Masked, csv_lines

EVENTS = 5000
MEMBERS = 200
TYPES = {"git.commit": 80, "git.merge": 10, "learning.completed": 6, "challenge.participation": 3, "git.release": 1}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


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
