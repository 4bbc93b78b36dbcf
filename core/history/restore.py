"""Bring back what was: the fields of one change, or a record that was deleted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import because, plain
from core.db import locks
from core.errors import DomainError, Invalid, NotFound
from core.history import reading
from core.history.errors import ChangedMeanwhile, NothingToRestore, NotRestorable, StillThere
from core.history.reading import Change
from core.history.values import Closed
from core.i18n import _
from core.members.standing import reason_given
from core.refusals import domain_error
from core.resources.resource import BoundResource

REFUSED = _("The record does not take this value any more.")
CLOSED = {
    Closed.MASKED: _("What it was is not kept, or you may not see it."),
    Closed.ERASED: _("What it was has been erased."),
}


@dataclass(frozen=True)
class Line:
    """One field of a preview. ``state`` is one of

    - ``will``: it becomes ``then``;
    - ``changed``: so too, but it was changed again since, and what it is now would be lost;
    - ``same``: it is so already;
    - ``cannot``: it stays; ``why`` says in a sentence why.
    """

    key: str
    now: Any
    then: Any
    state: str
    why: str = ""


@dataclass(frozen=True)
class Preview:
    """What bringing back the state before a change would do. ``token`` stands for the values as they are now."""

    change: Change
    lines: tuple[Line, ...]
    token: str
    problem: str = ""

    @property
    def possible(self) -> tuple[str, ...]:
        return tuple(line.key for line in self.lines if line.state in ("will", "changed"))


def preview(session: Session, actor: Actor, bound: BoundResource, record: Any, change_id: UUID) -> Preview:
    """What the state before a change would mean for ``record`` now; it is tried and undone, so the services decide.

    Raises PermissionMissing, NotFound, NotRestorable for a change that has no state before it.
    """
    change = _change_of(session, actor, bound, record, change_id)
    lines = [_line(bound, record, one) for one in change.differences]
    token = _token(record, [line.key for line in lines if line.key in bound.resource.columns_of_model])
    values = {line.key: line.then for line in lines if line.state in ("will", "changed")}
    if not values:
        return Preview(change, tuple(lines), token)
    refusal = _tried(session, actor, bound, record, values)
    if refusal is None:
        return Preview(change, tuple(lines), token)
    details = refusal.details if isinstance(refusal.details, dict) else {}
    said = {key: texts[0] if isinstance(texts, (list, tuple)) else texts for key, texts in details.items()}
    lines = [
        Line(line.key, line.now, line.then, "cannot", str(said[line.key]))
        if line.key in said and line.state in ("will", "changed")
        else line
        for line in lines
    ]
    placed = any(line.key in said for line in lines)
    return Preview(change, tuple(lines), token, "" if placed else refusal.message)


def restore(
    session: Session,
    actor: Actor,
    bound: BoundResource,
    record: Any,
    change_id: UUID,
    *,
    keys: Collection[str],
    token: str,
    reason: str,
) -> Any:
    """Give the fields ``keys`` the values they had before a change, as one update by the resource's service, audited
    with the reason.

    ``token`` is that of the preview. Raises NothingToRestore, ChangedMeanwhile, NotRestorable, PermissionMissing,
    NotFound, Invalid (the reason), and what the service refuses.
    """
    reason = reason_given(reason)
    locks.advisory(session, lock_of(bound, record))
    session.refresh(record)
    change = _change_of(session, actor, bound, record, change_id)
    if _token(record, [one.key for one in change.differences if one.key in bound.resource.columns_of_model]) != token:
        raise ChangedMeanwhile()
    lines = {line.key: line for one in change.differences if (line := _line(bound, record, one)).key in set(keys)}
    for line in lines.values():
        if line.state == "cannot":
            raise Invalid({line.key: [line.why]})
    values = {key: line.then for key, line in lines.items() if line.state != "same"}
    if not values:
        raise NothingToRestore()
    with because(session, reason):
        return bound.update(session, actor, record, values)


def recreate(session: Session, actor: Actor, bound: BoundResource, change_id: UUID, *, reason: str) -> Any:
    """Write a deleted record anew, as it was and under its own key, audited with the reason.

    Raises NotRestorable, StillThere, PermissionMissing, NotFound, Invalid (the reason), and what the table refuses.
    """
    reason = reason_given(reason)
    change = reading.change(session, actor, bound, change_id)
    if problem := obstacle(session, actor, bound, change):
        raise NotRestorable(reason=problem)
    if reading.existing(session, bound, [change.subject_id]):
        raise StillThere()
    columns = bound.resource.columns_of_model
    values = {
        one.key: one.before for one in change.differences if one.key in columns and not isinstance(one.before, Closed)
    }
    with because(session, reason):
        return bound.recreate(session, actor, values)


def obstacle(session: Session, actor: Actor, bound: BoundResource, change: Change) -> str:
    """Why a deleted record cannot be written anew, as a sentence; empty where it can be. Raises PermissionMissing."""
    if change.verb != "deleted":
        return _("This change deleted nothing.")
    if not bound.resource.restorable:
        return _("Records of this kind hang together with others, which their deletion took along. Make it anew.")
    actor.require(bound.permission("create"))
    columns = bound.resource.columns_of_model
    told = {one.key: one.before for one in change.differences}
    for key, column in columns.items():
        value = told.get(key)
        needed = not column.nullable and column.default is None and column.server_default is None
        if needed and (value is None or isinstance(value, Closed)):
            return CLOSED.get(value, _("Not all of it is known any more."))  # type: ignore[arg-type]
    return ""


def lock_of(bound: BoundResource, record: Any) -> str:
    """The advisory lock that whoever compares a record with what somebody saw, and then changes it, holds."""
    return f"core.record:{bound.key}:{bound.key_of(record)}"


def _change_of(session: Session, actor: Actor, bound: BoundResource, record: Any, change_id: UUID) -> Change:
    change = reading.change(session, actor, bound, change_id)
    if change.subject_id != str(bound.key_of(record)):
        raise NotFound()
    if change.verb != "updated":
        raise NotRestorable(reason=_("Only what a change replaced can be brought back."))
    return change


def _line(bound: BoundResource, record: Any, one: reading.Difference) -> Line:
    if one.key not in bound.resource.columns_of_model:
        return Line(one.key, None, one.before, "cannot", _("This field is not there any more."))
    current = getattr(record, one.key)
    if isinstance(one.before, Closed):
        return Line(one.key, current, one.before, "cannot", CLOSED[one.before])
    if current == one.before:
        return Line(one.key, current, one.before, "same")
    if one.key not in bound.resource.writable:
        return Line(one.key, current, one.before, "cannot", _("This field follows from others; nobody writes it."))
    return Line(one.key, current, one.before, "will" if current == one.after else "changed")


def _tried(
    session: Session, actor: Actor, bound: BoundResource, record: Any, values: dict[str, Any]
) -> DomainError | None:
    """Carry the update out and undo it; returns how it was refused."""
    savepoint = session.begin_nested()
    try:
        bound.update(session, actor, record, values)
    except (DomainError, DBAPIError) as problem:
        if (known := domain_error(problem)) is None:
            raise
        return known
    finally:
        savepoint.rollback()
        session.refresh(record)
    return None


def _token(record: Any, keys: Sequence[str]) -> str:
    values = {key: plain(getattr(record, key)) for key in sorted(keys)}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:32]
