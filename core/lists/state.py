"""What an address asks of a list: filters, search, order, columns. A saved view is such a state with a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa

from core.actor import Actor
from core.lists.columns import offered_columns, sortable, sorts
from core.lists.conditions import MOST_VALUES, Operator, condition, operators, search_for
from core.resources.resource import BoundResource

SEARCH, COLUMNS, DELETED = "q", "cols", "deleted"
LONGEST_TERM = 120
FILTER = re.compile(r"_flt_(\d)_(\w+)")


def class_name(bound: BoundResource) -> str:
    """The name the generated pages of a resource go by: endpoint and key of their templates."""
    return "".join(word.title() for word in bound.key.replace(".", "_").split("_")) + "View"


@dataclass(frozen=True)
class Filter:
    """A comparison of one column: ``number`` is the operator's place among those of the column."""

    column: str
    number: int
    operator: Operator
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in an address."""
        return f"_flt_{self.number}_{self.column}"


@dataclass(frozen=True)
class ListState:
    """What is asked of the list of ``bound``; what an address cannot mean is passed over.

    ``columns`` are those the address names, none for the reader's own; ``lost`` names filters that are no more.
    ``deleted`` asks for the records that were deleted and can be restored, instead of the others.
    """

    bound: BoundResource
    filters: tuple[Filter, ...] = ()
    term: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    deleted: bool = False

    @classmethod
    def read(cls, bound: BoundResource, given: Iterable[tuple[str, str]]) -> ListState:
        """The state that the pairs of a query string ask for."""
        asked: dict[str, list[str]] = {}
        for name, value in given:
            asked.setdefault(name, []).append(value)
        filters, lost = [], []
        for name, values in asked.items():
            if (found := FILTER.fullmatch(name)) is None:
                continue
            column, number = found[2], int(found[1])
            known = operators(bound, column) if column in bound.resource.filters else ()
            kept = tuple(dict.fromkeys(value for value in values if value))[:MOST_VALUES]
            if number < len(known) and kept:
                filters.append(Filter(column, number, known[number], kept))
            elif kept:
                lost.append(column)
        name = class_name(bound)
        column, turn = (asked.get(f"{part}_{name}", [""])[0] for part in ("_oc", "_od"))
        sort = "-" * (turn == "desc") + column if column in sortable(bound) and turn in ("asc", "desc") else ""
        term = asked.get(SEARCH, [""])[0].strip()[:LONGEST_TERM] if bound.resource.search else ""
        offered = offered_columns(bound)
        wanted = dict.fromkeys(asked.get(COLUMNS, [""])[0].split(","))
        columns = tuple(column for column in wanted if column in offered)
        deleted = bound.resource.soft_delete and asked.get(DELETED, [""])[0] == "yes"
        return cls(bound, tuple(filters), term, sort, columns, tuple(lost), deleted)

    @classmethod
    def of(cls, bound: BoundResource, query: str) -> ListState:
        """The state of a query string."""
        return cls.read(bound, parse_qsl(query, max_num_fields=500))

    def pairs(self) -> list[tuple[str, str]]:
        """The state as the pairs of a query string; the same state always gives the same."""
        found = [(one.name, value) for one in sorted(self.filters, key=lambda one: one.name) for value in one.values]
        if self.term:
            found.append((SEARCH, self.term))
        if self.sort:
            name = class_name(self.bound)
            found += [(f"_oc_{name}", self.sort.lstrip("-")), (f"_od_{name}", "desc" if self.descending else "asc")]
        if self.columns:
            found.append((COLUMNS, ",".join(self.columns)))
        if self.deleted:
            found.append((DELETED, "yes"))
        return found

    @property
    def query(self) -> str:
        return urlencode(self.pairs())

    @property
    def narrowed(self) -> bool:
        """Whether fewer rows may be shown than there are."""
        return bool(self.filters or self.term)

    @property
    def descending(self) -> bool:
        return (self.sort or self.bound.resource.order).startswith("-")

    def without(self, *gone: Filter) -> ListState:
        return replace(self, filters=tuple(one for one in self.filters if one not in gone))

    def conditions(self, actor: Actor) -> list[sa.ColumnElement[bool]]:
        """The rows that ``actor`` may know of and that the state asks for. Raises PermissionMissing."""
        found = []
        if (visible := self.bound.visible(actor, deleted=self.deleted)) is not None:
            found.append(visible)
        found += [condition(self.bound, one.column, one.operator, one.values) for one in self.filters]
        if self.term:
            found.append(search_for(self.bound, self.term.replace("\x00", "")))
        return found

    def order(self) -> tuple[Any, ...]:
        """The columns that the rows are sorted by, all in one direction; the key decides last.

        An index that begins with the chosen column is followed to its end, so that it serves.
        """
        resource = self.bound.resource
        first = self.sort.lstrip("-") or resource.order.lstrip("-")
        keys = sorts(self.bound).get(first, (first, resource.key)) if self.sort else (first, resource.key)
        return tuple(resource.attribute(key) for key in dict.fromkeys(keys))
