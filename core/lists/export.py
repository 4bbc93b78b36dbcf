"""A list as a file: what its state shows, in its columns and order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Literal

from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.content_languages import reader_language, text_for_reader
from core.errors import Limit
from core.export.table import Column, Kind, Table
from core.export.xlsx import write_xlsx
from core.i18n import _
from core.lists.columns import people, value_of
from core.lists.reading import count, each
from core.lists.state import ListState
from core.resources import file_fields
from core.wording import column_label

EXPORT = "core:list:export"
Format = Literal["csv", "xlsx"]
SHEET = 1_048_575  # rows of a worksheet, without its heading
KINDS: dict[type, Kind] = {int: "integer", Decimal: "decimal", datetime: "instant", date: "date"}


class SheetFull(Limit):
    code = "SHEET_FULL"
    status = 422
    sentence = _("A worksheet holds 1,048,575 rows and this list has more. Filter it, or export it as CSV.")


def begin(session: Session, actor: Actor, state: ListState, columns: Sequence[str], format: Format) -> None:
    """Write into the trail that a list is handed out. Raises PermissionMissing. Then write its ``table``."""
    actor.require(EXPORT)
    state.conditions(actor)
    told = {"format": [None, format], "columns": [None, list(columns)]}
    told |= {
        one.name: [None, list(one.values)]
        for one in state.filters
        if state.bound.resource.columns_known[one.column].info.get("pii") is not True
    }
    record(session, actor, "core.list.exported", subject_type="core.list", subject_id=state.bound.key, changes=told)


def table(
    unit_of_work: Callable[[], AbstractContextManager[Session]],
    actor: Actor,
    state: ListState,
    columns: Sequence[str],
    most: int | None = None,
) -> Table:
    """The rows under headings in the reader's language; the key comes first, so that a row can be found again.

    ``most``: raises SheetFull, while the rows are read, when there are more.
    """
    bound, named = state.bound, people(state.bound, columns)
    keys = tuple(dict.fromkeys([bound.resource.key, *columns]))
    language = reader_language()  # while the request is there: rows are read when the answer is sent
    heads = [Column(label=gettext(column_label(bound.resource, key)), kind=_kind(state, key)) for key in keys]

    def rows() -> Iterator[list[Any]]:
        done = 0
        for found in each(unit_of_work, actor, state, columns):
            done += len(found.records)
            if most is not None and done > most:
                raise SheetFull()
            for one in found.records:
                values = [(key, _held(state, one, key, language)) for key in keys]
                yield [found.names.get(value, value) if key in named else _cell(value) for key, value in values]

    return Table(title=gettext(bound.label_plural), columns=heads, rows=rows())


def xlsx(made: Table) -> IO[bytes]:
    """The table as a workbook in a temporary file, which goes when it is closed. Raises SheetFull."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        write_xlsx(made, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def too_long(session: Session, actor: Actor, state: ListState) -> bool:
    """Whether more than a worksheet's rows match; quick where there are few."""
    return count(session, actor, state, SHEET + 1) > SHEET


def _kind(state: ListState, key: str) -> Kind:
    column = state.bound.resource.columns_known.get(key)
    if column is None:
        return "text"
    return KINDS.get(column.type.python_type, "text")


def _held(state: ListState, record: Any, key: str, language: str) -> Any:
    """What a record holds in a column; of a file its name, of a text the reader's."""
    if key in state.bound.resource.translated:
        return text_for_reader(record, key, language)
    if key not in state.bound.resource.files:
        return value_of(record, key)
    file = file_fields.shown(record, key)
    return file["name"] if file else None


def _cell(value: Any) -> Any:
    """A flag as JSON writes it; what is no plain value by what it calls itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
