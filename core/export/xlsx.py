"""XLSX written row by row: a workbook of a million rows takes no more memory than one of ten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

from core.export.table import Column, Table

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

SHEET_ROWS = 1_048_576
CELL_LENGTH = 32_767
EXACT_DIGITS = 15
WIDTHS = (8, 60)


def write_xlsx(table: Table, file: BinaryIO) -> None:
    """Write ``table`` as a workbook to a binary ``file``.

    Numbers are numbers and dates are dates, instants in UTC; a number of more than 15 digits, which a spreadsheet
    would round, is text. No text is ever a formula or a link. A total is the bold last row. What one sheet cannot
    hold goes on in the next.
    """
    from xlsxwriter import Workbook

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(file, options) as book:
        book.set_properties({"title": table.title, "comments": table.subtitle})
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        plain = [book.add_format(_look(column)) for column in table.columns]
        bold = [book.add_format({**_look(column), "bold": True, "top": 1}) for column in table.columns]
        widths = [_width(column.label) for column in table.columns]
        sheet, at = _sheet(book, table, head), 1
        sheets = [sheet]
        for row in table.rows:
            if at == SHEET_ROWS:
                sheet, at = _sheet(book, table, head), 1
                sheets.append(sheet)
            _write(sheet, at, row, plain, widths)
            at += 1
        if table.total:
            if at == SHEET_ROWS:
                sheet, at = _sheet(book, table, head), 1
                sheets.append(sheet)
            _write(sheet, at, table.total, bold, widths)
        for each in sheets:
            for number, width in enumerate(widths):
                each.set_column(number, number, width)


def _sheet(book: Workbook, table: Table, head: Format) -> Worksheet:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    for number, column in enumerate(table.columns):
        sheet.write_string(0, number, column.label, head)
    return sheet


def _look(column: Column) -> dict[str, Any]:
    formats = {"integer": "#,##0", "instant": "yyyy-mm-dd hh:mm:ss", "date": "yyyy-mm-dd"}
    return {"num_format": formats.get(column.kind, "General")}


def _width(text: str) -> int:
    return min(max(max(map(len, text.split("\n"))) + 2, WIDTHS[0]), WIDTHS[1])


def _write(sheet: Worksheet, at: int, row: Sequence[Any], formats: Sequence[Format], widths: list[int]) -> None:
    for number, (value, look) in enumerate(zip(row, formats, strict=True)):
        if value is None:
            sheet.write_blank(at, number, None, look)
            continue
        if isinstance(value, (datetime, date)):
            text = value.isoformat(sep=" ")[:19] if isinstance(value, datetime) else value.isoformat()
            sheet.write_datetime(at, number, _naive(value), look)
        elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
            if len(Decimal(value).normalize().as_tuple().digits) > EXACT_DIGITS:
                sheet.write_string(at, number, f"{value:f}" if isinstance(value, Decimal) else str(value), look)
            else:
                sheet.write_number(at, number, value, look)
        else:
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
            sheet.write_string(at, number, text[:CELL_LENGTH], look)
        widths[number] = max(widths[number], _width(text))


def _naive(value: date | datetime) -> date | datetime:
    """A spreadsheet knows no zone: instants are told in UTC."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
