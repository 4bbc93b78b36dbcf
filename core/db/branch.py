"""What the migration runner is given and what it says, apart from it: Alembic takes time to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Branch:
    """A plugin's line of revisions: its name, its folder of revisions, what it builds on."""

    name: str
    folder: Path
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    ok: bool
    reason: str = ""
    traceback: str = ""


class DatabaseUnfit(Exception):
    """The server is older than Guildhall needs, or its tables are newer; the message says so to a person."""
