"""What a page says in its reader's language: as Flask-Babel says it, but worked out once a process, not once a use.

A list of 25 rows shows some 300 texts, moments and figures. Flask-Babel asks for the language anew for each, and Babel
reads its patterns again. Here a request's language is found once, a text of a template is translated once, and a
pattern is taken apart once. A test holds each against Flask-Babel and Babel themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any

import flask_babel
from babel import Locale
from babel.dates import DateTimeFormat, format_date, get_datetime_format, get_time_format
from flask import Flask, g
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

MOST = 5000  # kept of a kind and language; then it begins anew
BIGGEST = 10**6
FORMATS = ("short", "medium", "long")
PART = re.compile(r"%\((\w+)\)s")
# What each letter of a pattern (Unicode TR 35) depends on; a pattern with any other is left to Babel.
DEPENDS = {**dict.fromkeys("hHkKa", "hour"), "m": "minute", "s": "second", "z": "nothing"}
COUNTS = {"hour": 24, "minute": 60, "second": 60, "nothing": 1}


class Language:
    """One language of one application: its messages, and what was made of them."""

    def __init__(self, locale: Locale, messages: Any) -> None:
        self.locale, self.messages = locale, messages
        self.texts: dict[str, Markup] = {}
        self.numbers: dict[int, str] = {}
        self._days: dict[tuple[str, date], str] = {}
        self._clocks: dict[str, Callable[[datetime], str] | None] = {}
        self._joints: dict[str, str] = {}

    def text(self, text: str) -> Markup:
        """A text of a template, as markup; ``%%`` in it is one percent sign."""
        made = self.texts.get(text)
        if made is None:
            made = Markup(self.messages.ugettext(text)) % {}
            _keep(self.texts, text, made)
        return made

    def moment(self, at: datetime, format: Any) -> str | None:
        """``at``, which is in UTC; None where the language's pattern is beyond us."""
        if format not in self._clocks:
            self._clocks[format] = _clock(self.locale, format)
            self._joints[format] = str(get_datetime_format(format, locale=self.locale)).replace("'", "")
        clock = self._clocks[format]
        if clock is None:
            return None
        day = at.date()
        said = self._days.get((format, day))
        if said is None:
            said = format_date(day, format, locale=self.locale)
            _keep(self._days, (format, day), said)
        return self._joints[format].replace("{0}", clock(at)).replace("{1}", said)


class Messages(flask_babel.Domain):  # type: ignore[misc]
    """The catalogues of an application, and its languages."""

    def __init__(self) -> None:
        super().__init__()
        self._languages: dict[str, Language] = {}

    def language(self) -> Language | None:
        """The language of the present request, as Flask-Babel has chosen or been told it; None outside of one."""
        about: SimpleNamespace | None = g.get("_flask_babel") if g else None
        if about is not None:
            kept: tuple[Any, Language] | None = getattr(about, "guildhall_language", None)
            if kept is not None and kept[0] is getattr(about, "babel_locale", None):
                return kept[1]
        locale = flask_babel.get_locale()
        if locale is None:
            return None
        name = str(locale)
        if name not in self._languages:
            self._languages[name] = Language(locale, super().get_translations())
        g._flask_babel.guildhall_language = locale, self._languages[name]
        return self._languages[name]

    def get_translations(self) -> Any:
        found = self.language()
        return super().get_translations() if found is None else found.messages


def install(app: Flask) -> None:
    """Take the place of Flask-Babel's functions in templates, and of its domain everywhere. Call after its set-up."""
    messages = Messages()
    app.extensions["babel"].instance.domain_instance = messages
    plain_number = app.jinja_env.filters["decimalformat"]

    @pass_eval_context
    def say(context: EvalContext, text: Any, /, **values: Any) -> Any:
        language = messages.language()
        if type(text) is str and not values and context.autoescape and language is not None:
            return language.text(text)
        said = messages.gettext(text)
        return (Markup(said) if context.autoescape else said) % values

    def moment(at: Any = None, format: str | None = None, rebase: bool = True) -> str:
        language = messages.language() if isinstance(at, datetime) and rebase and format in FORMATS else None
        if language is not None and str(flask_babel.get_timezone()) == "UTC":
            at_utc = at.astimezone(UTC) if at.tzinfo is not None else at
            said = language.moment(at_utc, str(format))
            if said is not None:
                return said
        return str(flask_babel.format_datetime(at, format, rebase))

    def number(value: Any, *arguments: Any, **named: Any) -> str:
        language = messages.language() if type(value) is int and not arguments and not named else None
        if language is None or abs(value) >= BIGGEST:
            return str(plain_number(value, *arguments, **named))
        if value not in language.numbers:
            _keep(language.numbers, value, str(plain_number(value)))
        return language.numbers[value]

    app.jinja_env.globals.update(_=say, gettext=say)
    app.jinja_env.filters.update(datetimeformat=moment, decimalformat=number)


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if len(kept) >= MOST:
        kept.clear()
    kept[key] = value


def _clock(locale: Locale, format: Any) -> Callable[[datetime], str] | None:
    """A function that says the time of day in UTC by the locale's pattern; None where the pattern asks for more."""
    pattern = str(get_time_format(format, locale=locale).format)
    symbols = PART.findall(pattern)
    if any(symbol[0] not in DEPENDS for symbol in symbols):
        return None
    parts = [(DEPENDS[symbol[0]], _table(locale, symbol)) for symbol in symbols]
    shape = PART.sub("%s", pattern)

    def say_time(at: datetime) -> str:
        now = {"hour": at.hour, "minute": at.minute, "second": at.second, "nothing": 0}
        return shape % tuple(table[now[unit]] for unit, table in parts)

    return say_time


def _table(locale: Locale, symbol: str) -> list[str]:
    unit = DEPENDS[symbol[0]]
    moments = [time(**({} if unit == "nothing" else {unit: n}), tzinfo=UTC) for n in range(COUNTS[unit])]
    return [str(DateTimeFormat(one, locale, date(2026, 1, 1))[symbol]) for one in moments]
