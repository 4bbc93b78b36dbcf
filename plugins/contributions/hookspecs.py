"""What other plugins may add to contributions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from guildhall import hookspec

STAGES = ("trigger", "score", "record", "progress", "badge", "reward", "notification")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of what a contribution led to. ``stage`` is one of STAGES, ``state`` a colour word's key."""

    at: datetime
    stage: str
    title: str
    detail: str = ""
    state: str = "done"
    icon: str = "point"
    url: str | None = None


@hookspec
def contribution_stages(session: Any, contribution_id: UUID) -> list[Stage]:
    """What a plugin did because of this contribution: its part of the timeline. *Isolated.*

    Not called for lists; return an empty list where there is nothing to tell.
    """
    return []
