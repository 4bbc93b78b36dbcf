"""What an admin can do with deliveries, and what the event pages show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.session import RING
from core.events.subscribers import SubscriberUnknown, live
from core.i18n import _
from core.jobs.job import JobContext
from core.jobs.models import JobRow
from core.jobs.queue import enqueue

REPLAY_JOB = "replay_deliveries"
CHUNK = 500
MOST = 100_000  # where counting ends
_REPLAY = text("""
    UPDATE core_delivery SET state = 'pending', attempts = 0, due_at = :at, last_error = NULL, done_at = NULL
    WHERE state IN ('dead', 'done') AND id = ANY(:ids) RETURNING id
""")
# The replayed wait behind what people cause now, hence the priority of bulk.
_REPLAY_MATCHING = text("""
    UPDATE core_delivery
    SET state = 'pending', attempts = 0, due_at = :at, last_error = NULL, done_at = NULL, priority = 1
    WHERE state = :state AND id = ANY(:ids)
""")
_MATCHING = """
    FROM core_delivery d JOIN core_event e ON e.id = d.event_id
    WHERE d.state = :state AND d.id > :after AND d.id <= :last
        AND (:subscriber = '' OR d.subscriber = :subscriber) AND (:event = '' OR e.name = :event)
        AND (CAST(:since AS timestamptz) IS NULL OR e.occurred_at >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR e.occurred_at < :until)
"""
_DEAD = text("SELECT id FROM core_delivery WHERE state = 'dead' AND (:subscriber = '' OR subscriber = :subscriber)")
_KNOWN = text("""
    SELECT EXISTS (SELECT FROM core_subscriber WHERE id = :name)
        OR EXISTS (SELECT FROM core_delivery WHERE subscriber = :name AND state = :state)
""")
# Every figure is read from a partial index, and none is counted further than MOST: the size of the table is no matter.
_LAG = text("""
    WITH RECURSIVE waiting AS (
        (SELECT subscriber FROM core_delivery WHERE state = 'pending' ORDER BY subscriber LIMIT 1)
        UNION ALL SELECT (
            SELECT d.subscriber FROM core_delivery d WHERE d.state = 'pending' AND d.subscriber > w.subscriber
            ORDER BY d.subscriber LIMIT 1
        ) FROM waiting w WHERE w.subscriber IS NOT NULL
    ), given_up AS (
        (SELECT subscriber FROM core_delivery WHERE state = 'dead' ORDER BY subscriber LIMIT 1)
        UNION ALL SELECT (
            SELECT d.subscriber FROM core_delivery d WHERE d.state = 'dead' AND d.subscriber > g.subscriber
            ORDER BY d.subscriber LIMIT 1
        ) FROM given_up g WHERE g.subscriber IS NOT NULL
    ), failures AS (
        SELECT subscriber, count(*) AS number FROM (
            SELECT subscriber FROM core_delivery WHERE failed_at > :at - interval '1 hour' LIMIT :most
        ) one GROUP BY 1
    ), known AS (
        SELECT id FROM core_subscriber UNION SELECT subscriber FROM waiting
        UNION SELECT subscriber FROM given_up UNION SELECT subscriber FROM failures
    )
    SELECT k.id AS subscriber, coalesce(s.paused, false) AS paused, coalesce(f.number, 0) AS failed,
        (SELECT count(*) FROM (
            SELECT FROM core_delivery d
            WHERE d.subscriber = k.id AND d.state = 'done' AND d.done_at > :at - interval '1 hour' LIMIT :most
        ) one) AS hour,
        (SELECT count(*) FROM (
            SELECT FROM core_delivery d WHERE d.subscriber = k.id AND d.state = 'pending' LIMIT :most
        ) one) AS pending,
        (SELECT count(*) FROM (
            SELECT FROM core_delivery d
            WHERE d.subscriber = k.id AND d.state = 'pending' AND d.attempts > 0 LIMIT :most
        ) one) AS retrying,
        (SELECT count(*) FROM (
            SELECT FROM core_delivery d WHERE d.subscriber = k.id AND d.state = 'dead' LIMIT :most
        ) one) AS dead,
        coalesce(extract(epoch FROM :at - (
            SELECT min(head.due_at) FROM (VALUES (0), (1)) urgency (priority) CROSS JOIN LATERAL (
                SELECT d.due_at FROM core_delivery d
                WHERE d.subscriber = k.id AND d.state = 'pending' AND d.priority = urgency.priority AND d.due_at <= :at
                ORDER BY d.due_at LIMIT 1
            ) head
        )), 0) AS lag
    FROM known k LEFT JOIN core_subscriber s ON s.id = k.id LEFT JOIN failures f ON f.subscriber = k.id
    WHERE k.id IS NOT NULL ORDER BY 1
