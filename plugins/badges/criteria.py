"""Criteria: a JSON tree of ``all``, ``any`` and ``not`` over leaves, such as

    {"all": [{"type": "points.threshold", "value": 1000}, {"not": {"type": "badge.held", "badge": "legend"}}]}

A tree is checked once (``parse``) and then read in four ways that must agree: a closure over a member's facts, an
SQL condition over ``core_member``, the set of things it depends on, and an explanation with numbers.
A place in a tree is a JSON pointer (RFC 6901); the whole tree is "".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, func, literal, or_, true

from guildhall import _

from .errors import InvalidCriteria
from .frame import Frame
from .leaf import Explanation, Facts, Leaf, Measured, Source

DEEPEST = 6
MOST_LEAVES = 50
FULL = 10_000  # basis points of progress


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A node of an explained tree: ``kind`` is all, any, not or leaf; ``progress`` is in basis points."""

    kind: str
    place: str
    ok: bool
    progress: int
    parts: tuple[Explained, ...] = ()
    type: str = ""
    label: str = ""
    leaf: Explanation | None = None

    @property
    def reachable(self) -> bool:
        """Whether what is open can still be met by doing something: a date that has passed cannot."""
        if self.kind == "leaf":
            return self.ok or (self.leaf is not None and self.leaf.remaining is not None)
        if self.kind == "not":
            return self.ok
        return (any if self.kind == "any" else all)(part.reachable for part in self.parts)

    def leaves(self) -> Iterator[Explained]:
        """The leaves, in the order of the tree."""
        if self.leaf:
            yield self
        for part in self.parts:
            yield from part.leaves()


Test = Callable[[Facts], bool]


@dataclass(frozen=True)
class Node:
    """A checked part of a criteria tree, at ``place``."""

    place: str

    def closure(self) -> Test:
        """A function of a member's facts, for the evaluator's fast path."""
        raise NotImplementedError

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        """Whether values stored by place (an award's ``facts``) meet the tree."""
        raise NotImplementedError

    def sql(self, frame: Frame, *, negated: bool = False) -> ColumnElement[bool]:
        """A condition over ``core_member`` and what ``frame`` joins; NULL counts as not met.

        Every ``not`` is carried down to the leaves, so that the planner sees plain comparisons that it has indexes
        for, and so that NULL never has to be turned round.
        """
        raise NotImplementedError

    def explain(self, facts: Facts) -> Explained:
        """The tree told with a member's facts."""
        return self.told(self.measure(facts))

    def told(self, measured: Mapping[str, Measured]) -> Explained:
        """The tree told with values stored by place (an award's ``facts``)."""
        raise NotImplementedError

    def conditions(self) -> Iterator[Condition]:
        """The leaves, in the order of the tree."""
        raise NotImplementedError

    def measure(self, facts: Facts) -> dict[str, Measured]:
        """What each leaf measures, by place."""
        return {one.place: one.leaf.actual(facts[one.leaf.reads]) for one in self.conditions()}

    def measure_sql(self, frame: Frame) -> ColumnElement[Any]:
        """``measure`` as JSONB."""
        pairs: list[ColumnElement[Any]] = []
        for one in self.conditions():
            pairs += [literal(one.place), one.leaf.actual_sql(frame)]
        return func.jsonb_build_object(*pairs)

    def depends_on(self) -> frozenset[str]:
        """Contribution types and badges (``badge:<slug>``) that can change the answer; ``*`` for any contribution."""
        raise NotImplementedError

    def monotone(self) -> bool:
        """Whether it stays met once it is; with a ``not`` an award may depend on the moment."""
        raise NotImplementedError

    def sources(self) -> frozenset[Source]:
        return frozenset(one.leaf.reads for one in self.conditions())


@dataclass(frozen=True)
class Condition(Node):
    leaf: Leaf

    def closure(self) -> Test:
        source, actual, holds = self.leaf.reads, self.leaf.actual, self.leaf.holds
        return lambda facts: holds(actual(facts[source]))

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return self.place in measured and self.leaf.holds(measured[self.place])

    def sql(self, frame: Frame, *, negated: bool = False) -> ColumnElement[bool]:
        met = self.leaf.sql(frame)
        return met.is_not(true()) if negated else met

    def told(self, measured: Mapping[str, Measured]) -> Explained:
        told = self.leaf.explain(measured.get(self.place))
        return Explained(
            kind="leaf",
            place=self.place,
            ok=told.ok,
            progress=_progress(told),
            type=self.leaf.type_name,
            label=self.leaf.label,
            leaf=told,
        )

    def conditions(self) -> Iterator[Condition]:
        yield self

    def depends_on(self) -> frozenset[str]:
        return self.leaf.depends_on()

    def monotone(self) -> bool:
        return True


@dataclass(frozen=True)
class Group(Node):
    parts: tuple[Node, ...]

    def conditions(self) -> Iterator[Condition]:
        for part in self.parts:
            yield from part.conditions()

    def depends_on(self) -> frozenset[str]:
        return frozenset[str]().union(*(part.depends_on() for part in self.parts))

    def monotone(self) -> bool:
        return all(part.monotone() for part in self.parts)


class All(Group):
    def closure(self) -> Test:
        tests = [part.closure() for part in self.parts]
        return lambda facts: all(test(facts) for test in tests)

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return all(part.holds(measured) for part in self.parts)

    def sql(self, frame: Frame, *, negated: bool = False) -> ColumnElement[bool]:
        return (or_ if negated else and_)(*(part.sql(frame, negated=negated) for part in self.parts))

    def told(self, measured: Mapping[str, Measured]) -> Explained:
        parts = tuple(part.told(measured) for part in self.parts)
        progress = sum(part.progress for part in parts) // len(parts)
        return Explained(
            kind="all", place=self.place, ok=all(part.ok for part in parts), progress=progress, parts=parts
        )


