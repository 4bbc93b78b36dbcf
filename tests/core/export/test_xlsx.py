"""A workbook holds numbers and dates, and nothing that runs."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from core.export import xlsx
from core.export.table import Column, Table
from core.export.xlsx import write_xlsx


def book(table: Table) -> Any:
    file = io.BytesIO()
    write_xlsx(table, file)
    return openpyxl.load_workbook(file)


COLUMNS = (
    Column(label="Name"),
    Column(label="Points", kind="integer"),
    Column(label="Rate", kind="decimal"),
    Column(label="At", kind="instant"),
    Column(label="Day", kind="date"),
)


def test_cells_are_what_they_are() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = [("é", -7, Decimal("1.25"), at, date(2026, 1, 2)), (None, None, None, None, None)]
    sheet = book(Table(title="T", columns=COLUMNS, rows=iter(rows), total=("All", -7, None, None, None))).active
    told = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert told[0] == [column.label for column in COLUMNS]
    assert told[1] == ["é", -7, 1.25, datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2)]
    assert told[2] == [None] * 5
    assert told[3][:2] == ["All", -7] and sheet["A4"].font.bold
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "{=1}", "https://example.test", "+1", "\x07bell"])
def test_text_is_never_a_formula_or_a_link(text: str) -> None:
    cell = book(Table(title="T", columns=COLUMNS[:1], rows=[(text,)])).active["A2"]
    assert cell.data_type == "s" and cell.hyperlink is None


def test_a_number_that_a_spreadsheet_would_round_is_text() -> None:
    sheet = book(Table(title="T", columns=COLUMNS[1:2], rows=[(123456789012345678,), (10**20,)])).active
    assert [sheet["A2"].value, sheet["A3"].value] == ["123456789012345678", 1e20]


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 4)
    told = book(Table(title="T", columns=COLUMNS[1:2], rows=((n,) for n in range(6)), total=(15,)))
    assert [[row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] for sheet in told] == [
        [0, 1, 2],
        [3, 4, 5],
        [15],
    ]


def test_wide_text_widens_its_column_within_reason() -> None:
    widths = book(Table(title="T", columns=COLUMNS[:2], rows=[("x" * 500, 1)])).active.column_dimensions
    assert widths["A"].width > 50 and widths["B"].width < 12
