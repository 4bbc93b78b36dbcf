"""Typed filters of lists. A value that cannot be read finds nothing; it never breaks the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from core.addresses import AddressColumn, InvalidAddress
from core.clock import now
from core.db.base import Units, names_member, words_of
from core.i18n import _
from core.resources.resource import BoundResource

Kind = Literal["choice", "bool", "text", "date", "reference", "number"]
# What a date may also be said by, so that a saved view stays what it was meant to be.
SPANS = {"today": _("Today"), "7days": _("7 days"), "month": _("This month")}
MOST_VALUES = 50
MOST_WORDS = 20
TRUE = ("y", "true", "1")


@dataclass(frozen=True)
class Operator:
    """A comparison: its word in the page, what it makes of a column and a value, and how several values join."""

    code: str
    word: str
    compare: Callable[[Any, Any], Any]
    any_of: bool = False


EQUAL = Operator("eq", _("is"), lambda column, value: column == value, any_of=True)
OTHER = Operator("neq", _("is not"), lambda column, value: column.is_distinct_from(value))
FROM = Operator("gte", _("at least"), lambda column, value: column >= value)
UNTIL = Operator("lte", _("at most"), lambda column, value: column <= value)
AFTER = Operator("from", _("from"), lambda column, value: column >= value)
BEFORE = Operator("to", _("before"), lambda column, value: column < value)
EMPTY = Operator("empty", _("is empty"), lambda column, value: column.is_(None) if value else column.is_not(None))
BEGINS = Operator(
    "sw",
    _("starts with"),
    lambda column, value: sa.func.lower(column).startswith(value.lower(), autoescape=True),
    any_of=True,
)
OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    "choice": (EQUAL, OTHER),
    "bool": (EQUAL, OTHER),
    "text": (BEGINS, EQUAL, OTHER),
    "date": (AFTER, BEFORE),
    "reference": (EQUAL,),
    "number": (FROM, UNTIL, EQUAL),
}


def kind_of(bound: BoundResource, key: str) -> Kind:
    """What sort of filter a column has."""
    column = bound.resource.columns_known[key]
    kind = column.type
    fixed = isinstance(kind, sa.Enum) or column.info.get("choices")
    if fixed or key in bound.resource.states or key in bound.resource.choices:
        return "choice"
    if isinstance(kind, sa.Boolean):
        return "bool"
    if isinstance(kind, (sa.DateTime, sa.Date)):
        return "date"
    if isinstance(kind, sa.Uuid) or names_member(column):
        return "reference"
    return "text" if isinstance(kind, sa.String) else "number"


def operators(bound: BoundResource, key: str) -> tuple[Operator, ...]:
    """The operators of a filter column, in the order that addresses count them by."""
    found = OPERATORS[kind_of(bound, key)]
    return (*found, EMPTY) if bound.resource.columns_known[key].nullable else found


def condition(bound: BoundResource, key: str, operator: Operator, values: Sequence[str]) -> sa.ColumnElement[bool]:
    """The rows whose column ``key`` compares so with the values of an address."""
    column = bound.resource.attribute(key)
    parts = [_one(column, operator, value) for value in values[:MOST_VALUES]]
    return sa.or_(*parts) if operator.any_of else sa.and_(*parts)


def _one(column: Any, operator: Operator, raw: str) -> sa.ColumnElement[bool]:
    if operator is EMPTY:
        found: sa.ColumnElement[bool] = EMPTY.compare(column, raw in TRUE)
        return found
    try:
        typed = typed_value(column, raw)
    except (InvalidAddress, ValueError):
        return sa.false()
    compared: sa.ColumnElement[bool] = operator.compare(column, typed)
    return compared


def typed_value(column: Any, raw: str) -> Any:
    """The text of an address as a value of the column. Raises ValueError for what it cannot be."""
    kind = column.type
    if "\x00" in raw:
        raise ValueError(raw)
    raw.encode()  # a lone surrogate is a ValueError
    if isinstance(kind, (sa.DateTime, sa.Date)):
        begin = _span(raw) if raw in SPANS else datetime.fromisoformat(raw)
        begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
        return begin if isinstance(kind, sa.DateTime) else begin.date()
    if isinstance(kind, sa.Boolean):
        return raw in TRUE
    if isinstance(kind, sa.Enum):
        if raw not in kind.enums:
            raise ValueError(raw)
        return raw
    if isinstance(kind, AddressColumn):
        return kind.format.check(raw)
    if isinstance(kind, sa.String):
        return raw
    if isinstance(kind, sa.Uuid):
        return UUID(raw)
    if isinstance(kind, (Units, sa.Integer)):
        return _whole(kind, raw)
    if isinstance(kind, sa.Numeric):
        return _decimal(raw)
    raise ValueError(raw)


def _whole(kind: Any, raw: str) -> int:
    digits = 38 if isinstance(kind, Units) else 19
    if len(raw) > digits + 1:
        raise ValueError(raw)
    number = int(raw)
    most = 10**38 if isinstance(kind, Units) else 2**63 if isinstance(kind, sa.BigInteger) else 2**31
    if abs(number) >= most:
        raise ValueError(raw)
    return number


def _decimal(raw: str) -> Decimal:
    try:
        number = Decimal(raw[:100])
    except InvalidOperation:
        raise ValueError(raw) from None
    if not number.is_finite() or abs(number.adjusted()) > 100:
        raise ValueError(raw)
    return number


def search_for(bound: BoundResource, term: str) -> sa.ColumnElement[bool]:
    """Rows with a searched column that begins with ``term``, or a long text with words that begin like all of its
    words; whatever the case. An index serves each."""
    found = prefix_search(bound, term)
    words = [word.replace("\\", "\\\\").replace("'", "''") for word in term.replace("\0", "").split()[:MOST_WORDS]]
    long = [getattr(bound.resource.model, key) for key in bound.resource.full_text]
    if not words or not long:
        return found
    asked = sa.func.to_tsquery(sa.literal_column("'simple'"), " & ".join(f"'{word}':*" for word in words))
    return sa.or_(found, *(words_of(column).op("@@", return_type=sa.Boolean)(asked) for column in long))


def prefix_search(bound: BoundResource, term: str) -> sa.ColumnElement[bool]:
    """Rows whose searched columns begin with ``term``, whatever the case; served by an index on lower(column)."""
    names = [key for key in bound.resource.search if key not in bound.resource.full_text]
    columns = [getattr(bound.resource.model, key) for key in names]
    return sa.or_(sa.false(), *(sa.func.lower(one).startswith(term.lower(), autoescape=True) for one in columns))


def _span(word: str) -> datetime:
    """When a span of time began, in UTC; seven days count today as one."""
    day = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "7days":
        return day - timedelta(days=6)
    return day.replace(day=1) if word == "month" else day
