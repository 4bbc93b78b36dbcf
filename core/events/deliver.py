"""Deliver: bring each event to each subscriber, in a way that no crash can lose or double.

A transactional delivery is claimed by its row lock; the handler's effect and the acknowledgement commit
together. An external one is claimed by a lease, called outside any transaction, then acknowledged. While a worker was
lost lately (``core.events.lost``), a transactional try is counted by a commit before the call as well.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from dramatiq.threading import raise_thread_exception
from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.db.session import CAUSES, Database
from core.events import lost, quarantine, subscribers
from core.events.event import GiveUp, StoredEvent, Subscriber, TryLater
from core.observability import metrics, traces

log = structlog.get_logger("events")
LONGEST_WAIT = timedelta(hours=1)
LOOK_SECONDS = 1.0
PATIENCE = 2  # leases
MOST_CALLS = 2  # of live subscribers at a time in one process; a worker has four threads unless told otherwise
LONGEST_TOLD = 24 * 3600.0  # seconds that the other side may make us wait

# The head of each subscriber's queue is one step down an index, however much waits for those that are not called; then
# the queues are tried in order until one has a row that nobody holds.
_CLAIM = text("""
    WITH claimed AS MATERIALIZED (
        SELECT mine.*, turn.lease FROM (
            SELECT s.id, s.lease, head.*
            FROM unnest(CAST(:subscribers AS text[]), CAST(:leases AS text[])) s (id, lease)
            CROSS JOIN LATERAL (
                SELECT d.priority, d.due_at, d.id AS first FROM core_delivery d
                WHERE d.subscriber = s.id AND d.state = 'pending' AND d.due_at <= :at
                ORDER BY d.priority, d.due_at, d.id LIMIT 1
            ) head
            ORDER BY head.priority, head.due_at, head.first
        ) turn CROSS JOIN LATERAL (
            SELECT d.id AS delivery, d.event_id, d.subscriber, d.attempts, d.priority FROM core_delivery d
            WHERE d.subscriber = turn.id AND d.state = 'pending' AND d.due_at <= :at
            ORDER BY d.priority, d.due_at, d.id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) mine LIMIT 1
    )
    SELECT c.*, e.*, set_config('statement_timeout', c.lease, true),
        set_config('idle_in_transaction_session_timeout', c.lease, true)
    FROM claimed c JOIN core_event e ON e.id = c.event_id
""")
_MORE = text("""
    SELECT d.id AS delivery, d.subscriber, d.attempts, d.priority, e.*
    FROM core_delivery d JOIN core_event e ON e.id = d.event_id
    WHERE d.subscriber = :subscriber AND d.priority = :priority AND d.state = 'pending' AND d.due_at <= :at
        AND d.attempts < :patience
    ORDER BY d.due_at, d.id LIMIT :most FOR UPDATE OF d SKIP LOCKED
""")
_WAITING = text("""
    SELECT EXISTS (
        SELECT 1 FROM unnest(CAST(:subscribers AS text[])) s (id) CROSS JOIN LATERAL (
            SELECT 1 FROM core_delivery d WHERE d.subscriber = s.id AND d.state = 'pending' AND d.due_at <= :at LIMIT 1
        ) head
    )
""")
_AGAIN = text("""
    SELECT d.id, set_config('statement_timeout', :lease, true),
        set_config('idle_in_transaction_session_timeout', :lease, true)
    FROM core_delivery d WHERE d.id = :id AND d.state = 'pending' AND d.attempts = :seen FOR UPDATE SKIP LOCKED
""")
_DONE = """
    UPDATE core_delivery SET state = 'done', done_at = :at, last_error = NULL, attempts = attempts + :tries
    WHERE id {of}
"""
_DONE_ONE = text(_DONE.format(of="= (CAST(:ids AS bigint[]))[1]"))  # its plan is kept
_DONE_MANY = text(_DONE.format(of="= ANY(:ids)"))
_COUNT = text("UPDATE core_delivery SET due_at = :until, attempts = attempts + 1 WHERE id = :id")
_LOST = text("""
    UPDATE core_delivery SET state = 'dead', failed_at = :at, last_error = coalesce(last_error, :error) WHERE id = :id
""")
_FAIL = text("""
    UPDATE core_delivery SET attempts = :tried, due_at = :due, last_error = :error, state = :state, failed_at = :at
    WHERE id = :id AND state = 'pending' AND attempts = :seen
