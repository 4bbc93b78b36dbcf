"""Write the audit trail, in the transaction of the change itself.

Rows of declared resources are audited by themselves (``watch``); other admin acts call ``record``. What is personal is
sealed under the key of the member it is about (``core.crypto.members``): personal columns (``core.db.personal``),
values given as ``Personal``, the reason of an act upon a member, and the address a member acted from. Members are
named by id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy import event, insert, inspect
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import now, rfc3339
from core.crypto import members
from core.db.base import member_column
from core.db.personal import personal_columns
from core.ids import new_id

MASK = "•••"
REASON = "audit_reason"
DIGESTED = tuple(column.key for column in AuditRow.__table__.columns if column.key != "digest")


@dataclass(frozen=True)
class Personal:
    """A value about a member, for ``record``: readable in the trail until the member is erased."""

    member_id: UUID
    value: Any


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
    """Add one row to the trail. ``changes`` maps a field to ``[before, after]``; never put a secret in it.

    Wrap what is personal as ``Personal``. The ``reason`` is taken for personal where the subject is a member.
    """
    row = AuditRow(
        **_values(
            session,
            actor,
            action,
            subject_type=subject_type,
            subject_id=subject_id,
            changes=changes or {},
            reason=reason,
        )
    )
    session.add(row)
    return row


def created(session: Session, actor: Actor, items: Iterable[Any]) -> None:
    """Record that these were created by a statement of their own, as the session does by itself for what it is given.

    They have been read since, and are of models that the registry marks as audited.
    """
    _at_once(session, actor, items, "created")


def deleted(session: Session, actor: Actor, items: Iterable[Any]) -> None:
    """Record that a statement of its own deletes these for good; they have been read, under their lock, just before.

    They are of models that the registry marks as audited.
    """
    _at_once(session, actor, items, "deleted")


def _at_once(session: Session, actor: Actor, items: Iterable[Any], verb: str) -> None:
    audited, rows = session.info["registry"].audited, []
    for item in items:
        [key] = inspect(item).mapper.primary_key_from_instance(item)
        name, changes = audited[type(item)], _difference(item, verb)
        about: dict[str, Any] = {"subject_type": name, "subject_id": key, "reason": session.info.get(REASON)}
        rows.append(_values(session, actor, f"{name}.{verb}", changes=changes, **about))
    if rows:
        session.execute(insert(AuditRow.__table__), rows)


def _values(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject_type: str,
    subject_id: Any,
    changes: dict[str, Any],
    reason: str | None,
) -> dict[str, Any]:
    key = new_id()
    about = subject_id if subject_type == "core.member" and isinstance(subject_id, UUID) else None
    values = {
        "id": key,
        "at": now(),
        "actor_kind": actor.kind,
        "actor_id": actor.member_id,
        "actor_name": "" if actor.member_id else actor.name[:120],
        "ip": _sealed(session, actor.member_id, actor.ip, f"{key}:ip", None),
        "action": action,
        "subject_type": subject_type,
        "subject_id": str(subject_id),
        "changes": plain(_personal_sealed(session, key, changes)),
        "reason": _sealed(session, about, reason, f"{key}:reason", reason),
        "request_id": actor.request_id,
        "correlation_id": actor.correlation_id,
        "impersonator_id": actor.impersonator,
    }
    return {**values, "digest": _digest(values)}


@contextmanager
def because(session: Session, reason: str) -> Iterator[None]:
    """Within it, the rows that changes of declared resources write by themselves hold ``reason``; it flushes."""
    before = session.info.get(REASON)
    session.info[REASON] = reason
    try:
        yield
        session.flush()
    finally:
        session.info[REASON] = before


def _personal_sealed(session: Session, key: UUID, changes: dict[str, Any]) -> dict[str, Any]:
    def one(field: str, number: int, value: Any) -> Any:
        if not isinstance(value, Personal):
            return value
        return _sealed(session, value.member_id, plain(value.value), f"{key}:{field}:{number}", MASK)

    return {
        field: [one(field, *part) for part in enumerate(pair)]
        if isinstance(pair, (list, tuple))
        else one(field, 0, pair)
        for field, pair in changes.items()
    }


def _sealed(session: Session, member_id: UUID | None, value: Any, place: str, without: Any) -> Any:
    """``value`` under the member's key; ``without`` where there is no key, as after an erasure."""
    if member_id is None or value is None:
        return value
    key = members.key_for(session, member_id)
    return without if key is None else members.seal(key, member_id, value, place)


def digest(row: AuditRow) -> bytes:
    """SHA-256 of the row's fields as canonical JSON: version 1, or 2 where somebody acted as somebody else."""
    return _digest({name: getattr(row, name) for name in DIGESTED})


def _digest(row: Mapping[str, Any]) -> bytes:
    fields = [
        1 if row["impersonator_id"] is None else 2,
        str(row["id"]),
        rfc3339(row["at"]),
        row["actor_kind"],
        row["actor_id"] and str(row["actor_id"]),
        row["actor_name"],
        row["ip"],
        row["action"],
        row["subject_type"],
        row["subject_id"],
        row["changes"],
        row["reason"],
        row["request_id"],
        str(row["correlation_id"]),
        *([] if row["impersonator_id"] is None else [str(row["impersonator_id"])]),
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
            why = session.info.get(REASON)
            done = _softly(verb, changes) if item.__tablename__ in registry.soft_deleted else verb
            record(session, actor, f"{name}.{done}", subject_type=name, subject_id=key, changes=changes, reason=why)


def _softly(verb: str, changes: dict[str, list[Any]]) -> str:
    """What became of a record whose deletion is a mark: ``deleted``, ``restored``, ``purged``, or what it is called."""
    if verb == "deleted":
        return "purged"
    if verb != "updated" or "deleted_at" not in changes:
        return verb
    return "deleted" if changes["deleted_at"][1] is not None else "restored"


def _unknown(session: Session) -> Actor:
    """Who changes something in a unit of work that names nobody: better told so than not told."""
    actor: Actor = session.info.setdefault("unknown_actor", Actor(kind="system", name="unknown"))
    return actor


def _difference(item: Any, verb: str) -> dict[str, list[Any]]:
    state = inspect(item)
    member_id, personal = _about(item, state.mapper)
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
        pair: list[Any] = [before, value]
        if info.get("secret") or (info.get("pii") and member_id is None):
            pair = [MASK, MASK]
        elif member_id and column.key in personal:
            pair = [part if part is None else Personal(member_id, part) for part in pair]
        changes[column.key] = pair
    return changes


def _about(item: Any, mapper: Any) -> tuple[UUID | None, frozenset[str]]:
    """The member that a record is about, and which of its attributes are personal."""
    attribute = _member_attribute(mapper)
    return (None, frozenset()) if attribute is None else (getattr(item, attribute), _personal(mapper))


@cache
def _member_attribute(mapper: Any) -> str | None:
    column = member_column(mapper.local_table)
    return None if column is None else str(mapper.get_property_by_column(column).key)


@cache
def _personal(mapper: Any) -> frozenset[str]:
    return frozenset(mapper.get_property_by_column(one).key for one in personal_columns(mapper.local_table))
