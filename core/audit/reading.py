"""Read the trail: members by name, and what is sealed about them opened for who may see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.trail import MASK
from core.crypto import members

MEMBER = table("core_member", column("id"), column("display_name"))
SEES = "core:member:show"


@dataclass(frozen=True)
class Shown:
    """A row of the trail as a person reads it: ``actor_name``, ``ip``, ``changes`` and ``reason`` are open.

    Where the member was erased they read ``erased``; where the reader may not see members, they are masked.
    """

    row: AuditRow
    actor_name: str
    impersonator_name: str
    ip: str | None
    changes: dict[str, Any]
    reason: str | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def shown(session: Session, actor: Actor, rows: Sequence[AuditRow]) -> list[Shown]:
    """The rows as ``actor`` may read them; personal values take ``core:member:show``."""
    may = actor.can(SEES)
    owners = {one for row in rows for one in map(members.owner, _texts(row)) if one}
    return _opened(session, rows, members.keys_of(session, owners) if may else {}, may)


def about(session: Session, member_id: UUID, rows: Sequence[AuditRow]) -> list[Shown]:
    """The rows as the member may read them: open is what was sealed under the member's own key."""
    return _opened(session, rows, members.keys_of(session, [member_id]), may=False)


def _opened(session: Session, rows: Sequence[AuditRow], keys: dict[UUID, bytes], may: bool) -> list[Shown]:
    acting = {row.actor_id for row in rows if row.actor_id and not row.actor_name}
    acting |= {row.impersonator_id for row in rows if row.impersonator_id}
    known = select(MEMBER.c.id, MEMBER.c.display_name).where(MEMBER.c.id.in_(acting))
    names: dict[UUID, str] = dict(session.execute(known).tuples().all()) if acting else {}

    def one(value: Any, place: str) -> Any:
        held = members.owner(value)
        return MASK if held and not may and held not in keys else members.opened(keys, value, place)

    def pair(row: AuditRow, field: str, given: Any) -> Any:
        if not isinstance(given, list):
            return one(given, f"{row.id}:{field}:0")
        return [one(value, f"{row.id}:{field}:{number}") for number, value in enumerate(given)]

    return [
        Shown(
            row,
            actor_name=row.actor_name or names.get(row.actor_id, str(row.actor_id or "")),  # type: ignore[arg-type]
            impersonator_name=names.get(row.impersonator_id, str(row.impersonator_id or "")),  # type: ignore[arg-type]
            ip=one(row.ip, f"{row.id}:ip"),
            changes={field: pair(row, field, given) for field, given in row.changes.items()},
            reason=one(row.reason, f"{row.id}:reason"),
        )
        for row in rows
    ]


def _texts(row: AuditRow) -> Iterator[Any]:
    yield from (row.ip, row.reason)
    for given in row.changes.values():
        yield from given if isinstance(given, list) else (given,)


def named(beginning: str) -> Any:
    """The ids of the members whose name begins so, as a query."""
    return select(MEMBER.c.id).where(func.lower(MEMBER.c.display_name).startswith(beginning.lower(), autoescape=True))
