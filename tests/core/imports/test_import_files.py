"""Files as strangers save them: whatever they are, they become rows or a refusal, and take no more memory than that."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from core.errors import DomainError
from core.imports import xlsx_file
from core.imports.errors import (
    FileTooWide,
    FileUnpacked,
    FileUnreadable,
    NoHeader,
    RowNotText,
    RowTooLong,
    RowTooWide,
    RowUnclosed,
)
from core.imports.table import Line, Sheet, open_sheet


def sheet(tmp_path: Path, content: bytes, format: str = "csv") -> Sheet:
    path = tmp_path / f"file.{format}"
    path.write_bytes(content)
    return open_sheet(path, format)


def rows(found: Sheet) -> list[tuple[int, Any]]:
    return [(one.number, type(one.problem) if one.problem else one.cells) for one in found.lines()]


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
@pytest.mark.parametrize("begin", ["", "\ufeff"], ids=["plain", "marked"])
def test_separator_line_end_and_mark_are_found_out(tmp_path: Path, separator: str, end: str, begin: str) -> None:
    lines = [separator.join(one) for one in (["name", "what"], ["Ada", "é"], ["", ""], ["Bo", "x"])]
    found = sheet(tmp_path, (begin + end.join(lines)).encode())
    assert found.header == ("name", "what")
    assert rows(found) == [(2, ("Ada", "é")), (4, ("Bo", "x"))]


def test_the_line_that_excel_writes_about_the_separator_is_no_header(tmp_path: Path) -> None:
    found = sheet(tmp_path, b"sep=;\r\na;b\r\n1,5;2\r\n")
    assert (found.header, found.separator, rows(found)) == (("a", "b"), ";", [(3, ("1,5", "2"))])


def test_a_cell_may_hold_lines_separators_and_quotation_marks(tmp_path: Path) -> None:
    found = sheet(tmp_path, b'a,b\n"one\ntwo, ""three""",x\n5" pipe,y\n')
    assert rows(found) == [(2, ('one\ntwo, "three"', "x")), (4, ('5" pipe', "y"))]


def test_a_guard_before_a_formula_is_taken_away(tmp_path: Path) -> None:
    assert rows(sheet(tmp_path, b"a,b\n'=1+1,'plain\n")) == [(2, ("=1+1", "'plain"))]


def test_an_open_quotation_mark_costs_only_its_row(tmp_path: Path) -> None:
    found = sheet(tmp_path, b'a,b\n"open,1\nfine,2\n"x"y,3\nfine,4\n')
    assert rows(found) == [(2, RowUnclosed), (3, ("fine", "2")), (4, RowUnclosed), (5, ("fine", "4"))]


def test_bad_rows_are_refused_one_by_one(tmp_path: Path) -> None:
    content = b"a,b\n1,2,3\n\xe9,1\n1\0,2\n" + b"x" * 300_000 + b"\n1\nlast,row"
    assert rows(sheet(tmp_path, content)) == [
        (2, RowTooWide),
        (3, RowNotText),
        (4, RowNotText),
        (5, RowTooLong),
        (6, ("1", None)),
        (7, ("last", "row")),
    ]


def test_a_row_of_ten_megabytes_takes_no_memory(tmp_path: Path) -> None:
    found = sheet(tmp_path, b"a,b\n" + b'"' + b"x" * 10_000_000 + b"\nfine,1\n")
    tracemalloc.start()
    assert rows(found) == [(2, RowTooLong), (3, ("fine", "1"))]
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_columns_are_told_apart(tmp_path: Path) -> None:
    found = sheet(tmp_path, b"Name,Name,,name,\n1,2,3,4,5\n")
    assert found.header == ("Name", "Name (2)", "Column 3", "name")
    assert rows(found) == [(2, RowTooWide)]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", NoHeader),
        (b"\n\n", NoHeader),
        (b",,,\n", NoHeader),
        (("\ufeffa,b\n").encode("utf-16"), FileUnreadable),
        (b"\x89PNG\r\n\x1a\n\x00\x00", FileUnreadable),
        (b'"a,b\n', FileUnreadable),
        (",".join(f"c{number}" for number in range(5000)).encode(), FileTooWide),
    ],
    ids=["empty", "blank", "nameless", "utf-16", "picture", "open", "wide"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        sheet(tmp_path, content)


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=60)
def test_whatever_is_sent_is_rows_or_a_refusal(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for format in ("csv", "xlsx"):
        try:
            found = sheet(folder, content, format)
        except FileUnreadable:
            continue
        assert all(
            isinstance(one, Line) and (one.problem or len(one.cells) == len(found.header)) for one in found.lines()
        )


def workbook(*rows: Any) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def packed(content: bytes, part: str, text: bytes) -> bytes:
    """A workbook with other content in one part."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            new.writestr(one.filename, text if one.filename == part else old.read(one))
    return made.getvalue()


def test_a_workbook_has_typed_cells(tmp_path: Path) -> None:
    at = datetime(2026, 5, 31, 14, 30)
    content = workbook(["a", "b", "c", "d"], ["x", 3, 2.5, date(2026, 5, 31)], [], [True, at, None, "#N/A"])
    first, second = rows(sheet(tmp_path, content, "xlsx"))
    assert first == (2, ("x", 3, 2.5, datetime(2026, 5, 31)))
    assert second == (4, (True, at, None, "#N/A"))


def test_a_formula_is_what_it_was_when_it_was_saved(tmp_path: Path) -> None:
    part = "xl/worksheets/sheet1.xml"
    text = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1"/><sheetData>'
        b'<row r="1"><c r="A1" t="str"><v>sum</v></c><c r="B1" t="str"><v>x</v></c></row>'
        b'<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2"><f>NOW()</f></c></row></sheetData></worksheet>'
    )
    assert rows(sheet(tmp_path, packed(workbook(["x"]), part, text), "xlsx")) == [(2, (2, None))]


def test_hostile_workbooks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MOST_UNPACKED", 3_000_000)
    part, plain = "xl/worksheets/sheet1.xml", workbook(["a"], ["b"])
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    wide = head + b'<row r="1">' + b"<c><v>1</v></c>" * 600 + b"</row></sheetData></worksheet>"
    far = head + b'<row r="999999999"><c><v>1</v></c></row></sheetData></worksheet>'
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + head + b"</sheetData></worksheet>"
    huge = head + b" " * 3_100_000
    cases = [(wide, FileTooWide), (far, FileUnreadable), (bomb, FileUnreadable), (b"<nothing", FileUnreadable)]
    for text, refusal in [*cases, (huge, FileUnpacked)]:
        with pytest.raises(refusal):
            sheet(tmp_path, packed(plain, part, text), "xlsx")
    with pytest.raises(FileUnreadable):
        sheet(tmp_path, b"PK\x03\x04 and no more", "xlsx")
