"""Deliver: bring each event to each subscriber, in a way that no crash can lose or double.

A transactional delivery is claimed by its row lock; the handler's effect and the acknowledgement commit
together. An external one is claimed by a lease, called outside any transaction, then acknowledged.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, text

from core import lifecycle
from core.actor import Actor
from core.clock import now
from core.db.session import Database
from core.events.event import StoredEvent, Subscriber

log = structlog.get_logger("events")
LONGEST_WAIT = timedelta(hours=1)

_CLAIM = text("""
    SELECT d.id AS delivery, d.subscriber, d.attempts, e.*
    FROM core_delivery d JOIN core_event e ON e.id = d.event_id
    WHERE d.state = 'pending' AND d.due_at <= :at AND d.subscriber = ANY(:subscribers)
    ORDER BY d.due_at, d.id LIMIT :most FOR UPDATE OF d SKIP LOCKED
""")
_DONE = text("""
    UPDATE core_delivery SET state = 'done', done_at = :at, last_error = NULL, attempts = attempts + :tries
    WHERE id = ANY(:ids)
""")
_LEASE = text("UPDATE core_delivery SET due_at = :until, attempts = attempts + 1 WHERE id = :id")
_LOST = text("UPDATE core_delivery SET state = 'dead', last_error = coalesce(last_error, :error) WHERE id = :id")
_FAIL = text("""
    UPDATE core_delivery SET attempts = :tried, due_at = :due, last_error = :error, state = :state
    WHERE id = :id AND state = 'pending' AND attempts = :seen
""")


class Deliverer:
    """Works off what is due. One object may be used by many threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.registry = database.info["registry"]

    def drain(self, *, seconds: float = 30.0, more: Callable[[], None] | None = None) -> int:
        """Deliver until nothing is due or ``seconds`` have passed; returns how many deliveries ended well.

        ``more`` is called once after the first claim, to wake a colleague.
        """
        until = time.monotonic() + seconds
        delivered = 0
        while time.monotonic() < until:
            found, ended = self.step()
            if not found:
                break
            delivered += ended
            if more:
                more()
                more = None
        return delivered

    def step(self, most: int | None = None) -> tuple[bool, int]:
        """Claim and deliver once. Returns whether anything was due, and how many deliveries ended well."""
        claimed: list[RowMapping] = []
        try:
            with self.database.unit_of_work() as session:
                at = now()
                off = lifecycle.disabled(session)
                names = [name for name in self.registry.subscribers if name.split(".")[0] not in off]
                first = session.execute(_CLAIM, {"at": at, "subscribers": names, "most": 1}).mappings().first()
                if first is None:
                    return False, 0
                claimed = [first]
                subscriber: Subscriber = self.registry.subscribers[first["subscriber"]]
                if subscriber.kind == "external" and first["attempts"] >= subscriber.max_attempts:
                    lost = {"id": first["delivery"], "error": "The worker was lost at every try."}
                    session.execute(_LOST, lost)
                    return True, 0
                if subscriber.kind == "external":
                    lease = at + timedelta(seconds=subscriber.lease_seconds)
                    session.execute(_LEASE, {"id": first["delivery"], "until": lease})
                else:
                    more = subscriber.batch if most is None else most
                    if more > 1:
                        wanted = {"at": at, "subscribers": [first["subscriber"]], "most": more}
                        claimed = list(session.execute(_CLAIM, wanted).mappings())
                    actor = self._actor(claimed)
                    session.info["actor"] = actor
                    events = [self._event(row) for row in claimed]
                    if subscriber.batch > 1:
                        subscriber.handler(session, actor, events)
                    else:
                        subscriber.handler(session, actor, events[0])
                    ids = [row["delivery"] for row in claimed]
                    session.execute(_DONE, {"ids": ids, "at": now(), "tries": 1})
        except Exception as problem:
            if not claimed:
                raise
            return True, self._failed(claimed, problem)
        if subscriber.kind == "external":
            return True, self._call_out(claimed[0], subscriber)
        return True, len(claimed)

    def _call_out(self, row: RowMapping, subscriber: Subscriber) -> int:
        try:
            actor = self._actor([row])
            subscriber.handler(lambda: self.database.unit_of_work(actor), actor, self._event(row))
        except Exception as problem:
            self._record_failure(row, problem, seen=row["attempts"] + 1, tried=row["attempts"] + 1)
            return 0
        with self.database.unit_of_work() as session:
            session.execute(_DONE, {"ids": [row["delivery"]], "at": now(), "tries": 0})
        return 1

    def _failed(self, claimed: Sequence[RowMapping], problem: Exception) -> int:
        """Record the failure; a failed batch is tried again one by one, so that only the culprit pays."""
        if len(claimed) > 1:
            return sum(self.step(most=1)[1] for _ in claimed)
        self._record_failure(claimed[0], problem, seen=claimed[0]["attempts"], tried=claimed[0]["attempts"] + 1)
        return 0

    def _record_failure(self, row: RowMapping, problem: Exception, *, seen: int, tried: int) -> None:
        subscriber = self.registry.subscribers[row["subscriber"]]
        dead = tried >= subscriber.max_attempts
        wait = min(timedelta(seconds=2**tried), LONGEST_WAIT) * random.uniform(0.5, 1)
        log.warning(
            "delivery failed",
            subscriber=row["subscriber"],
            delivery=row["delivery"],
            event_name=row["name"],
            attempt=tried,
            dead=dead,
            error=repr(problem),
            exc_info=problem,
        )
        with self.database.unit_of_work() as session:
            values: dict[str, Any] = {
                "id": row["delivery"],
                "seen": seen,
                "tried": tried,
                "due": now() + wait,
                "error": f"{type(problem).__name__}: {problem}"[:2000],
                "state": "dead" if dead else "pending",
            }
            session.execute(_FAIL, values)

    def _actor(self, claimed: Sequence[RowMapping]) -> Actor:
        actor = Actor.system(claimed[0]["subscriber"])
        return actor.caused_by(claimed[0]["id"], claimed[0]["correlation_id"])

    def _event(self, row: RowMapping) -> StoredEvent:
        payload = self.registry.events[row["name"]].model_validate(row["payload"])
        return StoredEvent(
            id=row["id"],
            name=row["name"],
            version=row["version"],
            payload=payload,
            occurred_at=row["occurred_at"],
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
            actor_id=row["actor_id"],
        )
