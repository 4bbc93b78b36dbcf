"""A PDF reads back as what was told, in every script of the interface."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pypdf import PdfReader

from core.export import paper
from core.export.paper import TooLongForPdf
from core.export.pdf import write_pdf
from core.export.table import Column, Table

NAMES = (Column(label="Name"), Column(label="Points", kind="integer"))


def read(table: Table, locale: str | None = "en") -> PdfReader:
    file = io.BytesIO()
    write_pdf(table, file, locale=locale)
    return PdfReader(file)


def test_title_period_and_cells_are_told_as_the_language_has_them() -> None:
    columns = (
        *NAMES,
        Column(label="Rate", kind="decimal"),
        Column(label="At", kind="instant"),
        Column(label="Day", kind="date"),
    )
    row = ("Zoë Ωμέγα Жук", 1234567, Decimal("0.50"), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), date(2026, 1, 2))
    told = read(Table(title="By type", subtitle="in January", columns=columns, rows=[row]), "de")
    text = told.pages[0].extract_text()
    for part in ("By type", "in January", "Zoë Ωμέγα Жук", "1.234.567", "0,50", "02.01.26", "02.01.2026", "1 / 1"):
        assert part in text
    assert told.metadata is not None and told.metadata.title == "By type"


def test_each_page_has_the_headings_and_its_number() -> None:
    told = read(Table(title="Long", columns=NAMES, rows=((f"m{n}", n) for n in range(120)), total=("All", 7140)))
    texts = [page.extract_text() for page in told.pages]
    assert len(texts) > 2 and all("Points" in text for text in texts)
    assert f"2 / {len(texts)}" in texts[1] and "7,140" in texts[-1]
    assert sum(text.count("\nm") for text in texts) == 120


def places(told: PdfReader) -> dict[str, float]:
    found: dict[str, float] = {}
    told.pages[0].extract_text(visitor_text=lambda text, _cm, tm, *_: found.setdefault(text.strip(), tm[4]))
    return found


def test_arabic_mirrors_the_table() -> None:
    table = Table(title="T", columns=NAMES, rows=[("abc", 42)])
    left, right = places(read(table, "en")), places(read(table, "ar"))
    assert left["abc"] < left["42"] and right["abc"] > right["42"]


def test_arabic_letters_are_joined_and_chinese_is_drawn() -> None:
    told = read(Table(title="T", columns=NAMES, rows=[("مرحبا", 1), ("你好", 2)]), "zh_Hans")
    assert "你好" in told.pages[0].extract_text()
    fonts = {str(font.get_object()["/BaseFont"]) for font in told.pages[0]["/Resources"]["/Font"].values()}  # type: ignore[index]
    assert any("NotoSansSC" in font for font in fonts) and any("DejaVu" in font for font in fonts)


def test_the_chinese_font_stays_out_of_what_has_none() -> None:
    file = io.BytesIO()
    write_pdf(Table(title="T", columns=NAMES, rows=[("abc", 1)]), file, locale=None)
    assert len(file.getvalue()) < 40_000


def test_too_many_rows_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "MOST_ROWS", 3)
    with pytest.raises(TooLongForPdf) as refused:
        read(Table(title="T", columns=NAMES, rows=(("m", n) for n in range(4))))
    assert refused.value.params == {"most": 3} and "CSV" in refused.value.message


@pytest.mark.parametrize("text", ["", "\n\n", "a\u202eb", "\x00", "x" * 5000, "😀", "no-such-glyph ꙮ"])
def test_any_text_can_be_written(text: str) -> None:
    assert len(read(Table(title=text, columns=NAMES, rows=[(text, None)])).pages) >= 1


def test_an_empty_table_is_its_headings() -> None:
    assert "Points" in read(Table(title="T", columns=NAMES, rows=[]), "xx").pages[0].extract_text()
