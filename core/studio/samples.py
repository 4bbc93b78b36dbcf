"""Rows that a preview shows: made up from the columns of a compiled model, the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects.postgresql import JSONB

from core.addresses import AddressColumn
from core.clock import now
from core.db.base import Units, names_member
from core.resources.resource import BoundResource
from core.wording import column_label

MANY = 5
SPACE = UUID("5a1e5a1e-0000-4000-8000-000000000000")


def lay_out(connection: Connection, bound: list[BoundResource]) -> None:
    """Make the tables of these resources for this connection alone, with sample rows; they end with its transaction.

    They are columns without constraints: nothing outside is locked, and no sample is refused.
    """
    tables: list[Table] = [sa.inspect(one.resource.model).local_table for one in bound]
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        columns = ", ".join(f"{quote(one.name)} {one.type.compile(connection.dialect)}" for one in table.columns)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {quote(table.name)} ({columns}) ON COMMIT DROP")
    names = {table.name for table in tables}
    member = connection.scalar(sa.text("SELECT id FROM core_member ORDER BY joined_at, id LIMIT 1"))
    for one, table in zip(bound, tables, strict=True):
        rows = [dict(_row(connection, one, table, number, names, member)) for number in range(MANY)]
        connection.execute(sa.insert(table), rows)


def _row(
    connection: Connection, bound: BoundResource, table: Table, number: int, names: set[str], member: Any
) -> Iterator[tuple[str, Any]]:
    by_column = {column.name: key for key, column in bound.resource.columns_of_model.items()}
    for column in table.columns:
        if column.primary_key and isinstance(column.type, sa.Uuid):
            yield column.name, key_of(table.name, number)
        elif names_member(column):
            yield column.name, member
        elif column.foreign_keys:
            yield column.name, _referred(connection, column, number, names)
        else:
            label = gettext(column_label(bound.resource, by_column.get(column.name, column.name)))
            yield column.name, _value(column, number, label)


def key_of(table: str, number: int) -> UUID:
    """The key of a sample row."""
    return uuid5(SPACE, f"{table} {number}")


def _referred(connection: Connection, column: Column[Any], number: int, names: set[str]) -> Any:
    """A sample of the same design, else a row that is there; a key of nobody where there is none."""
    target = next(iter(column.foreign_keys)).column
    if target.table.name in names:
        return key_of(target.table.name, number)
    found = connection.scalar(sa.select(target).order_by(target).offset(number % 2).limit(1))
    return found if found is not None else key_of(target.table.name, number)


def _value(column: Column[Any], number: int, label: str) -> Any:
    kind = column.type
    if column.name == "deleted_at":
        return None
    if isinstance(kind, sa.Enum):
        return kind.enums[number % len(kind.enums)]
    if isinstance(kind, AddressColumn):
        return kind.format.example
    if isinstance(kind, sa.String):
        return f"{label} {number + 1}"[: kind.length or 200]
    if isinstance(kind, sa.Boolean):
        return number % 2 == 0
    if isinstance(kind, Units):
        return (number + 1) * 1250
    if isinstance(kind, sa.Integer):
        return (number + 1) * 3
    if isinstance(kind, sa.Numeric):
        return _number(kind, number)
    if isinstance(kind, sa.DateTime):
        return now() - timedelta(days=number * 3, hours=number)
    if isinstance(kind, sa.Date):
        return now().date() + timedelta(days=number * 5 - 4)
    if isinstance(kind, (sa.JSON, JSONB)):
        return {"example": number + 1}
    return None


def _number(kind: sa.Numeric[Any], number: int) -> Decimal:
    """A number that the column's digits can hold."""
    places = kind.scale or 0
    most = (kind.precision or 18) - places
    return Decimal(number + 1) / (1 if most > 0 else 10)
