"""The rows that were not taken, as a CSV file that says why: to be mended and sent again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from core.export.csv import csv_cell
from core.i18n import _
from core.imports import service
from core.imports.cells import text_of
from core.imports.models import Import, ImportProblem
from core.imports.table import Line
from core.resources.resource import BoundResource
from core.wording import column_label

MARK = "\ufeff"  # without it Excel takes the file for one of the local code page


def sentences(
    bound: BoundResource, problems: Sequence[ImportProblem], say: Callable[[str], str]
) -> list[tuple[str, str]]:
    """What is wrong with one row: the field's label ("" for the row) and a sentence, in the language of ``say``."""
    found = []
    for one in problems:
        known = one.field in bound.resource.columns_of_model
        label = say(column_label(bound.resource, one.field)) if known else one.field.replace("_", " ")
        text = say(one.sentence)
        found.append((label, text.format(**one.params) if one.params else text))
    return found


def failed_lines(session: Session, row: Import, bound: BoundResource, say: Callable[[str], str]) -> Iterator[str]:
    """The header and the rows with problems as they came, each with why; no cell is a formula.

    A row that could not be read at all is empty but for its number and the reason. Raises ImportFileForgotten.
    """
    query = service.problems(row, "tried" if service.step_of(row) == "tried" else "done")
    query = query.order_by(ImportProblem.line, ImportProblem.field)
    with service.opened(session, row) as sheet:
        why = say(_("Problem"))
        width = len(sheet.header) - 1 if sheet.header[-1] == why else len(sheet.header)  # of a file mended before
        yield MARK + _line([*sheet.header[:width], why], sheet.separator)
        lines = sheet.lines()
        found = session.scalars(query.execution_options(yield_per=1000))
        for number, wrong in groupby(found, lambda one: one.line):
            told = [f"{label}: {text}" if label else text for label, text in sentences(bound, list(wrong), say)]
            line = next((one for one in lines if one.number == number), Line(number))
            cells = [text_of(cell) for cell in line.cells[:width]] or [""] * width
            if not line.cells:
                told = [f"{say(_('Row {number}')).format(number=number)}: {text}" for text in told]
            yield _line([*cells, " ".join(told)], sheet.separator)


def _line(cells: Sequence[Any], separator: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=separator).writerow([csv_cell(cell) for cell in cells])
    return line.getvalue()
