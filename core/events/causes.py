"""Events of one cause, in the order of cause and effect."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events.models import EventRow

MOST = 200


def chain(session: Session, correlation_id: UUID) -> Sequence[EventRow]:
    """The first MOST events of one correlation."""
    same = select(EventRow).where(EventRow.correlation_id == correlation_id).order_by(EventRow.id).limit(MOST)
    return session.scalars(same).all()


def ordered(events: Sequence[EventRow]) -> list[tuple[int, EventRow]]:
    """Events of one correlation as (depth, event), each below its cause."""
    children: dict[UUID | None, list[EventRow]] = {}
    known = {event.id for event in events}
    for event in events:
        children.setdefault(event.causation_id if event.causation_id in known else None, []).append(event)
    found: list[tuple[int, EventRow]] = []
    waiting = [(0, event) for event in reversed(children.get(None, []))]
    while waiting:
        depth, event = waiting.pop()
        found.append((depth, event))
        waiting += [(depth + 1, one) for one in reversed(children.get(event.id, []))]
    return found
