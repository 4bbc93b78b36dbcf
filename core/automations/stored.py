"""Events as they are kept, as an automation receives them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from core.events.event import StoredEvent
from core.events.models import EventRow


def stored_event(session: Session, event_id: UUID, actor: Actor) -> StoredEvent | None:
    """The event ``event_id`` for who acts because of it; None where it is no longer kept."""
    row = session.get(EventRow, event_id)
    return of_row(session, row, actor) if row is not None else None


def of_row(session: Session, row: EventRow, actor: Actor) -> StoredEvent:
    """A kept event. Raises ValueError where its payload fits no version that this process reads, LookupError where
    nothing declares it."""
    kind = session.info["registry"].events.get(row.name)
    if kind is None:
        raise LookupError(f"no plugin declares the event {row.name}")
    return StoredEvent(
        id=row.id,
        name=row.name,
        version=kind.event_version,
        payload=kind.read(row.version, row.payload),
        occurred_at=row.occurred_at,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        actor_id=row.actor_id,
        actor=actor.caused_by(row.id, row.correlation_id),
    )
