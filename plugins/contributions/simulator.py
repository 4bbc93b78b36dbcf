"""What would this contribution score, and why? Asked of the same code that records, without any effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, read_settings

from . import limits
from .errors import DuplicateEvent
from .intake import Intake, NewContribution, Outcome
from .models import Contribution
from .settings import ContributionSettings


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What recording would answer: ``outcome`` as of ``Outcome``, the score as if it counted, and what it follows.

    ``code`` and ``message`` say why it would not count.
    """

    outcome: str
    points: int = 0
    breakdown: list[dict[str, Any]] = field(default_factory=list)
    tier: str | None = None
    type_version: int | None = None
    code: str | None = None
    message: str | None = None


def simulate(session: Session, actor: Actor, row: NewContribution, *, source: str = "system") -> Simulation:
    """What would become of ``row`` now; nothing is written and nobody is locked. Raises ScoringError.

    Whether it would be held for a review is not foretold: that follows from what else happens meanwhile.
    """
    intake = Intake(session, actor, source, read_settings(session, ContributionSettings))
    outcomes: list[Outcome | None] = [None]
    prepared = intake.prepare([row], outcomes)
    if (refused := outcomes[0]) and refused.error:
        return _told("invalid", refused.error)
    values = prepared[0]
    intake.score([values])
    rules = intake.rules_of(row.type)
    score: dict[str, Any] = {
        "points": values["points"],
        "breakdown": values["breakdown"],
        "type_version": values["type_version"],
        "tier": intake.tier_of(row.member_id, values["occurred_at"]),
    }
    first = select(Contribution.id).where(Contribution.type == row.type, Contribution.event_key == values["event_key"])
    if session.scalar(first) is not None:
        return _told("duplicate", DuplicateEvent(type=row.type), **score)
    reached, _taken = limits.decide(session, [values], {row.type: rules})
    if reached:
        return _told("rejected", reached[values["id"]], **score)
    return Simulation(outcome="recorded", **score)


def _told(outcome: str, error: DomainError, **score: Any) -> Simulation:
    return Simulation(outcome=outcome, code=error.code, message=error.message, **score)
