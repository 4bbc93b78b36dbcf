"""Publish: the event and one delivery for each subscriber, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.db.session import RING
from core.events import subscribers
from core.events.event import Event
from core.events.models import BULK, INTERACTIVE, Delivery, EventRow
from core.ids import new_id
from core.observability import metrics, traces
from core.observability.committed import when_committed

CAUSES = "causes"  # in a batch's session: the event of each correlation, for an actor that names no cause


def publish(session: Session, actor: Actor, *events: Event) -> list[UUID]:
    """Write ``events`` and their deliveries; they exist if and only if the transaction commits.

    Subscribers of a plugin that is absent (safe mode, failed) have theirs too; those of an ``actor`` that works in
    bulk are made after the others. Returns the event ids. Raises LookupError for an event type that no loaded plugin
    declares.
    """
    registry = session.info["registry"]
    causation_id = actor.causation_id or session.info.get(CAUSES, {}).get(actor.correlation_id)
    absent = subscribers.absent(session)
    priority = BULK if actor.bulk else INTERACTIVE
    at = now()
    ids: list[UUID] = []
    rows, deliveries = [], []
    for event in events:
        if event.event_name not in registry.events:
            raise LookupError(f"no plugin declares the event {event.event_name}")
        event_id = new_id()
        ids.append(event_id)
        rows.append(
            {
                "id": event_id,
                "name": event.event_name,
                "version": event.event_version,
                "payload": event.model_dump(mode="json"),
                "occurred_at": at,
                "actor_kind": actor.kind,
                "actor_id": actor.member_id,
                "impersonator_id": actor.impersonator,
                "correlation_id": actor.correlation_id,
                "causation_id": causation_id,
            }
        )
        for subscriber_id in [*registry.subscribers_of(event.event_name), *absent.get(event.event_name, ())]:
            deliveries.append({"event_id": event_id, "subscriber": subscriber_id, "due_at": at, "priority": priority})
    if rows:
        session.execute(insert(EventRow), rows)
        when_committed(session, _watched(rows))
    if deliveries:
        session.execute(insert(Delivery), deliveries)
        session.info[RING] = True
    return ids


def _watched(rows: list[dict[str, Any]]) -> Callable[[], None]:
    """What those who watch are told of these events once they are committed."""
    marks = [traces.mark(f"publish {row['name']}", row["correlation_id"], row["id"], event=row["id"]) for row in rows]

    def tell() -> None:
        for row, mark in zip(rows, marks, strict=True):
            metrics.PUBLISHED.labels(row["name"]).inc()
            if mark:
                mark()

    return tell
