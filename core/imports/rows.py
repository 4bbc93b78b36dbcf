"""Rows of a file as values of a resource, checked as REST checks them; what is wrong is said field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import plain
from core.errors import DomainError, NotFound
from core.i18n import _
from core.imports import cells, references
from core.imports.errors import RowTwice
from core.imports.plan import Plan, schemas, targets
from core.imports.table import Line, Sheet
from core.resources.resource import BoundResource

REQUIRED = _("This field is needed for a new record.")
INVALID = "INVALID"
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, at ``field`` or ("") as a whole. The sentence is English, with ``params`` to fill."""

    line: int
    field: str
    code: str
    sentence: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, line: int, error: DomainError) -> list[Problem]:
        """A refusal as the problems of a row."""
        details = error.details if isinstance(error.details, dict) else {}
        found = [
            cls(line, str(name), error.code, str(texts[0] if isinstance(texts, (list, tuple)) else texts))
            for name, texts in details.items()
            if texts
        ]
        return found or [cls(line, "", error.code, error.sentence, plain(error.params))]


@dataclass(slots=True)
class Row:
    """A row as the resource would take it: ``values`` by field, ``blank`` the fields whose cells are empty."""

    line: int
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    blank: set[str] = dataclasses.field(default_factory=set)
    key: Key | None = None
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def wrong(self, name: str, sentence: str, code: str = INVALID) -> None:
        self.problems.append(Problem(self.line, name, code, sentence))


class Reader:
    """Reads the rows of one file by one plan; it remembers the keys that it has met."""

    def __init__(self, session: Session, bound: BoundResource, plan: Plan, sheet: Sheet) -> None:
        self.bound, self.plan = bound, plan
        self._at = {name: sheet.header.index(column) for name, column in plan.columns.items()}
        self._readers = cells.readers(session, bound, plan.fields, sheet.separator == ";")
        registry = session.info["registry"]
        self._targets = {name: references.target_of(registry, bound, name) for name in plan.fields}
        self._only_key = {one.name for one in targets(bound) if one.only_key}
        new, self._change = schemas(bound)
        self.required = tuple(name for name, one in new.fields.items() if one.required and name != bound.resource.owner)
        self._met: dict[Key, int] = {}

    def read(self, session: Session, actor: Actor, lines: Iterable[Line]) -> list[Row]:
        """The rows of these lines. Each is whole or has problems; nothing is written."""
        rows: list[Row] = []
        wires: list[dict[str, Any]] = []
        for line in lines:
            row = Row(line.number)
            rows.append(row)
            wires.append({} if line.problem else self._wire(row, line.cells))
            if line.problem:
                row.problems = Problem.of(line.number, line.problem)
        self._resolve(session, actor, rows, wires)
        for row, wire in zip(rows, wires, strict=True):
            self._load(row, wire)
            if not row.problems:
                self._key(row)
        return rows

    def _wire(self, row: Row, given: Sequence[Any]) -> dict[str, Any]:
        """What REST would be sent of a row."""
        wire: dict[str, Any] = {}
        for name, read in self._readers.items():
            value = given[self._at[name]] if name in self._at else self.plan.constants[name]
            if cells.is_blank(value):
                row.blank.add(name)
                continue
            try:
                wire[name] = read(value)
            except cells.NoValue as problem:
                row.wrong(name, problem.sentence)
        return wire

    def _resolve(self, session: Session, actor: Actor, rows: list[Row], wires: list[dict[str, Any]]) -> None:
        for name, target in self._targets.items():
            if target is None:
                continue
            found = references.find(session, actor, target, [wire[name] for wire in wires if name in wire])
            for row, wire in zip(rows, wires, strict=True):
                if name not in wire:
                    continue
                key = found.get(wire[name])
                if key is None:
                    row.wrong(name, references.SEVERAL if wire[name] in found else references.NOBODY, "NO_REFERENCE")
                    del wire[name]
                else:
                    wire[name] = str(key) if not isinstance(key, int) else key

    def _load(self, row: Row, wire: dict[str, Any]) -> None:
        given = {name: value for name, value in wire.items() if name not in self._only_key}
        try:
            row.values = self._change.load(given)
        except ValidationError as problem:
            messages = problem.normalized_messages()  # type: ignore[no-untyped-call]
            for name, texts in messages.items():
                row.wrong(str(name), _first(texts))
        except DomainError as problem:
            row.problems += Problem.of(row.line, problem)
        for name in self._only_key & wire.keys():
            try:
                row.values[name] = self.bound.parse_key(wire[name])
            except NotFound:
                row.wrong(name, references.NOBODY)

    def _key(self, row: Row) -> None:
        """By what the row finds its record; one whose key has an empty part is a new record."""
        names = self.plan.keys
        if not names or any(row.values.get(name) is None for name in names):
            return
        row.key = tuple(row.values[name] for name in names)
        before = self._met.setdefault(row.key, row.line)
        if before != row.line:
            row.problems = Problem.of(row.line, RowTwice(line=before))


def _first(texts: Any) -> str:
    """The first sentence of what marshmallow says of a field, however deep it lies."""
    while isinstance(texts, (dict, list, tuple)):
        texts = next(iter(texts.values() if isinstance(texts, dict) else texts), "")
    return str(texts)
