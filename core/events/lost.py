"""Workers that were lost: killed, without a word, perhaps by what they were handling.

A delivery that takes its worker with it leaves no trace, since its transaction never commits. To count such tries
would cost a commit for each delivery. So they are counted only when there is cause: each worker shows every few seconds
that it lives, and while one was lost within the last hour, deliveries are claimed carefully: the try is committed
before the handler is called (``core.events.deliver``).
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.events.models import WorkerRow

BEAT_SECONDS = 3.0
SILENCE = timedelta(seconds=15)
CAREFUL_FOR = timedelta(hours=1)


def beat(session: Session, worker: UUID) -> None:
    """Show that ``worker`` lives; one that was given up too early is back."""
    row = {"id": worker, "seen_at": now(), "lost_at": None}
    session.execute(insert(WorkerRow).values(row).on_conflict_do_update(index_elements=["id"], set_=row))


def leave(session: Session, worker: UUID) -> None:
    """A worker that ends in order was not lost."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker))


def look(session: Session) -> int:
    """Give up the workers that fell silent; returns how many. Those lost long ago are forgotten."""
    at = now()
    session.execute(delete(WorkerRow).where(WorkerRow.lost_at < at - CAREFUL_FOR))
    silent = select(WorkerRow).where(WorkerRow.lost_at.is_(None), WorkerRow.seen_at < at - SILENCE)
    found = session.scalars(silent.with_for_update(skip_locked=True)).all()
    for row in found:
        row.lost_at = at
    return len(found)


def lately(session: Session) -> bool:
    """Whether a worker was lost within the last hour."""
    recent = select(WorkerRow.id).where(WorkerRow.lost_at >= now() - CAREFUL_FOR).limit(1)
    return session.scalar(recent) is not None
