"""Which columns a list can show, in what order its rows can be, and what a cell holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, LargeBinary, Text, inspect

from core.db.base import names_member
from core.resources.resource import BoundResource, Resource


def default_columns(resource: Resource) -> tuple[str, ...]:
    """The first columns that fit a list: no key, no long text, no JSON."""
    columns = resource.columns_of_model
    unfit = (Text, JSON, LargeBinary)
    shown = [key for key in resource.readable if key in columns and key not in resource.files]
    fitting = [key for key in shown if key != resource.key and not isinstance(columns[key].type, unfit)]
    fitting.sort(key=lambda key: (key not in resource.search, key == resource.owner))
    return tuple(fitting[:6])


def first_columns(bound: BoundResource) -> tuple[str, ...]:
    """What the list shows when nobody chose anything."""
    return tuple(bound.resource.columns) or default_columns(bound.resource)


def offered_columns(bound: BoundResource) -> tuple[str, ...]:
    """Every column that can be chosen: the declared ones, then those that an answer shows; nothing secret or hidden."""
    columns = bound.resource.columns_known
    shown = [key for key in bound.resource.readable if not columns[key].info.get("secret")]
    unfit = [key for key in shown if isinstance(columns[key].type, (JSON, LargeBinary))]
    return tuple(dict.fromkeys([*first_columns(bound), *(key for key in shown if key not in unfit)]))


def relations(bound: BoundResource, columns: Sequence[str]) -> tuple[str, ...]:
    """The relationships that these columns go through."""
    known = inspect(bound.resource.model).relationships.keys()
    return tuple(dict.fromkeys(name for column in columns if (name := column.split(".")[0]) in known))


def people(bound: BoundResource, columns: Sequence[str]) -> tuple[str, ...]:
    """Those of these columns that name a member by id."""
    known = bound.resource.columns_of_model
    return tuple(name for name in columns if name in known and names_member(known[name]))


@cache
def sorts(bound: BoundResource) -> dict[str, tuple[str, ...]]:
    """By each column that a whole index begins with: the columns of the shortest such index, and the key."""
    keys = {column.name: key for key, column in bound.resource.columns_of_model.items()}
    found: dict[str, tuple[str, ...]] = {}
    for index in sorted(bound.resource.model.__table__.indexes, key=lambda one: (len(one.expressions), str(one.name))):
        whole = index.dialect_options["postgresql"]["where"] is None
        if whole and all(isinstance(part, Column) and part.name in keys for part in index.expressions):
            names = [keys[part.name] for part in index.expressions]
            found.setdefault(names[0], tuple(dict.fromkeys([*names, bound.resource.key])))
    return found


def sortable(bound: BoundResource) -> frozenset[str]:
    """Columns that an index serves, so that no header sorts a large table by hand."""
    served = {*sorts(bound), *_sortable_computed(bound), bound.resource.key, bound.resource.order.lstrip("-")}
    return frozenset(served - set(bound.resource.files))


@cache
def _sortable_computed(bound: BoundResource) -> tuple[str, ...]:
    resource = bound.resource
    return tuple(one.name for one in resource.computed if one.sql and (resource.few or one.served(resource.model)))


def value_of(record: Any, column: str) -> Any:
    """What a record holds in a column, which may go through a relationship: ``member.display_name``."""
    value = record
    for name in column.split("."):
        value = getattr(value, name, None)
        if callable(value):
            value = value()
    return value


def member_ids(bound: BoundResource, columns: Sequence[str], records: Sequence[Any]) -> set[UUID]:
    """The members that these columns name."""
    return {key for column in people(bound, columns) for one in records if (key := value_of(one, column)) is not None}
