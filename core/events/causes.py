"""Events of one cause, in the order of cause and effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events.models import EventRow
from core.jobs.models import CAUSED_BY, JobRow

MOST = 200


def chain(session: Session, correlation_id: UUID) -> Sequence[EventRow]:
    """The first MOST events of one correlation."""
    same = select(EventRow).where(EventRow.correlation_id == correlation_id).order_by(EventRow.id).limit(MOST)
    return session.scalars(same).all()


def jobs_between(session: Session, events: Sequence[EventRow]) -> dict[UUID, UUID]:
    """What led to each job of one correlation: an event, or another job."""
    if not events:
        return {}
    cause = JobRow.checkpoint[CAUSED_BY].astext
    caused = select(JobRow.id, cause).where(JobRow.id.in_(_named(events)), cause.is_not(None))
    found: dict[UUID, UUID] = {}
    while rows := session.execute(caused).tuples().all():
        found |= {job: UUID(led) for job, led in rows}
        further = [one for one in found.values() if one not in found]
        caused = select(JobRow.id, cause).where(JobRow.id.in_(further), cause.is_not(None))
    return found


def _named(events: Sequence[EventRow]) -> set[UUID]:
    """The causes of events that are none of them themselves."""
    return {event.causation_id for event in events if event.causation_id} - {event.id for event in events}


def ordered(events: Sequence[EventRow], jobs: Mapping[UUID, UUID]) -> list[tuple[int, EventRow]]:
    """Events of one correlation as (depth, event), each below its cause; ``jobs`` are those of ``jobs_between``."""
    children: dict[UUID | None, list[EventRow]] = {}
    known = {event.id for event in events}
    for event in events:
        cause = event.causation_id
        while cause is not None and cause in jobs and cause not in known:
            cause = jobs[cause]
        children.setdefault(cause if cause in known else None, []).append(event)
    found: list[tuple[int, EventRow]] = []
    waiting = [(0, event) for event in reversed(children.get(None, []))]
    while waiting:
        depth, event = waiting.pop()
        found.append((depth, event))
        waiting += [(depth + 1, one) for one in reversed(children.get(event.id, []))]
    return found
