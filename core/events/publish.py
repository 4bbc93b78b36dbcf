"""Publish: the event and one delivery for each subscriber, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.db.session import CAUSES, RING, WITNESS
from core.events import subscribers
from core.events.event import Event
from core.events.models import BULK, INTERACTIVE
from core.ids import new_id
from core.observability import metrics, traces
from core.observability.committed import when_committed

# Events and their deliveries in one trip; what they have in common comes once.
_WRITE = text("""
    WITH event AS (
        INSERT INTO core_event (
            id, name, version, payload, occurred_at, actor_kind, actor_id, impersonator_id, correlation_id, causation_id
        )
        SELECT e.id, e.name, e.version, e.payload, :at, :actor_kind, CAST(:actor_id AS uuid),
            CAST(:impersonator_id AS uuid), :correlation_id, CAST(:causation_id AS uuid)
        FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS e (id uuid, name text, version int, payload jsonb)
    )
    INSERT INTO core_delivery (event_id, subscriber, due_at, priority)
    SELECT d.event_id, d.subscriber, :at, :priority
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:subscribers AS text[])) AS d (event_id, subscriber)
""")


def publish(session: Session, actor: Actor, *events: Event) -> list[UUID]:
    """Write ``events`` and their deliveries; they exist if and only if the transaction commits.

    Subscribers of a plugin that is absent (safe mode, failed) have theirs too; those of an ``actor`` that works in
    bulk are made after the others. Returns the event ids. Raises LookupError for an event type that no loaded plugin
    declares.
    """
    registry = session.info["registry"]
    causation_id = actor.causation_id or session.info.get(CAUSES, {}).get(actor.correlation_id)
    rows: list[dict[str, Any]] = []
    event_ids: list[UUID] = []
    reached: list[str] = []
    for event in events:
        if event.event_name not in registry.events:
            raise LookupError(f"no plugin declares the event {event.event_name}")
        event_id = new_id()
        payload = event.model_dump(mode="json")
        rows.append({"id": event_id, "name": event.event_name, "version": event.event_version, "payload": payload})
        for subscriber_id in subscribers.reached(session, event.event_name):
            event_ids.append(event_id)
            reached.append(subscriber_id)
    if rows:
        written = {
            "at": now(),
            "actor_kind": actor.kind,
            "actor_id": actor.member_id,
            "impersonator_id": actor.impersonator,
            "correlation_id": actor.correlation_id,
            "causation_id": causation_id,
            "priority": BULK if actor.bulk else INTERACTIVE,
            "events": json.dumps(rows, default=str),
            "event_ids": event_ids,
            "subscribers": reached,
        }
        session.execute(_WRITE, written)
        when_committed(session, _watched(rows, actor.correlation_id))
        session.info.get(WITNESS, []).extend(row["id"] for row in rows)
    if reached:
        session.info[RING] = True
    return [row["id"] for row in rows]


def _watched(rows: list[dict[str, Any]], correlation_id: UUID) -> Callable[[], None]:
    """What those who watch are told of these events once they are committed."""
    marks = [traces.mark(f"publish {row['name']}", correlation_id, row["id"], event=row["id"]) for row in rows]

    def tell() -> None:
        for row, mark in zip(rows, marks, strict=True):
            metrics.PUBLISHED.labels(row["name"]).inc()
            if mark:
                mark()

    return tell
