"""A member of whom every table tells something, in every column that could hold a word about them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Date,
    DateTime,
    Enum,
    LargeBinary,
    Numeric,
    String,
    Table,
    Uuid,
    insert,
    text,
)
from sqlalchemy.orm import Session

from core.crypto.sealed import Sealed, bound
from core.db.base import metadata
from core.db.personal import Holding, _plain_type, holdings, personal_columns
from guildhall import new_id, now

MARK = "Zaphod-Marker-4711"


def present(session: Session) -> set[str]:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return set(session.scalars(text(query)))


def fill(session: Session, member_id: UUID) -> list[Holding]:
    """A row about the member in each table; constraints are off meanwhile, so that nothing need fit together."""
    session.execute(text("SET LOCAL session_replication_role = replica"))
    found = holdings(metadata, present(session))
    for held in found:
        for name in session.scalars(
            text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = CAST(:t AS regclass)"),
            {"t": held.table.name},
        ).all():
            session.execute(text(f'ALTER TABLE {held.table.name} DROP CONSTRAINT "{name}"'))
        session.execute(insert(held.table).values(row(held.table, {held.member.name: member_id})))
    session.execute(text("SET LOCAL session_replication_role = origin"))
    return found


def row(table: Table, given: dict[str, Any]) -> dict[str, Any]:
    personal = {column.name for column in personal_columns(table)}
    made: dict[str, Any] = {}
    for column in table.columns:
        if column.computed is not None or column.identity is not None:
            continue
        made[column.name] = given.get(column.name, value(column, column.name in personal))
    return made


def value(column: Any, personal: bool) -> Any:
    kind = _plain_type(column)
    words = MARK if personal else "code"
    if isinstance(column.type, Sealed):
        return bound(words, new_id())
    if isinstance(kind, Enum):
        return kind.enums[0]
    if isinstance(kind, String):
        return words[: kind.length or 200] if not personal else (MARK * 20)[: kind.length or 300]
    if isinstance(kind, JSON):
        return {"told": [words]}
    if isinstance(kind, ARRAY):
        return [words]
    if isinstance(kind, LargeBinary):
        return words.encode()
    if isinstance(kind, Uuid):
        return new_id()
    if isinstance(kind, DateTime):
        return now()
    if isinstance(kind, Date):
        return date(2031, 5, 1)
    if isinstance(kind, Boolean):
        return False
    return 0 if isinstance(kind, Numeric) or kind.python_type in (int, Decimal, float) else datetime(2031, 5, 1)


def found_in(session: Session, words: str = MARK) -> list[str]:
    """Every column of the database in which the words stand, in text, JSON, arrays or bytes."""
    columns = session.execute(
        text(
            "SELECT table_name, column_name, udt_name FROM information_schema.columns JOIN pg_class ON relname = "
            "table_name AND relkind = 'r' WHERE table_schema = 'public' AND (udt_name IN "
            "('text', 'varchar', 'json', 'jsonb', 'bytea') OR udt_name LIKE '\\_%')"
        )
    ).all()
    hits = []
    for table, column, kind in columns:
        shown = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
        if session.scalar(text(f"SELECT 1 FROM {table} WHERE {shown} LIKE :w LIMIT 1"), {"w": f"%{words}%"}):
            hits.append(f"{table}.{column}")
    return sorted(hits)
