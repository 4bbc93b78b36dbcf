"""Expressions that admins write, in CEL (the Common Expression Language): compiled once, and bounded.

See https://github.com/google/cel-spec for the language. It has no loops but its comprehensions, whose steps the engine
counts and stops, and its regular expressions take linear time. What else could make an expression long to compile or to
evaluate is refused before the engine sees it: ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from threading import Lock
from typing import Any
from uuid import UUID

from core.i18n import _

LONGEST = 1000  # characters of an expression
DEEPEST = 16  # brackets within brackets
MOST_COMPREHENSIONS = 4
LONGEST_TEXT = 4000  # characters of a text that an expression sees; what is longer is cut
MOST_ITEMS = 1000  # of a list or a map that an expression sees
DEEPEST_VALUE = 8
COMPREHENSIONS = frozenset(
    {"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap", "transformMapEntry"}
)
_TOKEN = re.compile(
    r"""
    (?P<raw>[bB]?[rR][bB]?(?:'{3}.*?'{3}|"{3}.*?"{3}|'[^'\n]*'|"[^"\n]*"))
    | (?P<text>[bB]?(?:'{3}(?:\\.|[^\\])*?'{3}|"{3}(?:\\.|[^\\])*?"{3}|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))
    | (?P<comment>//[^\n]*)
    | (?P<number>[0-9][0-9A-Fa-fxX_.]*(?:[eE][+-]?[0-9]+)?[uU]?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<space>\s+) | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_EXPECTED = re.compile(r" expecting \{.*\}")
_WHERE = re.compile(r"^(?:INVALID_ARGUMENT: )?(?:ERROR: )?<input>:(\d+):(\d+): ")


class BadExpression(ValueError):
    """Why an expression cannot be used; ``line`` and ``column`` (from 1) where that is known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line, self.column = line, column
        super().__init__(message)


class Expressions:
    """Which variables expressions see: by name ``map`` (with text keys), ``text``, ``time`` or ``any``.

    An expression has at most ``longest`` characters; without ``nested`` no comprehension is inside of another.
    """

    def __init__(self, variables: Mapping[str, str], *, longest: int = LONGEST, nested: bool = False) -> None:
        self.variables = dict(variables)
        self.longest, self.nested = longest, nested
        self._made: Any = None
        self._lock = Lock()
        self._compiled = lru_cache(maxsize=2000)(self._compile)

    def compiled(self, text: str) -> Expression:
        """``text`` ready to be asked. Raises BadExpression."""
        return self._compiled(text)

    def condition(self, text: str) -> Expression:
        """As ``compiled``, of an expression that is true or false."""
        ready = self._compiled(text)
        if not ready.may_be_bool:
            raise BadExpression(_("It must come to true or false."))
        return ready

    def holds(self, text: str, values: Mapping[str, Any]) -> bool:
        """Whether a condition holds. What it asks for and is not there, or of another kind, makes it false.

        Raises BadExpression when it takes too long.
        """
        return self.condition(text).holds(values)

    def _compile(self, text: str) -> Expression:
        check(text, self.longest, nested=self.nested)
        with self._lock:
            if self._made is None:
                self._made = _made(tuple(self.variables.items()))
        try:
            return Expression(text, self._made.compile(text))
        except RuntimeError as problem:
            raise _bad(problem) from None


class Expression:
    """A compiled expression. It may be used by many threads."""

    def __init__(self, text: str, ready: Any) -> None:
        self.text = text
        self._ready = ready

    @property
    def may_be_bool(self) -> bool:
        cel = _cel()
        return self._ready.return_type() in (cel.Type.BOOL, cel.Type.DYN)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true; ``values`` are the variables as ``seen`` makes them. Raises BadExpression."""
        try:
            return self._ready.eval(data=values).value() is True
        except RuntimeError as problem:
            raise _bad(problem) from None

    def value(self, values: Mapping[str, Any]) -> Any:
        """What it comes to, as plain Python. Raises BadExpression, also for what is not there."""
        try:
            found = self._ready.eval(data=values)
            if found.type() == _cel().Type.ERROR:
                raise BadExpression(_first_line(str(found.value())))
            return found.plain_value()
        except RuntimeError as problem:
            raise _bad(problem) from None


def check(text: str, longest: int = LONGEST, *, nested: bool = False) -> None:
    """Refuse what would be long to compile or to evaluate, by one pass over the text. Raises BadExpression."""
    if len(text) > longest:
        raise BadExpression(_("It is longer than an expression may be."))
    opened: list[bool] = []  # whether each bracket that is open is a comprehension's
    comprehensions = 0
    before, word = "", ""
    for kind, token in _tokens(text):
        if kind == "open":
            comprehends = token == "(" and word in COMPREHENSIONS
            if comprehends:
                comprehensions += 1
                if any(opened) and not nested:
                    raise BadExpression(_("Comprehensions cannot be nested."))
            opened.append(comprehends)
            if len(opened) > DEEPEST:
                raise BadExpression(_("It is nested too deeply."))
        elif kind == "close" and opened:
            opened.pop()
        word = token if kind == "word" and before == "." else ""
        before = token
    if comprehensions > MOST_COMPREHENSIONS:
        raise BadExpression(_("It has too many comprehensions."))


def names(text: str) -> set[str]:
    """The dotted names that an expression mentions, such as ``event.amount``, as far as they can be told."""
    found: set[str] = set()
    path: list[str] = []
    dotted = False
    for kind, token in [*_tokens(text), ("end", "")]:
        if kind == "word" and (dotted or not path):
            path.append(token)
            dotted = False
            continue
        if token == "." and path and not dotted:
            dotted = True
            continue
        # A word before a bracket is a function, not a field.
        called = kind == "open" and token == "("
        if path[:-1] if called else path:
            found.add(".".join(path[:-1] if called else path))
        path, dotted = ([token], False) if kind == "word" else ([], kind == "close")
        if dotted:  # what follows a bracket and a dot belongs to a value, not to a variable
            path, dotted = [""], False
    return {one for one in found if not one.startswith(".") and one}


def seen(value: Any, depth: int = 0) -> Any:
    """``value`` as expressions see it: bounded, ids and times as texts, and what is empty (None) left out.

    The engine takes no times inside of maps: they are texts as ``moment`` makes them, which sort as they follow.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else float(value)
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, Enum):
        return seen(value.value, depth)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return moment(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if depth >= DEEPEST_VALUE:
        return None
    if isinstance(value, Mapping):
        pairs = [(str(key), seen(one, depth + 1)) for key, one in list(value.items())[:MOST_ITEMS]]
        return {key: one for key, one in pairs if one is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [made for one in list(value)[:MOST_ITEMS] if (made := seen(one, depth + 1)) is not None]
    return str(value)[:LONGEST_TEXT]


def moment(value: date) -> str:
    """A time, or the beginning of a day, in UTC and always of one length: ``2026-01-31T08:00:00.000000Z``."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            yield kind, match.group()


@cache
def _cel() -> Any:
    from cel_expr_python import cel  # 8 MB of C++ that a community without conditions never needs

    return cel


@lru_cache(maxsize=64)
def _made(variables: tuple[tuple[str, str], ...]) -> Any:
    cel = _cel()
    kinds = {
        "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "text": cel.Type.STRING,
        "time": cel.Type.TIMESTAMP,
        "any": cel.Type.DYN,
    }
    return cel.NewEnv(variables={name: kinds[kind] for name, kind in variables})


def _bad(problem: Exception) -> BadExpression:
    line = str(problem).split("\n")[0]
    found = _WHERE.match(line)
    return BadExpression(_first_line(line), *(int(one) for one in found.groups()) if found else ())


def _first_line(told: str) -> str:
    """What the engine says, without the place and the list of all that could have stood there."""
    line = _EXPECTED.sub("", _WHERE.sub("", told.split("\n")[0]))
    line = line.replace("mismatched input '<EOF>'", "it ends too early")
    return line.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ").removesuffix(" [INVALID_ARGUMENT]")
