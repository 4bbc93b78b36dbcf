"""XLSX (ECMA-376): the rows of the first sheet with the values that its formulas had when it was saved.

A workbook is a packed folder of XML that may hold a million times its size. What it holds is measured first, by a
parser that keeps nothing, and only then read.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from core.imports.errors import FileTooLong, FileTooWide, FileUnpacked, FileUnreadable

MEGABYTE = 1_000_000
MOST_UNPACKED = 300 * MEGABYTE
MOST_PARTS = 1000
MOST_STRINGS = 100 * MEGABYTE  # shared strings are held in memory
SHEET_ROWS = 1_048_576
CHUNK = 64 * 1024
ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})


def xlsx_rows(
    path: Path, most_columns: int, most_rows: int, width: int | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """The rows that are not empty, each with its number: text, numbers, flags, dates and moments as they are typed.

    ``width`` is how many columns are read, by default as many as there may be. Raises FileUnreadable, FileUnpacked,
    FileTooWide, FileTooLong.
    """
    from openpyxl import load_workbook  # it takes half a second, and few processes see a workbook

    try:
        _measure(path, most_columns, most_rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                sheet = book.worksheets[0]
                sheet.reset_dimensions()  # what the file says of its size may be wrong
                for number, row in enumerate(sheet.iter_rows(max_col=width or most_columns, values_only=True), 1):
                    if any(value not in (None, "") for value in row):
                        yield number, _trimmed(row)
            finally:
                book.close()
    except FileUnreadable:
        raise
    except GeneratorExit:
        raise
    except Exception:  # a parser that is fed by strangers raises anything
        raise FileUnreadable() from None


def _trimmed(row: Any) -> list[Any]:
    cells = list(row)
    while cells and cells[-1] in (None, ""):
        cells.pop()
    return cells


def _measure(path: Path, most_columns: int, most_rows: int) -> None:
    """Refuse what would not fit into memory, or is no workbook."""
    with zipfile.ZipFile(path) as packed:
        parts = packed.infolist()
        if len(parts) > MOST_PARTS:
            raise FileUnreadable()
        strings = sum(one.file_size for one in parts if one.filename.endswith("sharedStrings.xml"))
        if sum(one.file_size for one in parts) > MOST_UNPACKED or strings > MOST_STRINGS:
            raise FileUnpacked(most=(MOST_STRINGS if strings > MOST_STRINGS else MOST_UNPACKED) // MEGABYTE)
        for one in parts:
            if one.filename.endswith((".xml", ".rels")):
                with packed.open(one) as source:
                    _scan(source, most_columns, most_rows if "/worksheets/" in f"/{one.filename}" else None)


def _scan(source: IO[bytes], most_columns: int, most_rows: int | None) -> None:
    """Go through one part: no declaration of a document type, no row that is too wide or too far down."""
    cells = rows = depth = 0
    refused: list[FileUnreadable] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal cells, rows, depth
        depth += 1
        if depth > 100:
            refused.append(FileUnreadable())
        if most_rows is None:
            return
        tag = name.rpartition(":")[2]
        if tag == "row":
            cells, rows = 0, rows + 1
            place = attributes.get("r", "1")
            if not place.isdecimal() or len(place) > 7 or int(place) > SHEET_ROWS:
                refused.append(FileUnreadable())
            if rows > most_rows + 1:
                refused.append(FileTooLong(most=most_rows))
        elif tag == "c":
            cells += 1
            if cells > most_columns:
                refused.append(FileTooWide(most=most_columns))

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_about: Any) -> None:
        refused.append(FileUnreadable())

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.StartDoctypeDeclHandler = doctype
    while part := source.read(CHUNK):
        parser.Parse(part, False)
        if refused:
            raise refused[0]
    parser.Parse(b"", True)
    if refused:
        raise refused[0]
