"""Write the audit trail, in the transaction of the change itself.

Rows of declared resources are audited by themselves (``watch``); other admin acts call ``record``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import now, rfc3339
from core.ids import new_id

MASK = "•••"


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject_type: str,
    subject_id: Any,
    changes: dict[str, Any] | None = None,
    reason: str | None = None,
) -> AuditRow:
    """Add one row to the trail. ``changes`` maps a field to ``[before, after]``; never put a secret in it."""
    row = AuditRow(
        id=new_id(),
        at=now(),
        actor_kind=actor.kind,
        actor_id=actor.member_id,
        actor_name=actor.name[:120],
        ip=actor.ip,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        changes=plain(changes or {}),
        reason=reason,
        request_id=actor.request_id,
        correlation_id=actor.correlation_id,
    )
    row.digest = digest(row)
    session.add(row)
    return row


def digest(row: AuditRow) -> bytes:
    """SHA-256 of the row's fields as canonical JSON, version 1."""
    fields = [
        1,
        str(row.id),
        rfc3339(row.at),
        row.actor_kind,
        row.actor_id and str(row.actor_id),
        row.actor_name,
        row.ip,
        row.action,
        row.subject_type,
        row.subject_id,
        row.changes,
        row.reason,
        row.request_id,
        str(row.correlation_id),
    ]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).digest()


def plain(value: Any) -> Any:
    """``value`` as plain JSON: ids, times and amounts become strings."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (UUID, Decimal, date)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return _plain_float(value)
    return value


def _plain_float(value: float) -> int | float | str:
    """A number that JSONB gives back as it was written: the digest is taken over it. JSON has no infinity."""
    if not isfinite(value):
        return str(value)
    return int(Decimal(repr(value))) if value.is_integer() else value


@event.listens_for(Session, "before_flush")
def _watch(session: Session, context: Any, instances: Any) -> None:
    """Record changes and deletions of every model that the registry marks as audited."""
    _record_each(session, "updated", session.dirty)
    _record_each(session, "deleted", session.deleted)


@event.listens_for(Session, "after_flush")
def _watch_created(session: Session, context: Any) -> None:
    """Record creations, now that they have their keys and defaults; the rows go with the next flush or the commit."""
    _record_each(session, "created", session.new)


def _record_each(session: Session, verb: str, objects: Iterable[Any]) -> None:
    registry = session.info.get("registry")
    if registry is None:
        return
    actor = session.info.get("actor") or _unknown(session)
    for item in list(objects):
        name = registry.audited.get(type(item))
        if name is None:
            continue
        changes = _difference(item, verb)
        if changes or verb == "deleted":
            [key] = inspect(item).mapper.primary_key_from_instance(item)
            record(session, actor, f"{name}.{verb}", subject_type=name, subject_id=key, changes=changes)


def _unknown(session: Session) -> Actor:
    """Who changes something in a unit of work that names nobody: better told so than not told."""
    actor: Actor = session.info.setdefault("unknown_actor", Actor(kind="system", name="unknown"))
    return actor


def _difference(item: Any, verb: str) -> dict[str, list[Any]]:
    state = inspect(item)
    changes: dict[str, list[Any]] = {}
    for column in state.mapper.column_attrs:
        info = column.columns[0].info
        if info.get("audit") is False:
            continue
        value = state.dict.get(column.key) if verb != "deleted" else None
        if verb == "updated":
            history = state.attrs[column.key].history
            if not history.has_changes():
                continue
            before = history.deleted[0] if history.deleted else None
        else:
            before = getattr(item, column.key) if verb == "deleted" else None
        if before == value:
            continue
        changes[column.key] = [MASK, MASK] if info.get("secret") or info.get("pii") else [before, value]
    return changes
