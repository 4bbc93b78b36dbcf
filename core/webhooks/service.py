"""Webhooks as admins make, change and end them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db.session import RING
from core.errors import NotFound
from core.events.models import Delivery
from core.events.publish import publish
from core.ids import new_id
from core.webhooks import wire
from core.webhooks.address import Networks, parsed
from core.webhooks.errors import UnknownEvents, WebhookSilent
from core.webhooks.events import WebhookPinged
from core.webhooks.models import Webhook

OVERLAP = timedelta(hours=24)
UNSENT = "core.webhook.pinged"
_STOPPED = text("""
    UPDATE core_delivery SET state = 'dead', failed_at = :at, last_error = 'The webhook is turned off.'
    WHERE subscriber = :key AND state = 'pending'
""")
_FORGOTTEN = text("DELETE FROM core_delivery WHERE subscriber = :key")


def subscriber_of(webhook_id: UUID) -> str:
    """The id under which deliveries to a webhook are found."""
    return f"core.webhook.{webhook_id}"


def networks(session: Session) -> Networks:
    """The private networks that the operator lets webhooks into."""
    allowed: Networks = session.info["config"].open_networks
    return allowed


def expanded(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The events of ``names`` that any of ``patterns`` means: a name, ``wallet.*``, or ``*`` for all."""
    wanted = list(patterns)
    return [one for one in names if one != UNSENT and any(fnmatchcase(one, pattern) for pattern in wanted)]


def create(session: Session, actor: Actor, values: dict[str, Any]) -> Webhook:
    """Make a webhook; its secret is on the returned row and nowhere else in plain text.

    ``values``: ``url``, ``events`` (names or patterns), ``description``. Raises BadAddress, AddressRefused,
    UnknownEvents.
    """
    checked = _checked(session, values)
    webhook = Webhook(**checked, id=new_id(), secret=wire.new_secret())
    session.add(webhook)
    session.flush()
    generation.advance(session)
    return webhook


def change(session: Session, actor: Actor, webhook: Webhook, values: dict[str, Any]) -> Webhook:
    """Change address, events or description; raises as ``create`` does. What waits goes to the new address."""
    for name, value in _checked(session, values).items():
        setattr(webhook, name, value)
    session.flush()
    generation.advance(session)
    return webhook


def delete(session: Session, actor: Actor, webhook: Webhook) -> None:
    """End a webhook with its attempts and what waits for it. Audited."""
    session.execute(_FORGOTTEN, {"key": subscriber_of(webhook.id)})
    session.delete(webhook)
    session.flush()
    generation.advance(session)


def rotate(session: Session, actor: Actor, webhook_id: UUID) -> str:
    """Give a webhook a new secret and return it; for a day requests are signed by the former one too. Audited."""
    webhook = _locked(session, webhook_id)
    former, webhook.secret = webhook.secret, wire.new_secret()
    webhook.former_secret, webhook.former_until = former, now() + OVERLAP
    session.flush()
    record(session, actor, "core.webhook.rotated", subject_type="core.webhook", subject_id=webhook_id)
    return webhook.secret


def set_on(session: Session, actor: Actor, webhook_id: UUID, on: bool, reason: str | None = None) -> None:
    """Turn a webhook on or off. Audited.

    What waits when it is turned off becomes dead letters, which can be replayed when it is on again; what happens
    while it is off is not sent.
    """
    webhook = _locked(session, webhook_id)
    if (webhook.state == "active") == on:
        return
    stop(session, webhook, "active" if on else "off")
    act = f"core.webhook.{'enabled' if on else 'disabled'}"
    record(session, actor, act, subject_type="core.webhook", subject_id=webhook_id, reason=reason)


def stop(session: Session, webhook: Webhook, state: str) -> None:
    """Put a webhook into ``state``, with a clean record; unless active, what waits becomes dead letters."""
    webhook.state, webhook.failures, webhook.failing_since, webhook.rests_until = state, 0, None, None
    session.flush()
    if state != "active":
        session.execute(_STOPPED, {"key": subscriber_of(webhook.id), "at": now()})
    generation.advance(session)


def ping(session: Session, actor: Actor, webhook_id: UUID) -> UUID:
    """Send a test to one webhook; returns the event's id. Raises WebhookSilent when it is off."""
    webhook = _locked(session, webhook_id)
    if webhook.state != "active":
        raise WebhookSilent()
    [event_id] = publish(session, actor, WebhookPinged(webhook_id=webhook_id))
    send_to(session, webhook_id, event_id)
    return event_id


def send_to(session: Session, webhook_id: UUID, event_id: UUID) -> None:
    """Have an event delivered to one webhook, whether or not it asks for events of the kind."""
    delivery = {"event_id": event_id, "subscriber": subscriber_of(webhook_id), "due_at": now(), "priority": 0}
    session.execute(insert(Delivery).values(delivery).on_conflict_do_nothing())
    session.info[RING] = True


def _checked(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: values[name] for name in ("url", "events", "description") if name in values}
    if "url" in kept:
        kept["url"] = str(kept["url"]).strip()
        parsed(kept["url"], networks(session))
    if "events" in kept:
        kept["events"] = _known(kept["events"], session.info["registry"].events)
    return kept


def _known(events: Any, names: Iterable[str]) -> Sequence[str]:
    """The patterns as they are kept. Raises UnknownEvents for one that means no declared event."""
    texts = isinstance(events, list) and all(isinstance(one, str) for one in events)
    given = list(dict.fromkeys(events)) if texts else []
    there = list(names)
    unknown = [one for one in given if one != "*" and not expanded([one], there)]
    if not given or unknown or len(given) > 200:
        raise UnknownEvents(names=", ".join(unknown[:5]) or "-")
    return given


def _locked(session: Session, webhook_id: UUID) -> Webhook:
    webhook = session.get(Webhook, webhook_id, with_for_update=True)
    if webhook is None:
        raise NotFound()
    return webhook
