"""Store contributions: the unique key (type, event_key) decides what is new, whoever else is storing at the same time.

Many arrive by COPY in a temporary table, one as JSON; either way one statement stores them and, where nothing is to be
asked in between, adds them up and tells what they led to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from . import limits, milestones, progress
from .limits import Slot
from .models import Contribution

FEW = 50
_COLUMNS = tuple(column.name for column in Contribution.__table__.columns)
_JSON = ("breakdown", "details")
_WRITTEN = "jsonb_populate_recordset(NULL::contributions_contribution, CAST(:rows AS jsonb))"
_ARRIVED = "contributions_arrived"
_MAKE_ROOM = (
    f"CREATE TEMPORARY TABLE IF NOT EXISTS {_ARRIVED} (LIKE contributions_contribution) ON COMMIT DROP",
    f"TRUNCATE {_ARRIVED}",
)
_COPY = f"COPY {_ARRIVED} ({', '.join(_COLUMNS)}) FROM STDIN"


def _insert(source: str) -> str:
    return f"""
        INSERT INTO contributions_contribution ({", ".join(_COLUMNS)}) SELECT {", ".join(_COLUMNS)} FROM {source}
        ON CONFLICT (type, event_key) DO NOTHING
    """


def _record(source: str) -> str:
    return f"""
        WITH stored AS (
            {_insert(source)}
            RETURNING id, member_id, type, occurred_at, local_day, counts_for_streak, challenge_id, points, state
        ), added AS MATERIALIZED (SELECT *, 1 AS n FROM stored WHERE state = 'counted'), places AS (
            {limits.USE.format(where="WHERE EXISTS (SELECT FROM stored)")}
        ), {progress.AGGREGATES}, risen AS (SELECT member_id, points FROM told)
        SELECT (SELECT array_agg(id) FROM stored) AS ids, ({milestones.DUE}) AS due, {progress.TOLD} FROM told
    """


_INSERT = {few: text(f"{_insert(source)} RETURNING id") for few, source in ((True, _WRITTEN), (False, _ARRIVED))}
_RECORD = {few: text(_record(source)) for few, source in ((True, _WRITTEN), (False, _ARRIVED))}


@dataclass(frozen=True, slots=True)
class Stored:
    """What was new, its members' points after it, and the milestones and levels they have come to."""

    ids: set[UUID]
    points: dict[UUID, int]
    due: list[milestones.Due]


def insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store rows of different keys and nothing else; returns the ids of what is new."""
    return set(session.scalars(_INSERT[len(rows) <= FEW], _arrive(session, rows)))


def record(session: Session, rows: Sequence[Mapping[str, Any]], taken: Mapping[Slot, int]) -> Stored:
    """Store rows of different keys, add up those that count, and take places of limits, of one row only.

    The caller holds the members' locks.
    """
    values = {**_arrive(session, rows), **limits.columns(taken)}
    told = session.execute(_RECORD[len(rows) <= FEW], values).one()
    return Stored(set(told.ids or ()), progress.finish(session, told), milestones.due_of(told.due))


def _arrive(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Bring rows to the database; returns the parameters under which a statement finds them."""
    if len(rows) <= FEW:
        return {"rows": json.dumps(rows, default=str)}
    for statement in _MAKE_ROOM:
        session.execute(text(statement))
    cursor = session.connection().connection.cursor()
    try:
        with cursor.copy(_COPY) as into:
            into.write("".join(_lines(rows)))
    finally:
        cursor.close()
    return {}


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    r"""Rows in COPY's text format: a tab between columns, ``\N`` for NULL, and a backslash is doubled."""
    kept: dict[int, str] = {}  # a score without conditions is the same object in many rows

    def written(name: str, value: Any) -> str:
        if value is None:
            return "\\N"
        if name in _JSON:
            if not value:
                return "{}" if name == "details" else "[]"
            if id(value) not in kept:
                kept[id(value)] = json.dumps(value).replace("\\", "\\\\")
            return kept[id(value)]
        if isinstance(value, str):
            return value.replace("\\", "\\\\") if "\\" in value else value
        return str(value)

    columns: list[Iterable[str]] = []
    for name in _COLUMNS:
        values = [row[name] for row in rows]
        same = all(value is values[0] for value in values)  # most columns of most calls
        columns.append(repeat(written(name, values[0])) if same else [written(name, value) for value in values])
    return ["\t".join(parts) + "\n" for _row, *parts in zip(rows, *columns, strict=False)]
