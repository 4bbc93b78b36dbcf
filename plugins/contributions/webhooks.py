"""Signed webhooks: GitHub's, and any JSON that an admin's mapping can read.

The signature is ``sha256=`` and the hexadecimal HMAC-SHA256 of the raw body under the source's secret, in the header
``X-Hub-Signature-256`` or ``X-Signature-256``. What is answered with 200 is committed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, Member, NotFound, audit, members

from . import github, releases, service
from .errors import InvalidEvent, MemberUnknown, PayloadUnreadable, SignatureInvalid
from .history import Line, Masked
from .models import WebhookSource

MOST_ITEMS = 1000
SECRET_BYTES = 32


class Value(BaseModel):
    """Where a value comes from: a ``path`` such as ``user.id``, or always the same ``const``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: str | None = Field(None, min_length=1, max_length=200)
    const: str | None = Field(None, min_length=1, max_length=200)

    def of(self, item: Any) -> Any:
        return self.const if self.path is None else at_path(item, self.path)


class Reading(BaseModel):
    """How to read contributions out of a payload: ``items`` is the path of a list, the payload itself without one.

    ``member_is``: a member's ``id``, the ``email`` of a member's account, or an outside ``name``. ``address`` and
    ``device`` are where the member was seen by the sender: an IP address, and any key of a browser. Only hashes of them
    are kept, to tell accounts of one person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    items: str | None = Field(None, min_length=1, max_length=200)
    type: Value
    member: Value
    member_is: Literal["id", "email", "name"] = "name"
    key: Value
    occurred_at: Value | None = None
    details: dict[str, str] = Field(default_factory=dict, max_length=50)
    address: Value | None = None
    device: Value | None = None


def at_path(item: Any, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    for step in path.split("."):
        if isinstance(item, Mapping):
            item = item.get(step)
        elif isinstance(item, list) and step.isdigit() and int(step) < len(item):
            item = item[int(step)]
        else:
            return None
    return item


def check_source(values: dict[str, Any]) -> None:
    """Refuse a source whose payloads could not be read. Raises Invalid by field."""
    problems: dict[str, list[str]] = {}
    if values.get("kind", "generic") == "generic" and "mapping" in values:
        try:
            Reading.model_validate(values["mapping"])
        except ValidationError as problem:
            problems["mapping"] = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
    if problems:
        raise Invalid(problems)


def create_source(session: Session, actor: Actor, values: dict[str, Any]) -> WebhookSource:
    """A new source, with a secret that nobody has seen yet (``renew_secret``). Raises Invalid by field."""
    check_source({"mapping": {}, **values})
    row = WebhookSource(**values, secret=secrets.token_urlsafe(SECRET_BYTES))
    session.add(row)
    session.flush()
    return row


def update_source(session: Session, actor: Actor, record: WebhookSource, values: dict[str, Any]) -> WebhookSource:
    """Change a source. Raises Invalid by field."""
    check_source({"kind": record.kind, "mapping": record.mapping, **values})
    for name, value in values.items():
        setattr(record, name, value)
    session.flush()
    return record


def detail(session: Session, source: WebhookSource) -> dict[str, Any]:
    """What the page of a source shows below it: where to send deliveries."""
    return {"source": source, "address": f"{session.info['config'].url}/api/v1/contributions/webhooks/{source.slug}"}


def renew_secret(session: Session, actor: Actor, source_id: UUID) -> tuple[WebhookSource, str]:
    """Give a source a new secret and tell it, this once; deliveries signed with the old one are refused. Audited.

    Raises NotFound.
    """
    actor.require("contributions:webhook:update")
    source = session.get(WebhookSource, source_id)
    if source is None:
        raise NotFound()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    source.secret = secret
    session.flush()
    action = "contributions.webhook.secret_renewed"
    audit(session, actor, action, subject_type="contributions.webhook", subject_id=source.id)
    return source, secret


def receive(
    session: Session, actor: Actor, slug: str, *, body: bytes, payload: Any, signature: str, event: str
) -> list[service.Outcome]:
    """Record what a signed delivery holds; one outcome for each contribution in it.

    Raises NotFound (no such source, or it is off), SignatureInvalid, PayloadUnreadable.
    """
    source: WebhookSource | None = session.scalar(
        select(WebhookSource).where(WebhookSource.slug == slug, WebhookSource.enabled)
    )
    if source is None:
        raise NotFound()
    expected = "sha256=" + hmac.new(source.secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise SignatureInvalid()
    if not isinstance(payload, Mapping | list):
        raise PayloadUnreadable(problem="it is no JSON object")
    masked = Masked(session.info["config"].secret_key)
    acting = Actor.system(f"webhook {source.slug}"[:120])
    if source.kind == "github":
        if not isinstance(payload, Mapping):
            raise PayloadUnreadable(problem="it is no JSON object")
        rows = _of_lines(session, github.lines(event, payload, masked))
        rows = releases.known(session, rows, "webhook")
        return service.record_many(session, acting, rows, source="webhook")
    return _generic(session, acting, source, payload, masked)


def _of_lines(session: Session, found: list[tuple[str, Line]]) -> list[service.NewContribution]:
    """Lines with their members, found or made by their identities."""
    ids: dict[tuple[str, str], UUID] = {}
    for kind in sorted({kind for kind, _line in found}):
        known = {
            line.subject: members.KnownAs(display_name=line.name, joined_at=line.occurred_at)
            for one, line in found
            if one == kind
        }
        for subject, member_id in members.by_identity(session, kind, known).items():
            ids[kind, subject] = member_id
    return [
        service.NewContribution(
            line=line.number,
            member_id=ids[kind, line.subject],
            type=line.type,
            event_key=line.key,
            occurred_at=line.occurred_at,
            details=line.details,
        )
        for kind, line in found
    ]


def _generic(
    session: Session, actor: Actor, source: WebhookSource, payload: Any, masked: Masked
) -> list[service.Outcome]:
    mapping = Reading.model_validate(source.mapping)
    items = at_path(payload, mapping.items) if mapping.items else payload
    items = items if isinstance(items, list) else [items]
    if len(items) > MOST_ITEMS:
        raise PayloadUnreadable(problem=f"it holds more than {MOST_ITEMS}")
    rows, outcomes = [], []
    seen: dict[UUID, dict[str, str]] = {}
    for number, item in enumerate(items, start=1):
        try:
            row = _row(session, mapping, item, number, masked)
        except (InvalidEvent, MemberUnknown) as error:
            outcomes.append(service.Outcome(line=number, outcome="invalid", error=error))
            continue
        rows.append(row)
        seen.setdefault(row.member_id, {}).update(_seen(mapping, item, source.slug))
    for member_id in session.scalars(select(Member.id).where(Member.id.in_(seen)).order_by(Member.id)):
        members.note_seen(session, member_id, **seen[member_id])
    outcomes += service.record_many(session, actor, rows, source="webhook")
    return sorted(outcomes, key=lambda one: one.line)


def _row(session: Session, mapping: Reading, item: Any, number: int, masked: Masked) -> service.NewContribution:
    values = {name: getattr(mapping, name).of(item) for name in ("type", "member", "key")}
    for name, value in values.items():
        if not isinstance(value, str | int) or isinstance(value, bool) or not str(value):
            raise InvalidEvent(problem=f"there is no {name}")
    at = None
    if mapping.occurred_at is not None:
        try:
            at = datetime.fromisoformat(str(mapping.occurred_at.of(item)))
        except ValueError:
            raise InvalidEvent(problem="occurred_at is no time") from None
    return service.NewContribution(
        line=number,
        member_id=_member(session, mapping.member_is, str(values["member"]), masked),
        type=str(values["type"])[:80],
        event_key=str(values["key"]),
        occurred_at=at,
        details={name: found for name, path in mapping.details.items() if (found := at_path(item, path)) is not None},
    )


def _seen(mapping: Reading, item: Any, slug: str) -> dict[str, str]:
    """Where the sender saw the member; a key of a browser means something only among those of one sender."""
    address = mapping.address.of(item) if mapping.address else None
    device = mapping.device.of(item) if mapping.device else None
    return {
        **({"address": address} if isinstance(address, str) else {}),
        **({"device": f"{slug}:{device}"} if isinstance(device, str | int) and str(device) else {}),
    }


def _member(session: Session, member_is: str, value: str, masked: Masked) -> UUID:
    if member_is == "id":
        try:
            return UUID(value)
        except ValueError:
            raise MemberUnknown() from None
    if member_is == "email":
        query = select(Member.id).where(
            func.lower(Member.email) == value.lower(), Member.email_verified_at.is_not(None)
        )
        found = session.scalar(query)
        if found is not None:
            return found
    if len(value) > 120 or not value.isprintable():
        raise InvalidEvent(problem="the member's name is too long")
    address = "@" in value
    subject = masked.subject(value) if address else value
    name = masked.name("", subject) if address else value
    return members.by_identity(session, "import", {subject: members.KnownAs(display_name=name)})[subject]
