"""A YAML file as plain values, and the line and column of each: read in bounded work, whatever it holds.

YAML 1.2 without what a description never needs: no tags, no anchors, no aliases, one document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from core.registry import DeclarationError

MOST_BYTES = 200_000
MOST_VALUES = 20_000
DEEPEST = 12
MOST_PROBLEMS = 50

Path_ = tuple[str | int, ...]
Place = tuple[int, int]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_WHOLE = re.compile(r"^[-+]?[0-9]{1,40}$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"^[-+]?[0-9]{1,40}\.[0-9]{1,40}$")


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, where (from 1), in a sentence that says what is expected."""

    line: int
    column: int
    message: str

    def told(self, file: str) -> str:
        return f"{file}:{self.line}:{self.column}: {self.message}"


class Unreadable(DeclarationError):
    """A file that cannot be used; ``problems`` are all that were found, sorted by place."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = sorted(set(problems))
        shown = [one.told(file) for one in self.problems[:MOST_PROBLEMS]]
        if len(self.problems) > MOST_PROBLEMS:
            shown.append(f"{file}: and {len(self.problems) - MOST_PROBLEMS} more")
        super().__init__("\n".join(shown))


@dataclass
class Source:
    """The values of a file, and where each stands: ``keys`` by path where its name does, ``values`` where it does."""

    file: str
    value: Any = None
    keys: dict[Path_, Place] = field(default_factory=dict)
    values: dict[Path_, Place] = field(default_factory=dict)

    def place(self, path: Path_, *, key: bool = False) -> Place:
        """Where ``path`` stands, or the nearest thing around it."""
        for length in range(len(path), -1, -1):
            first, second = (self.keys, self.values) if key else (self.values, self.keys)
            if found := first.get(path[:length]) or second.get(path[:length]):
                return found
        return (1, 1)

    def problem(self, path: Path_, message: str, *, key: bool = False) -> Problem:
        """A problem at ``path``; with ``key``, at its name."""
        return Problem(*self.place(path, key=key), message)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    value: Any
    path: Path_
    key: str | None = None


def read(path: Path) -> Source:
    """The file at ``path``. Raises Unreadable with its place for what is no YAML, or more of it than is taken."""
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    return parse(raw, path.name)


def parse(raw: bytes | str, file: str = "plugin.yaml") -> Source:
    """``raw`` as ``read`` does."""
    encoded = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if len(encoded) > MOST_BYTES:
        raise Unreadable(file, [Problem(1, 1, f"the file is larger than {MOST_BYTES:,} bytes")])
    try:
        text = encoded.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = encoded.count(b"\n", 0, problem.start) + 1
        raise Unreadable(file, [Problem(line, 1, "the file is not encoded as UTF-8")]) from None
    source = Source(file)
    try:
        _build(source, text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(str(problem.problem or problem.context or "this cannot be read").split())
        raise Unreadable(file, [Problem(place[0], place[1], f"this is no YAML: {what}")]) from None
    except Unreadable:
        raise
    except Exception as problem:  # hostile text makes the parser itself fail, in ways of its own
        what = " ".join(str(problem).split())[:200]
        raise Unreadable(file, [Problem(1, 1, f"this is no YAML: {what}")]) from None
    return source


def _build(source: Source, text: str) -> None:
    """Put the values together as the parser tells of them; it is left where one is too deep, or too many."""
    around: list[_Open] = []
    documents = count = 0
    twice: list[Problem] = []
    for event in YAML(typ="safe", pure=True).parse(text):
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Unreadable(source.file, [Problem(*place, "one document is expected; a second begins here")])
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            around.pop()
        elif isinstance(event, AliasEvent):
            raise Unreadable(source.file, [Problem(*place, "an alias is not taken here; write the value itself")])
        elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            count += 1
            _refuse(source, event, place, count, len(around))
            _take(source, around, event, place, twice)
    if twice:
        raise Unreadable(source.file, twice)


def _refuse(source: Source, event: Any, place: Place, count: int, depth: int) -> None:
    if event.anchor is not None:
        raise Unreadable(source.file, [Problem(*place, "an anchor is not taken here; write the value itself")])
    if event.tag is not None and not (isinstance(event, ScalarEvent) and event.implicit[1] and event.tag == "!"):
        raise Unreadable(source.file, [Problem(*place, "a tag is not taken here; write the value itself")])
    if count > MOST_VALUES:
        raise Unreadable(source.file, [Problem(*place, f"there are more than {MOST_VALUES:,} values")])
    if isinstance(event, ScalarEvent) and _CONTROL.search(str(event.value)):
        raise Unreadable(source.file, [Problem(*place, "this text holds a control character")])
    if depth > DEEPEST:
        raise Unreadable(source.file, [Problem(*place, f"this is nested more than {DEEPEST} levels deep")])


def _take(source: Source, around: list[_Open], event: Any, place: Place, twice: list[Problem]) -> None:
    """One value, into the list or mapping that is open; or the name of the next one in a mapping."""
    inside = around[-1] if around else None
    if inside is not None and isinstance(inside.value, dict) and inside.key is None:
        if not isinstance(event, ScalarEvent):
            raise Unreadable(source.file, [Problem(*place, "a name is expected, not a list or mapping")])
        inside.key = str(event.value)
        path = (*inside.path, inside.key)
        if inside.key in inside.value:
            first = source.keys[path]
            twice.append(Problem(*place, f"{inside.key!r} stands here twice; first in line {first[0]}"))
        source.keys.setdefault(path, place)
        return
    value = _scalar(event) if isinstance(event, ScalarEvent) else {} if isinstance(event, MappingStartEvent) else []
    path = ()
    if inside is None:
        source.value = value
    elif isinstance(inside.value, dict):
        assert inside.key is not None
        path = (*inside.path, inside.key)
        inside.value[inside.key] = value
        inside.key = None
    else:
        path = (*inside.path, len(inside.value))
        inside.value.append(value)
    source.values.setdefault(path, place)
    if not isinstance(event, ScalarEvent):
        around.append(_Open(value, path))


def _scalar(event: ScalarEvent) -> Any:
    """A value by the core schema of YAML 1.2, as far as descriptions need it; what is quoted is text."""
    text = str(event.value)
    if event.style is not None or not event.implicit[0]:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _WHOLE.match(text):
        return int(text)
    return Decimal(text) if _NUMBER.match(text) else text
