"""Which tables hold something about members, and which of their columns are personal.

- A table with a reference to ``core_member`` holds something about members. Where the reference is declared
  ``ondelete="CASCADE"`` its rows are the member's own and go with them; else they stay, and lose what is personal.
- Personal are the columns of text, JSON and bytes. Not personal are keys, references, choices, and what a constraint
  of the table holds to a form. ``info={"pii": True}`` and ``info={"pii": False}`` on a column say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    CheckConstraint,
    Column,
    Enum,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    case,
    func,
    literal_column,
    null,
)

from core.db.base import member_column, names_member

ERASED = "erased"


@dataclass(frozen=True)
class Holding:
    """A table that holds something about members.

    ``member`` names the one a row is about, ``mentions`` others; ``goes`` says that rows go with their member.
    """

    table: Table
    member: Column[Any]
    mentions: tuple[Column[Any], ...]
    goes: bool


def holdings(metadata: MetaData, tables: Iterable[str]) -> list[Holding]:
    """Every holding among these tables, those that others refer to last."""
    wanted = set(tables)
    found = []
    for table in reversed(metadata.sorted_tables):
        member = member_column(table)
        if member is None or table.name not in wanted or table.name == "core_member":
            continue
        mentions = tuple(one for one in table.columns if names_member(one) and one is not member)
        goes = any(key.ondelete == "CASCADE" for key in member.foreign_keys)
        found.append(Holding(table, member, mentions, goes))
    return found


def personal_columns(table: Table) -> list[Column[Any]]:
    """The columns of a table about members that are personal."""
    return [column for column in table.columns if _holds_text(column) and _is_personal(table, column)]


def erased(table: Table) -> dict[str, Any]:
    """What the personal columns become in a row that stays, by column name, as SQL."""
    return {column.name: _blank(table, column) for column in personal_columns(table)}


def _plain_type(column: Column[Any]) -> Any:
    kind = column.type
    return kind.impl if isinstance(kind, TypeDecorator) else kind


def _holds_text(column: Column[Any]) -> bool:
    kind = _plain_type(column)
    return isinstance(kind, (String, JSON, LargeBinary, ARRAY)) and not isinstance(kind, Enum)


def _is_personal(table: Table, column: Column[Any]) -> bool:
    said = column.info.get("pii")
    if said is not None:
        return bool(said)
    return not (column.primary_key or column.foreign_keys or _is_unique(table, column) or _is_checked(table, column))


def _is_unique(table: Table, column: Column[Any]) -> bool:
    together = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    together += [one.columns for one in table.indexes if one.unique]
    return bool(column.unique) or any(column.name in columns for columns in together)


def _is_checked(table: Table, column: Column[Any]) -> bool:
    checks = [str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint)]
    return any(re.search(rf"\b{re.escape(column.name)}\b", check) for check in checks)


def _blank(table: Table, column: Column[Any]) -> Any:
    """What says nothing, in the column's own form; what was empty stays so."""
    kind, default = _plain_type(column), getattr(column.default, "arg", None)
    itself: Any = literal_column(column.name)
    if isinstance(kind, LargeBinary):
        return null() if column.nullable else literal_column("''::bytea")
    if isinstance(kind, JSON):
        blank: Any = literal_column(f"CASE jsonb_typeof({column.name}) WHEN 'array' THEN '[]'::jsonb ELSE '{{}}' END")
    elif isinstance(kind, ARRAY):
        blank = literal_column("'{}'")
    elif _is_unique(table, column):
        blank = func.left(literal_column(f"'{ERASED} ' || gen_random_uuid()"), kind.length or 200)
    elif isinstance(default, str):
        blank = literal_column("'" + default.replace("'", "''") + "'")
    else:
        blank = literal_column(f"'{ERASED[: kind.length or 200]}'")
    return case((itself.is_(None), null()), else_=blank)
