"""CSV as RFC 4180 has it, with no cell that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import rfc3339
from core.export.table import Table

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def csv_cell(value: Any) -> str:
    """A cell of any value. Text that begins like a formula gets an apostrophe before it (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_line(cells: Iterable[Any]) -> str:
    """One line of made cells, with its line end."""
    line = io.StringIO()
    csv.writer(line).writerow([csv_cell(cell) for cell in cells])
    return line.getvalue()


def csv_lines(table: Table) -> Iterator[str]:
    """The heading, then a line per row, as they come."""
    yield csv_line(column.label for column in table.columns)
    for row in table.rows:
        yield csv_line(row)
