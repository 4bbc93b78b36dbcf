"""What leaves as CSV is what a spreadsheet may open without running anything."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.export.csv import csv_cell, csv_lines
from core.export.table import Column, Table


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (-30, "-30"),
        (Decimal("-0.000001"), "-0.000001"),
        (True, "True"),
        ("=1+1", "'=1+1"),
        ("-30", "'-30"),
        ({"a": "é"}, '{"a": "é"}'),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00Z"),
    ],
)
def test_numbers_stay_numbers_and_formulas_become_text(value: Any, cell: str) -> None:
    assert csv_cell(value) == cell


def test_a_table_is_read_back_as_it_was() -> None:
    told = Table(title="T", columns=[Column(label="a,b"), Column(label="c")], rows=iter([('say "hi"\nthen', 1)]))
    assert list(csv.reader("".join(csv_lines(told)).splitlines(keepends=True))) == [
        ["a,b", "c"],
        ['say "hi"\nthen', "1"],
    ]
