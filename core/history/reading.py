"""The history of one record, and the records of a resource that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import Shown, shown
from core.audit.trail import MASK
from core.crypto.members import owner
from core.errors import NotFound
from core.history.values import typed
from core.resources.resource import BoundResource
from core.rest.paging import Page, paginate

SEES = "core:history:show"
VERBS = ("created", "updated", "deleted")


@dataclass(frozen=True)
class Difference:
    """One field of a change. The values are the column's own, or ``Closed`` where they cannot be told."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One act upon a record. ``verb`` is created, updated, deleted, or what else a service wrote down."""

    id: UUID
    at: datetime
    verb: str
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    impersonator_name: str
    ip: str | None
    reason: str | None
    subject_id: str
    correlation_id: UUID
    differences: tuple[Difference, ...]


def changes(session: Session, actor: Actor, bound: BoundResource, key: Any, *, limit: int, cursor: str = "") -> Page:
    """What happened to the record ``key``, the newest first, as ``Change``s, whether it is there or not.

    Whether the actor may see the record is for the caller to ask. Raises PermissionMissing, Invalid (the cursor).
    """
    actor.require(SEES)
    query = select(AuditRow).where(AuditRow.subject_type == bound.key, AuditRow.subject_id == str(key))
    page = paginate(session, query, [(AuditRow.id, True)], limit=limit, cursor=cursor)
    return Page(_told(session, actor, bound, page.items), page.next_cursor)


def change(session: Session, actor: Actor, bound: BoundResource, change_id: UUID) -> Change:
    """One change of a record of this resource. Raises PermissionMissing, NotFound."""
    actor.require(SEES)
    row = session.get(AuditRow, change_id)
    if row is None or row.subject_type != bound.key:
        raise NotFound()
    return _told(session, actor, bound, [row])[0]


def latest(session: Session, actor: Actor, bound: BoundResource, key: Any) -> Change | None:
    """The newest change of a record, for who may read its history; else None."""
    if not (bound.resource.audit and actor.can(SEES)):
        return None
    found = changes(session, actor, bound, key, limit=1).items
    return found[0] if found else None


def before(
    session: Session, actor: Actor, bound: BoundResource, correlation_id: UUID, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By record, what each field was before the first change of one cause, as far as the actor may know.

    Raises PermissionMissing.
    """
    actor.require(SEES)
    about = AuditRow.subject_type == bound.key, AuditRow.subject_id.in_(keys), AuditRow.action == f"{bound.key}.updated"
    query = select(AuditRow).where(*about, AuditRow.correlation_id == correlation_id).order_by(AuditRow.id.desc())
    told = _told(session, actor, bound, session.scalars(query).all())
    return {one.subject_id: {each.key: each.before for each in one.differences} for one in told}


def deleted(session: Session, actor: Actor, bound: BoundResource, *, limit: int, cursor: str = "") -> Page:
    """The records that were deleted and are not there again, the latest first, as ``Change``s.

    Raises PermissionMissing, also where what this actor may know of depends on what a record holds: of one that is
    gone nobody can tell.
    """
    actor.require(SEES)
    actor.require(bound.permission("list"))
    if bound.visible(actor) is not None:
        actor.require("core:audit:list")
    query = select(AuditRow).where(AuditRow.action == f"{bound.key}.deleted")
    page = paginate(session, query, [(AuditRow.id, True)], limit=limit, cursor=cursor)
    there = existing(session, bound, [row.subject_id for row in page.items])
    gone = [row for row in page.items if row.subject_id not in there]
    return Page(_told(session, actor, bound, gone), page.next_cursor)


def existing(session: Session, bound: BoundResource, keys: Sequence[str]) -> set[str]:
    """Which of these keys, as text, are those of records that are there."""
    column = getattr(bound.resource.model, bound.resource.key)
    parsed = []
    for key in keys:
        try:
            parsed.append(bound.parse_key(key))
        except NotFound:
            continue
    return {str(one) for one in session.scalars(select(column).where(column.in_(parsed)))} if parsed else set()


def _told(session: Session, actor: Actor, bound: BoundResource, rows: Sequence[AuditRow]) -> list[Change]:
    return [_change(bound, one) for one in shown(session, actor, rows)]


def _change(bound: BoundResource, row: Shown) -> Change:
    return Change(
        id=row.row.id,
        at=row.row.at,
        verb=row.row.action.removeprefix(f"{bound.key}."),
        actor_kind=row.row.actor_kind,
        actor_id=row.row.actor_id,
        actor_name=row.actor_name,
        impersonator_name=row.impersonator_name,
        ip=row.ip,
        reason=row.reason,
        subject_id=row.row.subject_id,
        correlation_id=row.row.correlation_id,
        differences=tuple(_differences(bound, row)),
    )


def _differences(bound: BoundResource, row: Shown) -> list[Difference]:
    """The fields in the order of the record page; what is hidden there is not told here either."""
    columns = bound.resource.columns_of_model
    order = {key: place for place, key in enumerate(bound.resource.readable)}
    found = []
    for key in sorted(row.changes, key=lambda key: (order.get(key, len(order)), key)):
        if key in bound.resource.hidden:
            continue
        pair, raw = row.changes[key], row.row.changes[key]
        if not (isinstance(pair, list) and len(pair) == 2):
            pair, raw = [None, pair], [None, raw]
        if key in columns:
            pair = [
                typed(columns[key], value, sealed=owner(kept) is not None)
                for value, kept in zip(pair, raw, strict=True)
            ]
            if columns[key].info.get("secret"):
                pair = [typed(columns[key], MASK)] * 2
        found.append(Difference(key, *pair))
    return found
