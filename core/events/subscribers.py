"""Who listens: the subscribers that are known, also while their plugin is absent, and which of them are paused.

Beside those that plugins declare there are *live* ones, which people make and end while Guildhall runs: a source in
``registry.live`` tells of them, such as one for each webhook.

What is read here is kept for the present generation, so that a claim or a publish costs no query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import generation, lifecycle
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.session import RING
from core.errors import NotFound
from core.events.event import Subscriber
from core.events.models import SubscriberRow
from core.i18n import _
from core.switches import service as switches

_GONE = text("""
    DELETE FROM core_subscriber WHERE plugin = ANY(:loaded) AND id <> ALL(:declared) RETURNING id
""")
_ORPHANED = text("""
    UPDATE core_delivery SET state = 'dead', failed_at = :at, last_error = 'Its plugin no longer declares this handler.'
    WHERE subscriber = ANY(:gone) AND state = 'pending'
""")


class SubscriberUnknown(NotFound):
    code = "SUBSCRIBER_UNKNOWN"
    sentence = _("No subscriber is called {name}. Run guildhall events lag to see those there are.")


@dataclass(frozen=True)
class Live:
    """Subscribers that a source knows now: each by its id, the ids by event, and until when some of them rest."""

    subscribers: Mapping[str, Subscriber] = field(default_factory=dict)
    by_event: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rests: Mapping[str, datetime] = field(default_factory=dict)


Source = Callable[[Session], Live]


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


def live(session: Session) -> Live:
    """What the sources tell of, joined; kept until one of them advances the generation."""
    kept: Live | None = generation.cached(session, "live subscribers")
    if kept is None:
        told = [source(session) for source in session.info["registry"].live]
        by_event: dict[str, list[str]] = {}
        for one in told:
            for name, ids in one.by_event.items():
                by_event.setdefault(name, []).extend(ids)
        subscribers = {key: each for one in told for key, each in one.subscribers.items()}
        kept = Live(subscribers, by_event, {key: until for one in told for key, until in one.rests.items()})
        generation.keep(session, "live subscribers", kept)
    return kept


def find(session: Session, key: str) -> Subscriber:
    """The subscriber called ``key``, declared or live. Raises KeyError where there is none."""
    declared: Subscriber | None = session.info["registry"].subscribers.get(key)
    return declared or live(session).subscribers[key]


def reached(session: Session, event_name: str) -> list[str]:
    """The ids of all whom an event must reach: of enabled, disabled and absent plugins, and live ones."""
    declared = session.info["registry"].subscribers_of(event_name)
    return [*declared, *absent(session).get(event_name, ()), *live(session).by_event.get(event_name, ())]


def paused(session: Session) -> frozenset[str]:
    """The subscribers that an admin has paused."""
    kept: frozenset[str] | None = generation.cached(session, "paused subscribers")
    if kept is None:
        kept = frozenset(session.scalars(select(SubscriberRow.id).where(SubscriberRow.paused)))
        generation.keep(session, "paused subscribers", kept)
    return kept


def listening(session: Session) -> list[str]:
    """The subscribers that are called now: loaded, on, not paused, their event declared; live ones that do not rest."""
    registry = session.info["registry"]
    silent = paused(session) | switches.stopped_subscribers(session)
    off = lifecycle.disabled(session)
    declared = [
        key
        for key, one in registry.subscribers.items()
        if key not in silent and key.split(".")[0] not in off and one.event_name in registry.events
    ]
    outside, at = live(session), now()
    return declared + [key for key in outside.subscribers if not (until := outside.rests.get(key)) or until <= at]


def set_paused(session: Session, actor: Actor, subscriber: str, paused: bool, reason: str | None = None) -> None:
    """Let the deliveries of one subscriber wait, or go on, in every process within a second. Audited.

    Raises SubscriberUnknown.
    """
    row = session.get(SubscriberRow, subscriber, with_for_update=True)
    if row is None and subscriber in session.info["registry"].subscribers:
        keep(session)
        row = session.get(SubscriberRow, subscriber, with_for_update=True)
    if row is None:
        raise SubscriberUnknown(name=subscriber)
    if row.paused == paused:
        return
    session.execute(update(SubscriberRow).where(SubscriberRow.id == subscriber).values(paused=paused))
    act = f"core.subscriber.{'paused' if paused else 'resumed'}"
    record(session, actor, act, subject_type="subscriber", subject_id=subscriber, reason=reason)
    generation.advance(session)
    session.info[RING] = True
