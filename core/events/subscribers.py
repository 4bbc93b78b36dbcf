"""Who listens: the subscribers that are known, also while their plugin is absent, and which of them are paused.

What is read here is kept for the present generation, so that a claim or a publish costs no query.
"""

from __future__ import annotations

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import generation, lifecycle
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.session import RING
from core.errors import NotFound
from core.events.models import SubscriberRow

_GONE = text("""
    DELETE FROM core_subscriber WHERE plugin = ANY(:loaded) AND id <> ALL(:declared) RETURNING id
""")
_ORPHANED = text("""
    UPDATE core_delivery SET state = 'dead', failed_at = :at, last_error = 'Its plugin no longer declares this handler.'
    WHERE subscriber = ANY(:gone) AND state = 'pending'
""")


def keep(session: Session) -> None:
    """Write down every loaded subscriber; those that a loaded plugin no longer declares are forgotten.

    What waits for a forgotten one becomes a dead letter: an admin sees it, and nobody waits for ever.
    """
    registry = session.info["registry"]
    at = now()
    rows = [
        {"id": key, "event_name": one.event_name, "plugin": key.split(".")[0], "seen_at": at}
        for key, one in sorted(registry.subscribers.items())
    ]
    if rows:
        statement = insert(SubscriberRow).values(rows)
        fresh = {name: statement.excluded[name] for name in ("event_name", "plugin", "seen_at")}
        session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=fresh))
    known = {"loaded": list(registry.plugins), "declared": list(registry.subscribers)}
    if gone := session.scalars(_GONE, known).all():
        session.execute(_ORPHANED, {"gone": list(gone), "at": at})
    generation.advance(session)


def forget(session: Session, plugin: str) -> None:
    """Drop the subscribers of a plugin that is purged, and what waits for them."""
    gone = text("DELETE FROM core_subscriber WHERE plugin = :plugin RETURNING id")
    ids = session.scalars(gone, {"plugin": plugin}).all()
    session.execute(text("DELETE FROM core_delivery WHERE subscriber = ANY(:ids)"), {"ids": list(ids)})
    generation.advance(session)


def absent(session: Session) -> dict[str, list[str]]:
    """By event name: the known subscribers of plugins that this process has not loaded."""
    kept: dict[str, list[str]] | None = generation.cached(session, "absent subscribers")
    if kept is None:
        kept = {}
        loaded = session.info["registry"].plugins
        for row in session.scalars(select(SubscriberRow).order_by(SubscriberRow.id)):
            if row.plugin not in loaded:
                kept.setdefault(row.event_name, []).append(row.id)
        generation.keep(session, "absent subscribers", kept)
    return kept


def paused(session: Session) -> frozenset[str]:
    """The subscribers that an admin has paused."""
    kept: frozenset[str] | None = generation.cached(session, "paused subscribers")
    if kept is None:
        kept = frozenset(session.scalars(select(SubscriberRow.id).where(SubscriberRow.paused)))
        generation.keep(session, "paused subscribers", kept)
    return kept


def listening(session: Session) -> list[str]:
    """The subscribers that are called now: loaded, on, not paused, and their event is declared."""
    registry = session.info["registry"]
    silent = paused(session)
    off = lifecycle.disabled(session)
    return [
        key
        for key, one in registry.subscribers.items()
        if key not in silent and key.split(".")[0] not in off and one.event_name in registry.events
    ]


def set_paused(session: Session, actor: Actor, subscriber: str, paused: bool, reason: str | None = None) -> None:
    """Let the deliveries of one subscriber wait, or go on, in every process within a second. Audited.

    Raises NotFound for a subscriber that nobody knows.
    """
    row = session.get(SubscriberRow, subscriber, with_for_update=True)
    if row is None and subscriber in session.info["registry"].subscribers:
        keep(session)
        row = session.get(SubscriberRow, subscriber, with_for_update=True)
    if row is None:
        raise NotFound()
    if row.paused == paused:
        return
    session.execute(update(SubscriberRow).where(SubscriberRow.id == subscriber).values(paused=paused))
    act = f"core.subscriber.{'paused' if paused else 'resumed'}"
    record(session, actor, act, subject_type="subscriber", subject_id=subscriber, reason=reason)
    generation.advance(session)
    session.info[RING] = True
