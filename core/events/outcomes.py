"""How the delivery of an event to a subscriber stands, for plugins that show it and let an admin try again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.events.models import Delivery, EventRow
from core.events.replay import replay


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One delivery: ``state`` is pending, done or dead, ``error`` the first line of the last failure, ``due_at`` when a
    pending one is tried next."""

    id: int
    event_id: UUID
    state: str
    attempts: int
    due_at: datetime
    error: str
    payload: dict[str, Any]


def outcome(session: Session, event_id: UUID, subscriber: str) -> Outcome | None:
    """How an event fared at a subscriber (``<plugin>.<handler>``); None when it was not meant for it."""
    return next(
        iter(_read(session, _query().where(Delivery.event_id == event_id, Delivery.subscriber == subscriber))), None
    )


def dead(session: Session, subscriber: str, limit: int = 50) -> Sequence[Outcome]:
    """What a subscriber gave up, the newest first."""
    given_up = Delivery.state == "dead", Delivery.subscriber == subscriber
    return _read(session, _query().where(*given_up).order_by(Delivery.id.desc()).limit(limit))


def deliver_again(session: Session, actor: Actor, event_id: UUID, subscriber: str, reason: str | None = None) -> bool:
    """Deliver an event again that a subscriber finished or gave up. Audited. Returns whether it is on its way."""
    found = outcome(session, event_id, subscriber)
    return found is not None and replay(session, actor, [found.id], reason) > 0


def _query() -> Select[Delivery, dict[str, Any]]:
    return select(Delivery, EventRow.payload).join(EventRow, EventRow.id == Delivery.event_id)


def _read(session: Session, query: Select[Delivery, dict[str, Any]]) -> list[Outcome]:
    return [
        Outcome(
            id=row.id,
            event_id=row.event_id,
            state=row.state,
            attempts=row.attempts,
            due_at=row.due_at,
            error=(row.last_error or "").strip().split("\n", 1)[0],
            payload=payload,
        )
        for row, payload in session.execute(query).tuples()
    ]