""")


_PER_MINUTE = text("""
    WITH minutes AS (
        SELECT date_trunc('minute', CAST(:at AS timestamptz)) - n * interval '1 minute' AS minute
        FROM generate_series(59, 0, -1) n
    ), done AS (
        SELECT date_trunc('minute', done_at) AS minute, count(*) AS n FROM core_delivery
        WHERE state = 'done' AND done_at > :at - interval '1 hour' GROUP BY 1
    ), failed AS (
        SELECT date_trunc('minute', failed_at) AS minute, count(*) AS n FROM core_delivery
        WHERE failed_at > :at - interval '1 hour' GROUP BY 1
    )
    SELECT m.minute, coalesce(d.n, 0), coalesce(f.n, 0)
    FROM minutes m LEFT JOIN done d USING (minute) LEFT JOIN failed f USING (minute) ORDER BY m.minute
""")


def replay(session: Session, actor: Actor, delivery_ids: Sequence[int], reason: str | None = None) -> int:
    """Deliver again what was delivered or is dead; handlers make a second effect impossible. Audited.

    Returns how many deliveries wait anew. Pending ones are left as they are.
    """
    ids = session.scalars(_REPLAY, {"ids": list(delivery_ids), "at": now()}).all()
    if ids:
        session.info[RING] = True
        changes: dict[str, Any] = {"deliveries": [None, [str(one) for one in ids[:100]]], "count": [None, len(ids)]}
        record(
            session,
            actor,
            "core.delivery.replayed",
            subject_type="delivery",
            subject_id=ids[0],
            changes=changes,
            reason=reason,
        )
    return len(ids)


def replay_dead(session: Session, actor: Actor, subscriber: str = "") -> int:
    """Deliver every dead letter again, of one subscriber or of all."""
    return replay(session, actor, session.scalars(_DEAD, {"subscriber": subscriber}).all())


def lag(session: Session) -> list[dict[str, Any]]:
    """For each known subscriber: whether it is ``paused``, its deliveries, and the age of the oldest due in seconds.

    ``pending``, ``retrying`` and ``dead`` as they stand; of the last hour those done (``hour``) and those that failed
    at least once (``failed``). Each is counted up to ``MOST``, however long the history.
    """
    return [dict(row) for row in session.execute(_LAG, {"at": now(), "most": MOST}).mappings()]


def per_minute(session: Session) -> list[tuple[datetime, int, int]]:
    """Deliveries done and failed in each of the last 60 minutes, oldest first."""
    rows = session.execute(_PER_MINUTE, {"at": now()}).tuples()
    return [(minute, done, failed) for minute, done, failed in rows]


class ReplayFilter(BaseModel):
    """Which deliveries to make again. At least a subscriber or an event is named; times are those of the events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subscriber: str = Field("", max_length=160)
    event: str = Field("", max_length=120)
    since: datetime | None = None
    until: datetime | None = None
    state: Literal["dead", "done"] = "dead"

    @model_validator(mode="after")
    def _narrow(self) -> ReplayFilter:
        if self.state == "done" and not (self.subscriber or self.event):
            raise ValueError(_("Name a subscriber or an event: everything that was ever done is too much."))
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(_("Give times with their zone, such as 2026-01-31T12:00:00Z."))
        return self


def replay_matching(session: Session, actor: Actor, wanted: ReplayFilter, reason: str | None = None) -> JobRow:
    """Ask for a job that delivers again whatever fits the filter, in steps, with progress. Audited.

    Raises SubscriberUnknown for one that is not known and has no such delivery.
    """
    named = wanted.subscriber
    known = not named or named in session.info["registry"].subscribers or named in live(session).subscribers
    if not known and not session.scalar(_KNOWN, {"name": named, "state": wanted.state}):
        raise SubscriberUnknown(name=named)
    job = enqueue(session, actor, f"core.{REPLAY_JOB}", wanted.model_dump(mode="json"))
    changes = {name: [None, value] for name, value in wanted.model_dump(mode="json").items() if value}
    record(
        session,
        actor,
        "core.delivery.replay_asked",
        subject_type="job",
        subject_id=job.id,
        changes=changes,
        reason=reason,
    )
    return job


def run_replay(context: JobContext) -> dict[str, Any]:
    """The job: what is made again while it runs is not taken a second time, since it goes upward by id."""
    wanted = ReplayFilter.model_validate(context.params).model_dump()
    state = context.checkpoint()
    if not state:
        with context.unit_of_work() as session:
            everything = {**wanted, "after": 0, "last": 2**63 - 1}
            total, last = session.execute(
                text(f"SELECT count(*), coalesce(max(d.id), 0) {_MATCHING}"), everything
            ).one()
            state = {"after": 0, "last": last, "total": total, "done": 0}
            context.save(session, **state)
    page = text(f"SELECT d.id {_MATCHING} ORDER BY d.id LIMIT {CHUNK}")
    while True:
        with context.unit_of_work() as session:
            ids = session.scalars(page, {**wanted, "after": state["after"], "last": state["last"]}).all()
            if ids:
                session.execute(_REPLAY_MATCHING, {"ids": list(ids), "at": now(), "state": wanted["state"]})
                session.info[RING] = True
                state = {**state, "after": ids[-1], "done": state["done"] + len(ids)}
                context.save(session, **state)
        context.progress(state["done"], state["total"])
        if not ids:
            return {"replayed": state["done"]}
