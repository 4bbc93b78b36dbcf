"""PDF in every script the interface speaks: shaped, and mirrored where people read from right to left."""

from __future__ import annotations

from typing import BinaryIO

from babel import Locale, UnknownLocaleError

from core.export.table import Table
from core.i18n import SOURCE


def write_pdf(table: Table, file: BinaryIO, *, locale: str | None) -> None:
    """Write ``table`` as A4 pages to a binary ``file``, with numbers and dates as ``locale`` has them (UTC).

    Right-to-left languages mirror the table. Long text is cut to 300 letters. The glyphs are those of DejaVu Sans and
    simplified Chinese Noto Sans; of the fonts only what is used goes into the file. Raises TooLongForPdf.
    """
    from core.export.paper import Paper

    paper = Paper(table, _locale(locale))
    paper.draw()
    paper.output(file)


def _locale(name: str | None) -> Locale:
    try:
        return Locale.parse((name or SOURCE).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(SOURCE)
