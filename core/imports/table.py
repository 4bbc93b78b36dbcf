"""A file as a table: a header of names that tell columns apart, then rows of as many cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.i18n import _
from core.imports.csv_file import csv_rows, separator_of
from core.imports.errors import FileTooLong, FileTooWide, FileUnreadable, NoHeader, RowTooWide, RowUnreadable
from core.imports.xlsx_file import xlsx_rows

MOST_COLUMNS = 500
MOST_ROWS = 500_000
NAME_LENGTH = 80
COLUMN = _("Column {number}")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file: its number there, and its cells or why it cannot be read."""

    number: int
    cells: tuple[Any, ...] = ()
    problem: RowUnreadable | None = None


@dataclass(frozen=True)
class Sheet:
    """A table that is read from its beginning whenever ``lines`` is called.

    With a semicolon between cells, numbers may be written with a decimal comma.
    """

    path: Path
    format: str
    header: tuple[str, ...]
    separator: str = ","

    def lines(self) -> Iterator[Line]:
        """The rows below the header, each with a cell for every column. Raises FileUnreadable, FileTooLong."""
        width = len(self.header)
        rows = _rows(self.path, self.format, width + 1)
        next(rows, None)
        for count, (number, cells) in enumerate(rows, 1):
            if count > MOST_ROWS:
                raise FileTooLong(most=MOST_ROWS)
            if isinstance(cells, RowUnreadable):
                yield Line(number, problem=cells)
                continue
            while len(cells) > width and cells[-1] in (None, ""):
                cells.pop()
            if len(cells) > width:
                yield Line(number, tuple(cells[:width]), RowTooWide(found=len(cells), expected=width))
                continue
            yield Line(number, (*cells, *(None,) * (width - len(cells))))


def open_sheet(path: Path, format: str) -> Sheet:
    """The table in a ``csv`` or ``xlsx`` file. Raises FileUnreadable, FileTooWide, NoHeader.

    A column without a name is called by its number; one whose name was there before has a number behind it.
    """
    first = next(_rows(path, format), None)
    if first is None:
        raise NoHeader()
    if isinstance(first[1], RowUnreadable):
        raise FileUnreadable()
    cells = first[1]
    while cells and cells[-1] in (None, ""):
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise FileTooWide(most=MOST_COLUMNS)
    if not cells:
        raise NoHeader()
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        text = "".join(one if one.isprintable() else " " for one in str("" if cell is None else cell))
        name = wanted = " ".join(text.split())[:NAME_LENGTH] or COLUMN.format(number=number)
        copy = 1
        while name in names:
            copy += 1
            name = f"{wanted} ({copy})"
        names.append(name)
    return Sheet(path, format, tuple(names), separator_of(path) if format == "csv" else ",")


def _rows(path: Path, format: str, width: int | None = None) -> Iterator[tuple[int, Any]]:
    return csv_rows(path) if format == "csv" else xlsx_rows(path, MOST_COLUMNS, MOST_ROWS, width)
