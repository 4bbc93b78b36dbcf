"""Keyset paging: a cursor names the last row seen, so that a far page costs as little as the first."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow.validate import Range
from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import Session

from core.audit.trail import plain
from core.errors import Invalid
from core.i18n import _
from core.rest import fields
from core.rest.schema import Schema

MOST = 200


class PageQuery(Schema):
    """Query parameters of every list."""

    limit = fields.Integer(
        load_default=50, metadata={"description": "Rows a page, at most 200."}, validate=Range(1, MOST)
    )
    cursor = fields.String(load_default="", metadata={"description": "next_cursor of the page before."})


@dataclass(frozen=True)
class Page:
    """One page of a list; ``next_cursor`` is None on the last."""

    items: Sequence[Any]
    next_cursor: str | None = None


def encode(values: Sequence[Any]) -> str:
    """A cursor that names a row by the values it is sorted by."""
    raw = json.dumps(plain(list(values)), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The values a cursor names. Raises Invalid."""
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(raw, list) or len(raw) != len(kinds):
            raise ValueError
        return [_as(kind, value) for kind, value in zip(kinds, raw, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Invalid({"cursor": [_("This cursor is not from here. Start again without one.")]}) from None


def _as(kind: type, value: Any) -> Any:
    if kind is int:
        number = int(value)
        if abs(number) >= 2**63:
            raise ValueError
        return number
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError
    value.encode()  # a lone surrogate is no text; its error is a ValueError
    if kind is UUID:
        return UUID(value)
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC)
    return value


def paginate(
    session: Session,
    query: Select[Any],
    keys: Sequence[tuple[Any, bool]],
    *,
    limit: int,
    cursor: str = "",
    of: Callable[[Any], Sequence[Any]] | None = None,
) -> Page:
    """Run ``query`` sorted by ``keys`` (column, descending), which must be unique together and not null.

    ``of(row)`` gives a row's key values; by default the attributes of the columns' names.
    """
    if cursor:
        values = decode(cursor, [column.type.python_type for column, _descending in keys])
        after = []
        for position, (column, descending) in enumerate(keys):
            same = [keys[before][0] == values[before] for before in range(position)]
            beyond = column < values[position] if descending else column > values[position]
            after.append(and_(*same, beyond))
        query = query.where(or_(*after))
    order = [column.desc() if descending else column.asc() for column, descending in keys]
    query = query.order_by(*order).limit(limit + 1)
    one = len(query.column_descriptions) == 1
    rows = list(session.scalars(query) if one else session.execute(query))
    more, rows = len(rows) > limit, rows[:limit]
    if not more:
        return Page(rows)
    last = of(rows[-1]) if of else [getattr(rows[-1], column.key) for column, _descending in keys]
    return Page(rows, encode(last))
