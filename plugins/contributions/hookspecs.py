"""What other plugins may add to contributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A contribution that is about to be scored; ``base`` are its type's points."""

    id: UUID
    member_id: UUID
    type: str
    details: Mapping[str, Any]
    source: str
    occurred_at: datetime
    challenge_id: UUID | None
    submission_id: UUID | None
    base: int


@hookspec
def score_adjustments(session: Any, drafts: Sequence[Draft]) -> Mapping[UUID, Sequence[tuple[str, int]]]:
    """Addends (label, whole points, perhaps negative) to the scores of ``drafts``, by their id. *Strict.*

    Asked once for many, for the simulator and for re-scoring too: answer from what holds at ``occurred_at``, write
    nothing, and leave out what you have nothing to add to. Each addend is a line of the breakdown; the total is never
    negative, and an override and the type's cap come after. An exception refuses the contributions, so that none is
    scored without what belongs to it. Not called for what is invalid, nor when a person says what one is
    worth: a grant, an override.
    """
    return {}


@hookspec
def contribution_stages(session: Any, contribution_id: UUID) -> list[Stage]:
    """What a plugin did because of this contribution: its part of the timeline. *Isolated.*

    Not called for lists; return an empty list where there is nothing to tell.
    """
    return []
