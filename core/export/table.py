"""The table that every format is written from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "integer", "decimal", "instant", "date"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading in the reader's language, and what its cells hold.

    ``integer`` is an int, ``decimal`` a Decimal, ``instant`` an aware datetime, ``date`` a date; None is an empty cell
    everywhere. A ``text`` cell may be anything: it is written as ``str`` says it, objects and lists as JSON.
    """

    label: str
    kind: Kind = "text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns. ``rows`` is gone through once and may stream; each has a cell per column.

    ``subtitle`` says what of it is shown, such as the period: under the title of a PDF, among the properties of a
    workbook. ``total`` is a last row that stands out in a PDF and a workbook; a CSV holds the rows alone.
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    subtitle: str = ""
    total: Sequence[Any] = ()
