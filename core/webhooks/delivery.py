"""Sending: each active webhook is a live subscriber of the events it asks for, so that retries, dead letters, replay
and the trail of causes are those of every delivery.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import urllib3
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import DomainError
from core.events.event import GiveUp, StoredEvent, Subscriber, TryLater
from core.events.publish import publish
from core.events.subscribers import Live
from core.ids import new_id
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read
from core.webhooks import send, service, wire
from core.webhooks.address import looked_up, parsed
from core.webhooks.events import WebhookStopped
from core.webhooks.models import Webhook, WebhookAttempt

# Three days and three hours from the first try to the last, as Standard Webhooks advises.
WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
LEASE = 30  # seconds
BREAKER = 5  # failures in a row after which a webhook rests
REST, LONGEST_REST = timedelta(seconds=30), timedelta(minutes=15)
HOPELESS = timedelta(days=5)
CHUNK = 1000
UnitOfWork = Callable[[], AbstractContextManager[Session]]


def live(session: Session) -> Live:
    """The active webhooks as subscribers; a source of ``registry.live``."""
    names = list(session.info["registry"].events)
    by_event: dict[str, list[str]] = {}
    subscribers, rests = {}, {}
    for webhook in session.scalars(select(Webhook).where(Webhook.state == "active").order_by(Webhook.id)):
        key = service.subscriber_of(webhook.id)
        subscribers[key] = Subscriber(
            event="*",
            handler=partial(deliver, webhook.id),
            kind="external",
            max_attempts=len(WAITS) + 1,
            lease_seconds=LEASE,
            waits=WAITS,
        )
        for name in service.expanded(webhook.events, names):
            by_event.setdefault(name, []).append(key)
        if webhook.rests_until:
            rests[key] = webhook.rests_until
    return Live(subscribers, by_event, rests)


def deliver(webhook_id: UUID, unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """Make one try, and write down what came of it. Raises TryLater or GiveUp unless it was taken (2xx)."""
    with unit_of_work() as session:
        webhook = session.get(Webhook, webhook_id)
        if webhook is None or webhook.state != "active":
            raise GiveUp("The webhook is turned off.")
        allowed, url = service.networks(session), webhook.url
        former = webhook.former_secret if webhook.former_until and webhook.former_until > now() else None
        keys = [key for key in (webhook.secret, former) if key]
    body, at, began = wire.body_of(event), now(), time.monotonic()
    answer, error = None, ""
    try:
        target = parsed(url, allowed)
        answer = send.post(target, looked_up(target, allowed), body, wire.headers_of(event, body, at, keys))
    except (urllib3.exceptions.HTTPError, OSError, DomainError) as problem:
        error = _told(problem)
    row = WebhookAttempt(
        id=new_id(),
        webhook_id=webhook_id,
        event_id=event.id,
        event_name=event.name,
        at=at,
        took_ms=int((time.monotonic() - began) * 1000),
        status=answer.status if answer else None,
        error=error,
        answer=answer.text if answer else "",
    )
    with unit_of_work() as session:
        _note(session, actor, webhook_id, row, answer.wait if answer else None)
    if row.arrived:
        return
    told = f"HTTP {row.status}" if row.status else error
    if row.status == 410:
        raise GiveUp(f"{told}: the receiver is gone, so the webhook was turned off")
    raise TryLater(told, (answer.wait if answer else None) or 0.0)


def _note(session: Session, actor: Actor, webhook_id: UUID, row: WebhookAttempt, wait: float | None) -> None:
    """Keep the attempt, and what it says about the webhook: it works, rests for a while, or is given up."""
    webhook = session.get(Webhook, webhook_id, with_for_update=True)
    if webhook is None:
        return  # deleted meanwhile
    session.add(row)
    if row.arrived:
        if webhook.failures:
            rested = webhook.rests_until
            webhook.failures, webhook.failing_since, webhook.rests_until = 0, None, None
            if rested:
                generation.advance(session)
        return
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or row.at
    if row.status == 410:
        _give_up(session, actor, webhook, "gone")
    elif row.at - webhook.failing_since >= HOPELESS:
        _give_up(session, actor, webhook, "failing")
    elif until := _rest(webhook.failures, row, wait):
        webhook.rests_until = until
        generation.advance(session)


def _rest(failures: int, row: WebhookAttempt, wait: float | None) -> datetime | None:
    """Until when nothing is sent: after several failures in a row, or because the other side says so (429, 503)."""
    asked = timedelta(seconds=wait) if wait and row.status in (429, 503) else timedelta()
    own = REST * 2 ** min(failures - BREAKER, 10) if failures >= BREAKER else timedelta()
    longest = min(max(asked, own), LONGEST_REST)
    return now() + longest if longest else None


def _give_up(session: Session, actor: Actor, webhook: Webhook, why: Any) -> None:
    service.stop(session, webhook, why)
    publish(session, actor, WebhookStopped(webhook_id=webhook.id, why=why))
    record(session, actor, "core.webhook.stopped", subject_type="core.webhook", subject_id=webhook.id, reason=why)


def _told(problem: Exception) -> str:
    """What went wrong, in few words and without what urllib3 adds about its own objects."""
    if isinstance(problem, DomainError):
        return problem.fill(problem.sentence)[:200]
    names = {
        urllib3.exceptions.ConnectTimeoutError: "No connection within 5 seconds",
        urllib3.exceptions.ReadTimeoutError: "No answer within 10 seconds",
        urllib3.exceptions.NewConnectionError: "The connection was refused or could not be made",
        urllib3.exceptions.SSLError: "TLS failed: the certificate or the connection cannot be trusted",
    }
    for kind, sentence in names.items():
        if isinstance(problem, kind):
            return sentence
    if isinstance(problem, OSError):
        return f"The name cannot be looked up or reached: {problem.strerror or type(problem).__name__}"[:200]
    return f"The connection broke: {type(problem).__name__}"


def sweep(context: JobContext) -> dict[str, Any]:
    """The job: attempts older than ``delivery_days`` are deleted, a thousand at a time."""
    gone = 0
    with context.unit_of_work() as session:
        days = read(session, PlatformSettings).delivery_days
    while days:
        with context.unit_of_work() as session:
            old = select(WebhookAttempt.id).where(WebhookAttempt.at < now() - timedelta(days=days)).limit(CHUNK)
            some = delete(WebhookAttempt).where(WebhookAttempt.id.in_(old)).returning(WebhookAttempt.id)
            count = len(session.scalars(some).all())
        gone += count
        context.progress(gone)
        if count < CHUNK:
            break
    return {"attempts": gone}