class Any_(Group):
    def closure(self) -> Test:
        tests = [part.closure() for part in self.parts]
        return lambda facts: any(test(facts) for test in tests)

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return any(part.holds(measured) for part in self.parts)

    def sql(self, frame: Frame, *, negated: bool = False) -> ColumnElement[bool]:
        return (and_ if negated else or_)(*(part.sql(frame, negated=negated) for part in self.parts))

    def told(self, measured: Mapping[str, Measured]) -> Explained:
        parts = tuple(part.told(measured) for part in self.parts)
        progress = max(part.progress for part in parts)
        return Explained(
            kind="any", place=self.place, ok=any(part.ok for part in parts), progress=progress, parts=parts
        )


class Not(Group):
    def depends_on(self) -> frozenset[str]:
        """What is negated, and anything at all: it is met before any of that has happened."""
        return super().depends_on() | {"*"}

    def monotone(self) -> bool:
        return False

    def closure(self) -> Test:
        test = self.parts[0].closure()
        return lambda facts: not test(facts)

    def holds(self, measured: Mapping[str, Measured]) -> bool:
        return not self.parts[0].holds(measured)

    def sql(self, frame: Frame, *, negated: bool = False) -> ColumnElement[bool]:
        return self.parts[0].sql(frame, negated=not negated)

    def told(self, measured: Mapping[str, Measured]) -> Explained:
        part = self.parts[0].told(measured)
        return Explained(kind="not", place=self.place, ok=not part.ok, progress=0 if part.ok else FULL, parts=(part,))


def parse(definition: Any, kinds: Mapping[str, type[Leaf]]) -> Node:
    """Check criteria against the known kinds of leaves. Raises InvalidCriteria naming every mistake's place."""
    problems: list[tuple[str, str]] = []
    root = _parse(definition, "", 1, kinds, problems)
    if not problems and root is not None:
        leaves = sum(1 for _leaf in root.conditions())
        if leaves > MOST_LEAVES:
            problems.append(("", _("there are {n} conditions; at most {most} fit.").format(n=leaves, most=MOST_LEAVES)))
    if problems or root is None:
        raise invalid(problems)
    return root


def invalid(problems: Sequence[tuple[str, str]]) -> InvalidCriteria:
    """The error for (place, problem) pairs."""
    told = [f"{shown(place)}: {problem}" for place, problem in problems]
    place, problem = problems[0]
    return InvalidCriteria({"criteria": told}, place=shown(place), problem=problem)


def shown(place: str) -> str:
    """A place as people know it from JSON tools: ``/all/2/type`` is ``$.all[2].type``."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in place.split("/")[1:]]
    return "$" + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in parts)


def named(definition: Any) -> set[str]:
    """Slugs of the badges that criteria speak of, whether or not they can be read now."""
    if isinstance(definition, list):
        return set[str]().union(*map(named, definition))
    if not isinstance(definition, dict):
        return set()
    own = {definition["badge"]} if isinstance(definition.get("badge"), str) else set()
    return own.union(*map(named, definition.values()))


def _parse(
    definition: Any, place: str, depth: int, kinds: Mapping[str, type[Leaf]], problems: list[tuple[str, str]]
) -> Node | None:
    if depth > DEEPEST:
        problems.append((place, _("it is nested deeper than {most} levels.").format(most=DEEPEST)))
    elif not isinstance(definition, dict):
        problems.append((place, _("an object is needed: a condition with a type, or all, any or not.")))
    elif "type" in definition:
        return _leaf(definition, place, kinds, problems)
    elif len(definition) != 1 or next(iter(definition)) not in ("all", "any", "not"):
        problems.append((place, _("exactly one of type, all, any and not is needed.")))
    else:
        [(word, inner)] = definition.items()
        if word == "not":
            part = _parse(inner, f"{place}/not", depth + 1, kinds, problems)
            return Not(place, (part,)) if part else None
        if not isinstance(inner, list) or not inner:
            problems.append((f"{place}/{word}", _("a list of at least one condition is needed.")))
            return None
        if len(inner) > MOST_LEAVES:
            problems.append((f"{place}/{word}", _("at most {most} conditions fit.").format(most=MOST_LEAVES)))
            return None
        parts = [_parse(one, f"{place}/{word}/{i}", depth + 1, kinds, problems) for i, one in enumerate(inner)]
        good = tuple(part for part in parts if part is not None)
        if len(good) == len(parts):
            return All(place, good) if word == "all" else Any_(place, good)
    return None


def _leaf(
    definition: dict[str, Any], place: str, kinds: Mapping[str, type[Leaf]], problems: list[tuple[str, str]]
) -> Condition | None:
    name = definition["type"]
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(kinds))
        problems.append(
            (f"{place}/type", _("{name} is no kind of condition; known are {known}.").format(name=name, known=known))
        )
        return None
    given = {key: value for key, value in definition.items() if key != "type"}
    try:
        return Condition(place, kind.model_validate_json(json.dumps(given), strict=True))
    except ValidationError as problem:
        for error in problem.errors():
            where = "".join(f"/{_escape(str(part))}" for part in error["loc"])
            said = error["msg"].removeprefix("Value error, ")
            problems.append((place + where, said[0].lower() + said[1:].removesuffix(".") + "."))
    return None


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _progress(told: Explanation) -> int:
    if told.ok:
        return FULL
    if told.remaining is None or not isinstance(told.target, int) or not isinstance(told.actual, int):
        return 0
    return min(FULL - 1, max(0, told.actual) * FULL // max(1, told.target))
