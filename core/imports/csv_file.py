"""CSV (RFC 4180) as people save it: any of three separators, a byte-order mark, line breaks in cells, broken rows.

A bad row costs only itself: a quotation mark that is never closed cannot swallow the rows below it.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from core.export.csv import FORMULA
from core.imports.errors import RowNotText, RowTooLong, RowUnclosed, RowUnreadable

LINE_LENGTH = 200_000  # characters, of a line and of a row
ROW_LINES = 1000
SEPARATORS = ",;\t"
SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own first line
GUARDED = tuple(f"'{one}" for one in FORMULA)
Rows = Iterator[tuple[int, "list[str] | RowUnreadable"]]


def csv_rows(path: Path) -> Rows:
    """The rows that are not empty, each with the number of its first line; one that cannot be read is its error.

    An apostrophe that an export put before a formula is taken away again.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = _Lines(file)
        separator = _separator(lines)
        while (found := lines.next()) is not None:
            number, text = found
            if text is None:
                yield number, RowTooLong(most=LINE_LENGTH)
            elif not text.strip(f"\r\n\t ;,{separator}"):
                continue
            elif (not text.isascii() and any("\udc80" <= one <= "\udcff" for one in text)) or "\0" in text:
                yield number, RowNotText()
            elif '"' not in text:
                yield number, _plain(text.rstrip("\r\n").split(separator))
            else:
                yield number, _quoted(lines, number, text, separator)


def separator_of(path: Path) -> str:
    """What stands between the cells: a semicolon says that numbers may be written with a decimal comma."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        return _separator(_Lines(file))


class _Lines:
    """The lines of a file with their numbers, some of which may be given back. None for one that is too long, of which
    no more than that is ever held in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._number = 0
        self._back: deque[tuple[int, str | None]] = deque()

    def next(self) -> tuple[int, str | None] | None:
        if self._back:
            return self._back.popleft()
        text = self._file.readline(LINE_LENGTH + 1)
        if not text:
            return None
        self._number += 1
        whole = len(text) <= LINE_LENGTH or text.endswith("\n")
        while not text.endswith("\n") and (more := self._file.readline(LINE_LENGTH)):
            whole, text = False, more
        return self._number, text if whole else None

    def give_back(self, lines: list[tuple[int, str | None]]) -> None:
        self._back.extendleft(reversed(lines))


def _separator(lines: _Lines) -> str:
    """The separator by the header, outside of quotation marks; the line that Excel writes about it is taken away."""
    first = lines.next()
    if first is None or first[1] is None:
        lines.give_back([first] if first else [])
        return ","
    if said := SEP_LINE.fullmatch(first[1]):
        return said[1]
    lines.give_back([first])
    bare = re.sub(r'"[^"]*"', "", first[1])
    return max(SEPARATORS, key=lambda one: (bare.count(one), -SEPARATORS.index(one)))


def _quoted(lines: _Lines, number: int, text: str, separator: str) -> list[str] | RowUnreadable:
    """The cells of the row that begins with ``text``; where no end is found, the next lines are rows again."""
    taken: list[tuple[int, str | None]] = []

    def parts() -> Iterator[str]:
        yield text
        length = len(text)
        while len(taken) < ROW_LINES and (found := lines.next()) is not None:
            taken.append(found)
            length += len(found[1] or "")
            if found[1] is None or length > LINE_LENGTH:
                return
            yield found[1]

    try:
        cells = next(csv.reader(parts(), delimiter=separator, strict=True), [])
    except csv.Error:
        lines.give_back(taken)
        return RowUnclosed()
    joined = "".join(cells)
    if "\0" in joined or any("\udc80" <= one <= "\udcff" for one in joined):
        return RowNotText()
    return _plain(cells)


def _plain(cells: list[str]) -> list[str]:
    return [cell[1:] if cell.startswith(GUARDED) else cell for cell in cells]
