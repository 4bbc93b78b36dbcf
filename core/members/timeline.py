"""What happened to a member and what they did: events and the audit trail in one stream, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import shown
from core.events.models import EventRow
from core.members.models import Member

EVENTS, TRAIL = "core:event:list", "core:audit:list"
MOST_FACTS = 4
UNTOLD = ("id", "url", "reference")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. ``event_id`` is an event of the same cause, whose page tells all that followed.

    ``facts`` are the plain values of an event, or the fields that a change was about. ``by_member`` says that the
    member did it.
    """

    id: UUID
    at: datetime
    source: str
    name: str
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    impersonator_name: str = ""
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    correlation_id: UUID | None = None
    event_id: UUID | None = None
    by_member: bool = False


def of(session: Session, actor: Actor, member_id: UUID, *, limit: int, before: UUID | None = None) -> list[Entry]:
    """Up to ``limit`` entries before the one called ``before``; events and the trail each for who may see them."""
    found: list[Entry] = []
    if actor.can(EVENTS):
        found += _events(session, member_id, limit, before)
    if actor.can(TRAIL):
        found += _acts(session, actor, member_id, limit, before)
    return sorted(found, key=lambda one: one.id, reverse=True)[:limit]


def by_cause(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries of one cause that follow each other, together: what came first stands first."""
    groups = [list(group) for _cause, group in groupby(entries, key=lambda one: one.correlation_id)]
    return [group[::-1] for group in groups]


def _events(session: Session, member_id: UUID, limit: int, before: UUID | None) -> list[Entry]:
    query = select(EventRow, Member.display_name).outerjoin(Member, Member.id == EventRow.actor_id)
    query = query.where(EventRow.payload["member_id"].astext == str(member_id))
    if before is not None:
        query = query.where(EventRow.id < before)
    rows = session.execute(query.order_by(EventRow.id.desc()).limit(limit)).tuples()
    return [
        Entry(
            id=row.id,
            at=row.occurred_at,
            source="event",
            name=row.name,
            actor_kind=row.actor_kind,
            actor_id=row.actor_id,
            actor_name=name or "",
            facts=_facts(row.payload),
            correlation_id=row.correlation_id,
            event_id=row.id,
            by_member=row.actor_id == member_id,
        )
        for row, name in rows
    ]


def _acts(session: Session, actor: Actor, member_id: UUID, limit: int, before: UUID | None) -> list[Entry]:
    """Rows of the trail about the member, and by the member."""
    newest = AuditRow.id.desc()
    about = select(AuditRow.id).where(AuditRow.subject_type == "core.member", AuditRow.subject_id == str(member_id))
    by = select(AuditRow.id).where(AuditRow.actor_id == member_id)
    parts = [part if before is None else part.where(AuditRow.id < before) for part in (about, by)]
    ids = parts[0].order_by(newest).limit(limit).union(parts[1].order_by(newest).limit(limit))
    cause = select(EventRow.id).where(EventRow.correlation_id == AuditRow.correlation_id).order_by(EventRow.id).limit(1)
    query = select(AuditRow, cause.scalar_subquery()).where(AuditRow.id.in_(ids)).order_by(newest).limit(limit)
    rows = list(session.execute(query).tuples())
    told = shown(session, actor, [row for row, _cause in rows])
    return [
        Entry(
            id=row.id,
            at=row.at,
            source="audit",
            name=row.action,
            actor_kind=row.actor_kind,
            actor_id=row.actor_id,
            actor_name=one.actor_name,
            impersonator_name=one.impersonator_name,
            reason=one.reason,
            facts=dict.fromkeys(list(row.changes)[:MOST_FACTS]),
            correlation_id=row.correlation_id,
            event_id=cause_id,
            by_member=row.actor_id == member_id,
        )
        for (row, cause_id), one in zip(rows, told, strict=True)
    ]


def _facts(payload: dict[str, Any]) -> dict[str, Any]:
    """The plain values of an event: no ids, no structures."""
    plain = {key: value for key, value in payload.items() if type(value) in (str, int) and value != ""}
    told = {key: value for key, value in plain.items() if not key.endswith("_id") and key not in UNTOLD}
    return dict(list(told.items())[:MOST_FACTS])
