"""A cell as the value that REST would be sent for its column. What it cannot be is said in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core.clock import rfc3339
from core.db.base import Units
from core.errors import Invalid
from core.i18n import Catalogues, _
from core.imports.xlsx_file import ERRORS
from core.resources.resource import BoundResource
from core.rest.body import read_json
from core.wording import words

TRUE = frozenset({"true", "yes", "y", "1", "on", "x", "✓"})
FALSE = frozenset({"false", "no", "n", "0", "off", "-"})
WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
NUMBER = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?")
COMMA = re.compile(r"[+-]?([0-9]{1,3}([. \u00a0\u202f][0-9]{3})+|[0-9]{1,60}),[0-9]{1,60}")
DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
Reader = Callable[[Any], Any]


class NoValue(ValueError):
    """A cell that cannot be a value of its column; its text is marked by ``_``."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def text_of(value: Any) -> str:
    """A cell as text, a number or a date of a workbook as a person would write it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def readers(session: Session, bound: BoundResource, names: Sequence[str], decimal_comma: bool) -> dict[str, Reader]:
    """For each field what reads its cells; raises NoValue. References stay text: they are found by the chunk."""
    return {name: _reader(session, bound, name, decimal_comma) for name in names}


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _reader(session: Session, bound: BoundResource, name: str, decimal_comma: bool) -> Reader:
    column = bound.resource.columns_of_model[name]
    kind = column.type
    if column.foreign_keys or isinstance(kind, sa.Uuid):
        return _stripped
    if offered := bound.resource.choices.get(name):
        return _chosen(_said(session, [(str(value), str(label)) for value, label in offered(session)]))
    values = getattr(kind, "enums", None) or column.info.get("choices") or bound.resource.states.get(name)
    if values:
        return _chosen(_said(session, [(str(value), words(value)) for value in values]))
    if isinstance(kind, sa.Boolean):
        return _flags(session)
    if isinstance(kind, Units):
        return lambda value: str(_whole(value))
    if isinstance(kind, sa.Integer):
        return _whole
    if isinstance(kind, sa.Numeric):
        return lambda value: _decimal(value, decimal_comma)
    if isinstance(kind, sa.DateTime):
        return lambda value: rfc3339(_moment(value))
    if isinstance(kind, sa.Date):
        return _day
    if isinstance(kind, (sa.JSON, JSONB)):
        return _json
    if isinstance(kind, sa.Text):
        return _no_error
    return _stripped


def _no_error(value: Any) -> str:
    text = text_of(value)
    if text in ERRORS:
        raise NoValue(_("The cell holds an error of the spreadsheet."))
    return text


def _stripped(value: Any) -> str:
    return _no_error(value).strip()


def _said(session: Session, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Values by themselves and by their labels in every language."""
    catalogues: Catalogues = session.info["catalogues"]
    found: dict[str, str] = {}
    for value, label in pairs:
        for language in catalogues.languages:
            found.setdefault(catalogues.of(language).gettext(label).casefold(), value)
        found.setdefault(label.casefold(), value)
    return {**found, **{value.casefold(): value for value, _label in pairs}}


def _chosen(values: Mapping[str, str]) -> Reader:
    def read(value: Any) -> str:
        text = _stripped(value)
        if text.casefold() not in values:
            raise NoValue(_("This is none of the values that can be chosen."))
        return values[text.casefold()]

    return read


def _flags(session: Session) -> Reader:
    catalogues: Catalogues = session.info["catalogues"]
    said = [catalogues.of(language).gettext for language in catalogues.languages]
    yes, no = ({say(word).casefold() for say in said} for word in (_("Yes"), _("No")))
    yes, no = yes | TRUE, no | FALSE

    def read(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = _stripped(value).casefold()
        if text not in yes and text not in no:
            raise NoValue(_("Write yes or no."))
        return text in yes

    return read


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = _stripped(value).replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    if not WHOLE.fullmatch(text):
        raise NoValue(_("Write a whole number."))
    return int(text)


def _decimal(value: Any, decimal_comma: bool) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return format(Decimal(repr(value)), "f")
    text = _stripped(value)
    if decimal_comma and COMMA.fullmatch(text):
        text = re.sub(r"[. \u00a0\u202f]", "", text).replace(",", ".")
    text = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    if not NUMBER.fullmatch(text):
        raise NoValue(_("Write a number such as 12.5."))
    return text


def _moment(value: Any) -> datetime:
    """A moment; one without an offset is UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = _stripped(value)
    try:
        if dotted := DOTTED.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in dotted.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoValue(_("Write a time such as 2026-05-31 14:30.")) from None


def _day(value: Any) -> str:
    if isinstance(value, timedelta | time):
        raise NoValue(_("Write a date such as 2026-05-31."))
    try:
        return _moment(value).date().isoformat()
    except NoValue:
        raise NoValue(_("Write a date such as 2026-05-31.")) from None


def _json(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    try:
        return read_json(_no_error(value))
    except Invalid:
        raise NoValue(_("Write JSON, such as {} or [1, 2].")) from None
