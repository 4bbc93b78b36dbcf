"""``guildhall plugin trace``: what came of an event, as a tree of causes and effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import rfc3339
from core.events.causes import MOST, chain, jobs_between, ordered
from core.events.models import Delivery, EventRow
from core.plugin_kit.errors import CauseUnknown


@dataclass(frozen=True)
class Step:
    """An event, to whom it was delivered, and what came of it."""

    event: EventRow
    deliveries: tuple[Delivery, ...]
    effects: list[Step] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        about = {name: str(getattr(self.event, name) or "") for name in ("id", "name", "actor_kind", "correlation_id")}
        return {
            **about,
            "occurred_at": rfc3339(self.event.occurred_at),
            "deliveries": [
                {
                    "subscriber": one.subscriber,
                    "state": one.state,
                    "attempts": one.attempts,
                    "error": (one.last_error or "").partition("\n")[0],
                }
                for one in self.deliveries
            ],
            "effects": [one.as_json() for one in self.effects],
        }


def trace(session: Session, key: UUID) -> tuple[list[Step], bool]:
    """The tree of the chain of causes that ``key``, an event's or a correlation's id, belongs to.

    At most MOST events, the oldest; the second value says whether there are more. Raises CauseUnknown.
    """
    event = session.get(EventRow, key)
    events = chain(session, event.correlation_id if event else key)
    if not events:
        raise CauseUnknown(id=key)
    told: dict[UUID, list[Delivery]] = {}
    query = select(Delivery).where(Delivery.event_id.in_([one.id for one in events])).order_by(Delivery.id)
    for delivery in session.scalars(query):
        told.setdefault(delivery.event_id, []).append(delivery)
    roots: list[Step] = []
    path: list[Step] = []
    for depth, one in ordered(events, jobs_between(session, events)):
        step = Step(one, tuple(told.get(one.id, ())))
        del path[depth:]
        (path[-1].effects if path else roots).append(step)
        path.append(step)
    return roots, len(events) == MOST
