"""A table on paper: fonts, widths, lines and pages. Imported by the first PDF: fpdf2 takes most of a second to load."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from core.clock import now
from core.errors import Invalid
from core.export.table import Column, Table
from core.i18n import _

FONTS = Path(__file__).parent / "fonts"
LETTERS = FONTS / "dejavu-fonts-ttf-2.37.3" / "DejaVuSans.ttf"
CHINESE = FONTS / "fontsource-noto-sans-sc-5.3.0" / "noto-sans-sc.woff2"
IDEOGRAPHS = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
# Latin, Greek, Cyrillic, punctuation, currency signs and ideographs look the same unshaped, and are drawn faster.
PLAIN = re.compile("[\u0000-\u024f\u0370-\u052f\u2010-\u2027\u202f-\u205e\u20a0-\u20bf\u2e80-\u9fff\uf900-\ufaff]*")
UNSEEN = re.compile("[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")

MOST_ROWS = 5_000
CELL_LENGTH = 300
MANY_COLUMNS = 6
NARROW = 16.0
MARGIN, SIZE, LINE, PAD = 12.0, 8.5, 4.4, 1.4


class TooLongForPdf(Invalid):
    """The table has more rows than people leaf through; ``MOST_ROWS``."""

    code = "TOO_LONG_FOR_PDF"
    sentence = _("A PDF holds at most {most} rows. Ask for a shorter period, or take CSV or XLSX.")


class Paper(FPDF):
    """A table on paper. A row is drawn once its height is known, and never broken over two pages."""

    def __init__(self, table: Table, locale: Locale) -> None:
        self.told, self.locale = table, locale
        self.mirrored = locale.text_direction == "rtl"
        super().__init__("landscape" if len(table.columns) > MANY_COLUMNS else "portrait", "mm", "A4")
        self.set_title(table.title)
        self.set_lang(str(locale).replace("_", "-"))
        self.set_creation_date(now())
        self.set_margin(MARGIN)
        self.set_auto_page_break(False)
        self.add_font("letters", fname=LETTERS)
        rows: list[list[str]] = []
        for row in table.rows:
            if len(rows) == MOST_ROWS:
                raise TooLongForPdf(most=MOST_ROWS)
            rows.append(self.cells(row))
        self.rows = rows
        self.total = self.cells(table.total) if table.total else []
        self.heads = [column.label for column in table.columns]
        said = [table.title, table.subtitle, *self.heads, *self.total, *(cell for row in rows for cell in row)]
        if any(IDEOGRAPHS.search(text) for text in said):
            self.add_font("ideographs", fname=CHINESE)
            self.set_fallback_fonts(["ideographs"], exact_match=False)
        self.set_font("letters", size=SIZE)
        self.widths = self.measured()

    def cells(self, row: Sequence[Any]) -> list[str]:
        """A row as people read it."""
        return [self.cell_text(column, value) for column, value in zip(self.told.columns, row, strict=True)]

    def cell_text(self, column: Column, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            digits = max(0, -int(value.as_tuple().exponent)) if isinstance(value, Decimal) else 0  # 2.50 stays 2.50
            whole = self.locale.decimal_formats[None].pattern.partition(".")[0]
            pattern = f"{whole}.{'0' * digits}" if digits else whole
            return str(format_decimal(value, pattern, locale=self.locale, decimal_quantization=False))
        if isinstance(value, datetime):
            return str(format_datetime(value.astimezone(UTC), "short", locale=self.locale))
        if isinstance(value, date):
            return str(format_date(value, "medium", locale=self.locale))
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
        text = UNSEEN.sub(" ", text)
        return text if len(text) <= CELL_LENGTH else f"{text[: CELL_LENGTH - 1]}…"

    def shape(self, text: str) -> None:
        """Shape what needs it: joining scripts and mixed directions."""
        self.set_text_shaping(PLAIN.fullmatch(text) is None)

    def measured(self) -> list[float]:
        """Widths that fit the page: what each column wants, the widest giving way first."""
        wanted = []
        for number in range(len(self.heads)):
            longest = sorted({row[number] for row in [*self.rows, self.total, self.heads] if row}, key=len)[-5:]
            widest = NARROW
            for text in longest:
                self.shape(text)
                widest = max(widest, *(self.get_string_width(line) + 2 * PAD + 2 for line in text.split("\n")))
            wanted.append(widest)
        room = self.w - 2 * MARGIN
        ceiling = max(wanted, default=room)
        while sum(min(width, ceiling) for width in wanted) > room and ceiling > 4:
            ceiling *= 0.97
        fitted = [min(width, ceiling) for width in wanted]
        spare = room - sum(fitted)
        return [width + spare * width / sum(fitted) for width in fitted]

    def header(self) -> None:
        """The title on the first page, the headings of the columns on each."""
        start = "R" if self.mirrored else "L"
        self.set_text_color(30, 41, 59)
        if self.page_no() == 1:
            for text, size, height in ((self.told.title, 16, 8), (self.told.subtitle, 9.5, 6)):
                if text:
                    self.set_font_size(size)
                    self.shape(text)
                    self.multi_cell(0, height, text, align=start, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.ln(3)
        self.set_font_size(SIZE)
        self.row(self.heads, fill=(241, 245, 249))

    def footer(self) -> None:
        """The page of how many."""
        self.set_y(-MARGIN)
        self.set_text_color(100, 116, 139)
        self.set_text_shaping(False)
        self.cell(0, LINE, f"{self.page_no()} / {{nb}}", align="C")

    def draw(self) -> None:
        """Draw every row."""
        self.add_page()
        for row in self.rows:
            self.row(row)
        if self.total:
            self.row(self.total, fill=(248, 250, 252))

    def row(self, cells: Sequence[str], fill: tuple[int, int, int] | None = None) -> None:
        """Draw a row where there is room for it, with a hairline beneath."""
        lines: list[list[str]] = []
        for text, width in zip(cells, self.widths, strict=True):
            self.shape(text)
            if "\n" not in text and self.get_string_width(text) <= width - 2 * PAD - 2:
                lines.append([text])
            else:
                broken = self.multi_cell(width - 2 * PAD, LINE, text, align="L", dry_run=True, output="LINES")
                lines.append(cast("list[str]", broken))
        height = LINE * max(map(len, lines)) + 2 * PAD
        if self.y + height > self.h - MARGIN - LINE and cells is not self.heads:
            self.add_page()
        top, at = self.y, MARGIN
        if fill:
            self.set_fill_color(*fill)
            self.rect(MARGIN, top, self.w - 2 * MARGIN, height, style="F")
        order = range(len(cells))
        for number in reversed(order) if self.mirrored else order:
            ends = self.told.columns[number].kind in ("integer", "decimal")
            align = "L" if ends == self.mirrored else "R"
            for count, line in enumerate(lines[number]):
                self.shape(line)
                self.set_xy(at + PAD, top + PAD + count * LINE)
                self.cell(self.widths[number] - 2 * PAD, LINE, line, align=align)
            at += self.widths[number]
        self.set_draw_color(226, 232, 240)
        self.set_line_width(0.2)
        self.line(MARGIN, top + height, self.w - MARGIN, top + height)
        self.set_xy(MARGIN, top + height)
