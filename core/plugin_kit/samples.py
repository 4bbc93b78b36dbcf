"""Made-up records and events that fit what a plugin declares."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.db.base import names_member
from core.events.event import Event
from core.registry import Registry
from core.resources.resource import BoundResource
from core.rest.described import example
from core.rest.resource import field_of

DEEPEST = 4
MEMBERS = ("member_id", "owner_id", "author_id", "user_id", "receiver_id")


def record(session: Session, actor: Actor, bound: BoundResource, member_id: UUID, depth: int = 0) -> Any:
    """A new record of a resource, with what it must have; records it refers to are made where a resource makes them.

    Raises whatever its service does, LookupError for a reference that nothing here can fill.
    """
    values: dict[str, Any] = {}
    columns = bound.resource.columns_of_model
    wanted = [*bound.resource.writable, *([bound.resource.owner] if bound.resource.owner else [])]
    for key in wanted:
        column = columns[key]
        if names_member(column):
            values[key] = member_id
        elif column.foreign_keys and not column.nullable:
            values[key] = _referred(session, actor, column, member_id, depth)
        elif not column.nullable and column.default is None and column.server_default is None:
            values[key] = value(column)
    return bound.create(session, actor, values)


def _referred(session: Session, actor: Actor, column: Any, member_id: UUID, depth: int) -> Any:
    """The key of a row that ``column`` may refer to: one that is there, else a new one."""
    [key] = column.foreign_keys
    if (found := session.scalar(select(key.column).limit(1))) is not None:
        return found
    registry: Registry = session.info["registry"]
    for bound in registry.resources.values():
        if bound.resource.table == key.column.table.name and "create" in bound.resource.actions and depth < DEEPEST:
            return bound.key_of(record(session, actor, bound, member_id, depth + 1))
    raise LookupError(f"nothing makes a row of {key.column.table.name}, which {column.name} refers to")


def value(column: Any) -> Any:
    """A value that a column takes, by what REST says of it."""
    field = field_of(column, written=True)
    if isinstance(column.type, sa.Enum):
        return column.type.enums[0]
    if column.info.get("choices"):
        return next(iter(column.info["choices"]))
    if isinstance(column.type, sa.String) and not column.type.length:
        return "text"
    given = {"Integer": 1, "Boolean": False, "Units": "1", "Decimal": "1", "Raw": {}}.get(type(field).__name__)
    if given is None:
        given = {
            "Instant": "2026-01-31T12:00:00Z",
            "Date": "2026-01-31",
            "UUID": "01990000-0000-7000-8000-000000000000",
            "Address": "0x" + "00" * 19 + "01",
        }.get(type(field).__name__, "text")
    return field.deserialize(given)


def event(kind: type[Event], member_id: UUID) -> Event:
    """An event with a payload that fits its schema; fields that name a member name this one.

    Raises ValueError (pydantic's) where no such payload was found.
    """
    schema = kind.model_json_schema()
    payload = example(schema, schema.get("$defs", {}))
    given = payload if isinstance(payload, dict) else {}
    return kind.model_validate({**given, **{name: member_id for name in MEMBERS if name in given}})