""")


def waiting(session: Session) -> bool:
    """Whether anything is due that would be delivered now."""
    names = subscribers.listening(session)
    return bool(session.scalar(_WAITING, {"subscribers": names, "at": now()}))


class HandlerTooSlow(Exception):
    """The handler took longer than twice its lease."""


class Deliverer:
    """Works off what is due. One object may be used by many threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.registry = database.info["registry"]
        self._looked, self._lost = float("-inf"), False
        self._deadlines: dict[int, float] = {}
        self._lock, self._calling = threading.Lock(), 0

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
        subscriber: Subscriber
        try:
            with self.database.unit_of_work() as session:
                first = self._claim(session)
                if first is None:
                    return False, 0
                subscriber = subscribers.find(session, first["subscriber"])
                claimed = [first]
                if first["attempts"] >= subscriber.max_attempts:
                    given_up = {"id": first["delivery"], "at": now(), "error": "The worker was lost at every try."}
                    session.execute(_LOST, given_up)
                    metrics.DELIVERED.labels(first["subscriber"], "dead").inc()
                    return True, 0
                counted = subscriber.kind == "external" or self._careful(session)
                if counted:
                    self._count(session, first, subscriber)
                else:
                    wanted = subscriber.batch if most is None else most
                    if wanted > 1:
                        claimed = self._more(session, first, subscriber, wanted)
                    self._handle(session, subscriber, claimed, tries=1)
        except Exception as problem:
            if not claimed:
                raise
            return True, self._failed(claimed, subscriber, problem)
        if subscriber.kind == "external":
            return True, self._call_out(first, subscriber)
        if counted:
            return True, self._with_care(first, subscriber)
        metrics.DELIVERED.labels(first["subscriber"], "done").inc(len(claimed))
        return True, len(claimed)

    def _claim(self, session: Session) -> RowMapping | None:
        names = subscribers.listening(session)
        if self._calling >= MOST_CALLS:
            names = [name for name in names if not self._calls_out(session, name)]
        leases = [self._lease(subscribers.find(session, name)) for name in names]
        return session.execute(_CLAIM, {"at": now(), "subscribers": names, "leases": leases}).mappings().first()

    def _calls_out(self, session: Session, name: str) -> bool:
        """Whether it is a live subscriber that calls other people's servers."""
        return name not in self.registry.subscribers and subscribers.find(session, name).kind == "external"

    def _more(self, session: Session, first: RowMapping, subscriber: Subscriber, most: int) -> list[RowMapping]:
        """The rest of the batch that begins with ``first``: of its urgency, so that its effects have one."""
        wanted = {name: first[name] for name in ("subscriber", "priority")}
        limits = {"at": now(), "most": most, "patience": subscriber.max_attempts}
        return list(session.execute(_MORE, {**wanted, **limits}).mappings())

    def _count(self, session: Session, row: RowMapping, subscriber: Subscriber) -> None:
        """Count a try before it is made; nobody else takes the delivery until its lease, or its wait, is over."""
        wait = _wait(row["attempts"] + 1)
        if subscriber.kind == "external":
            wait = timedelta(seconds=subscriber.lease_seconds)
        session.execute(_COUNT, {"id": row["delivery"], "until": now() + wait})

    def _careful(self, session: Session) -> bool:
        """Whether a worker was lost lately; looked up at most once a second."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked, self._lost = time.monotonic(), lost.lately(session)
        return self._lost

    def _handle(self, session: Session, subscriber: Subscriber, rows: Sequence[RowMapping], *, tries: int) -> None:
        """Call a transactional handler and acknowledge, in the open transaction."""
        events = [self._event(row) for row in rows]
        actor = self._actor(rows)
        session.info["actor"] = actor
        session.info[CAUSES] = {event.correlation_id: event.id for event in reversed(events)}
        with _watched(rows[0]), self._limited(subscriber):
            subscriber.handler(session, actor, events if subscriber.batch > 1 else events[0])
        done = _DONE_ONE if len(rows) == 1 else _DONE_MANY
        session.execute(done, {"ids": [row["delivery"] for row in rows], "at": now(), "tries": tries})

    def _with_care(self, row: RowMapping, subscriber: Subscriber) -> int:
        """Make a transactional try that is counted already."""
        tried = row["attempts"] + 1
        try:
            with self.database.unit_of_work() as session:
                mine = {"id": row["delivery"], "seen": tried, "lease": self._lease(subscriber)}
                if session.scalar(_AGAIN, mine) is None:
                    return 0
                self._handle(session, subscriber, [row], tries=0)
        except Exception as problem:
            self._record_failure(row, subscriber, problem, seen=tried, tried=tried)
            return 0
        metrics.DELIVERED.labels(row["subscriber"], "done").inc()
        return 1

    @contextmanager
    def _limited(self, subscriber: Subscriber) -> Iterator[None]:
        """Note until when this thread's handler may take."""
        me = threading.get_ident()
        self._deadlines[me] = time.monotonic() + PATIENCE * subscriber.lease_seconds
        try:
            yield
        finally:
            self._deadlines.pop(me, None)

    def interrupt_overdue(self) -> int:
        """Raise HandlerTooSlow in every thread whose handler hangs; returns in how many. For a watching thread.

        One that waits in the operating system, or in the database, hears of it when that wait is over.
        """
        late = [thread for thread, until in list(self._deadlines.items()) if time.monotonic() > until]
        for thread in late:
            if self._deadlines.pop(thread, None) is not None:
                raise_thread_exception(thread, HandlerTooSlow)  # type: ignore[no-untyped-call]
        return len(late)

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        """Count a call of a live subscriber while it lasts: other people's slow servers never take every thread."""
        if name in self.registry.subscribers:
            yield
            return
        with self._lock:
            self._calling += 1
        try:
            yield
        finally:
            with self._lock:
                self._calling -= 1

    def _lease(self, subscriber: Subscriber) -> str:
        return f"{subscriber.lease_seconds}s"

    def _call_out(self, row: RowMapping, subscriber: Subscriber) -> int:
        try:
            actor = self._actor([row])
            with _watched(row), self._limited(subscriber), self._counted(row["subscriber"]):
                subscriber.handler(lambda: self.database.unit_of_work(actor), actor, self._event(row))
        except Exception as problem:
            self._record_failure(row, subscriber, problem, seen=row["attempts"] + 1, tried=row["attempts"] + 1)
            return 0
        with self.database.unit_of_work() as session:
            session.execute(_DONE_ONE, {"ids": [row["delivery"]], "at": now(), "tries": 0})
        metrics.DELIVERED.labels(row["subscriber"], "done").inc()
        return 1

    def _failed(self, claimed: Sequence[RowMapping], subscriber: Subscriber, problem: Exception) -> int:
        """Record the failure; a failed batch is tried again one by one, so that only the culprit pays."""
        if len(claimed) > 1:
            return sum(self.step(most=1)[1] for _ in claimed)
        seen = claimed[0]["attempts"]
        self._record_failure(claimed[0], subscriber, problem, seen=seen, tried=seen + 1)
        return 0

    def _record_failure(
        self, row: RowMapping, subscriber: Subscriber, problem: Exception, *, seen: int, tried: int
    ) -> None:
        dead = tried >= subscriber.max_attempts or isinstance(problem, GiveUp)
        metrics.DELIVERED.labels(row["subscriber"], "dead" if dead else "failed").inc()
        log.warning(
            "delivery failed",
            correlation_id=str(row["correlation_id"]),
            subscriber=row["subscriber"],
            delivery=row["delivery"],
            event_name=row["name"],
            attempt=tried,
            dead=dead,
            error=repr(problem),
            exc_info=None if isinstance(problem, (TryLater, GiveUp)) else problem,
        )
        with self.database.unit_of_work() as session:
            values: dict[str, Any] = {
                "id": row["delivery"],
                "seen": seen,
                "tried": tried,
                "due": now() + _wait(tried, subscriber, problem),
                "at": now(),
                "error": f"{type(problem).__name__}: {problem}"[:2000],
                "state": "dead" if dead else "pending",
            }
            session.execute(_FAIL, values)
            if subscriber.kind == "transactional":
                quarantine.consider(session, row["subscriber"], problem)

    def _actor(self, claimed: Sequence[RowMapping]) -> Actor:
        """The subscriber, caused by the event; by none where a batch has several correlations."""
        actor = Actor.system(claimed[0]["subscriber"], bulk=claimed[0]["priority"] > 0)
        if len({row["correlation_id"] for row in claimed}) > 1:
            return actor
        return actor.caused_by(claimed[0]["id"], claimed[0]["correlation_id"])

    def _event(self, row: RowMapping) -> StoredEvent:
        kind = self.registry.events[row["name"]]
        return StoredEvent(
            id=row["id"],
            name=row["name"],
            version=kind.event_version,
            payload=kind.read(row["version"], row["payload"]),
            occurred_at=row["occurred_at"],
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
            actor_id=row["actor_id"],
            actor=self._actor([row]),
        )


@contextmanager
def _watched(row: RowMapping) -> Iterator[None]:
    """One call of a handler: timed, traced, and with the correlation id in every line that it logs."""
    name, correlation = row["subscriber"], row["correlation_id"]
    with (
        structlog.contextvars.bound_contextvars(correlation_id=str(correlation), event_id=str(row["id"])),
        traces.span(f"deliver {name}", correlation, row["id"], delivery=row["delivery"], attempt=row["attempts"] + 1),
        metrics.timed(metrics.DELIVERY, name),
    ):
        yield


def _wait(tried: int, subscriber: Subscriber | None = None, problem: Exception | None = None) -> timedelta:
    """How long after try number ``tried`` the next may be made."""
    own = subscriber.waits[tried - 1 : tried] if subscriber else ()
    wait = own[0] if own else min(timedelta(seconds=2**tried), LONGEST_WAIT)
    told = timedelta(seconds=min(problem.seconds, LONGEST_TOLD)) if isinstance(problem, TryLater) else timedelta()
    return max(wait * (random.uniform(1, 1.1) if own else random.uniform(0.5, 1)), told)
