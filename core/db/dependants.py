"""What hangs on a row: which rows of other tables its deletion takes along, lets go, or is forbidden by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import MetaData, Select, Table, func, select
from sqlalchemy.orm import Session

MOST_COUNTED = 1000
DEEPEST = 4
Fate = Literal["forbids", "goes", "stays"]


@dataclass(frozen=True)
class Dependants:
    """``count`` rows of ``table`` refer by ``column`` to what is deleted; the count ends at MOST_COUNTED + 1.

    They forbid the deletion, go with it, or stay without the reference.
    """

    table: str
    column: str
    count: int
    fate: Fate


def dependants(session: Session, metadata: MetaData, table: Table, key: Any) -> list[Dependants]:
    """What the foreign keys of the present tables say of the deletion of one row; what forbids it comes first.

    One statement for each foreign key that leads there, at most DEEPEST tables deep.
    """
    [primary] = table.primary_key
    found: dict[tuple[str, str], Dependants] = {}
    _follow(session, metadata, table, select(primary).where(primary == key), found, 0)
    order = {"forbids": 0, "goes": 1, "stays": 2}
    return sorted(found.values(), key=lambda one: (order[one.fate], one.table, one.column))


def _follow(
    session: Session,
    metadata: MetaData,
    table: Table,
    rows: Select[Any],
    found: dict[tuple[str, str], Dependants],
    depth: int,
) -> None:
    for other in metadata.sorted_tables:
        for foreign in other.foreign_keys:
            column = foreign.parent
            if foreign.column.table is not table or (other.name, column.name) in found:
                continue
            if not foreign.column.primary_key or len(table.primary_key) != 1:
                continue
            referring = column.in_(rows)
            bounded = select(column).where(referring).limit(MOST_COUNTED + 1).subquery()
            count = session.scalar(select(func.count()).select_from(bounded)) or 0
            if not count:
                continue
            rule = (foreign.ondelete or "").upper()
            fate: Fate = "goes" if rule == "CASCADE" else "stays" if rule.startswith("SET") else "forbids"
            found[other.name, column.name] = Dependants(other.name, column.name, count, fate)
            keys = list(other.primary_key)
            if fate == "goes" and len(keys) == 1 and depth < DEEPEST:
                _follow(session, metadata, other, select(keys[0]).where(referring), found, depth + 1)
