"""What a resource says that cannot be carried out, or not be held at every door; found at registration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from sqlalchemy import JSON, DateTime, String

from core.content_languages import TRANSLATIONS
from core.db.base import RESERVED_COLUMNS, member_column
from core.db.personal import personal_columns
from core.resources.computed import Computed, Kind
from core.resources.declaration import DELETED_AT, Resource
from core.resources.resource import BoundResource
from core.resources.transition import value_of

SLUG = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")


def resource_problems(bound: BoundResource) -> Iterator[str]:
    """Each as a sentence that names the resource."""
    yield from _column_problems(bound)
    yield from _transition_problems(bound)
    for one in bound.resource.computed:
        yield from _computed_problems(bound, one)
    yield from _deletion_problems(bound)
    yield from _file_problems(bound)
    yield from _translation_problems(bound)


def _column_problems(bound: BoundResource) -> Iterator[str]:
    """What a resource says of columns that cannot be carried out."""
    resource, known = bound.resource, bound.resource.columns_of_model
    order = resource.order.removeprefix("-")
    follows = {one.name for one in resource.computed}
    used = [order, *resource.search, *resource.fields]
    used += [name for name in (*resource.filters, *resource.graphql) if name not in follows]
    used += [resource.owner] if resource.owner else []
    if missing := [name for name in dict.fromkeys(used) if name not in known]:
        yield f"{bound.key} names columns that it does not have: {', '.join(missing)}"
    if order in known and known[order].nullable:
        yield f"{bound.key} is ordered by {order}, which may be empty: a page could not say where the next one begins"
    if odd := [name for name in resource.search if name in known and not isinstance(known[name].type, String)]:
        yield f"{bound.key} searches {', '.join(odd)} by the beginning, which only text has"
    elif resource.search and resource.search[0] in known and known[resource.search[0]].info.get("full_text"):
        yield f"{bound.key} is named by {resource.search[0]}, a long text: let a short one come first in search"
    if resource.restorable and not (resource.audit and {"create", "delete"} <= set(resource.actions)):
        yield f"{bound.key} is restorable, which takes the actions create and delete and the audit trail"
    sectioned = [name for section in resource.sections for name in section.fields]
    if missing := [name for name in dict.fromkeys(sectioned) if name not in resource.columns_known]:
        yield f"{bound.key} has columns in sections that it does not have: {', '.join(missing)}"
    if twice := {name for name in sectioned if sectioned.count(name) > 1}:
        yield f"{bound.key} has {', '.join(sorted(twice))} in two sections"
    for inline in resource.inline:
        if not hasattr(inline.model, inline.by):
            yield f"{bound.key} shows {inline.model.__tablename__} by {inline.by}, which that table does not have"
    if missing := [name for name in resource.bulk if name not in resource.writable or "update" not in resource.actions]:
        yield f"{bound.key} changes {', '.join(missing)} in bulk, which nobody may change one by one"
    table: Any = resource.model.__table__
    personal = {one.name for one in personal_columns(table)} if member_column(table) is not None else set()
    personal |= {column.name for column in known.values() if column.info.get("pii") or column.info.get("secret")}
    if told := [name for name in resource.bulk if name in known and known[name].name in personal]:
        yield f"{bound.key} changes {', '.join(told)} in bulk, which may hold something personal"
    names = [one.name for one in bound.operations]
    if odd := [name for name in names if not SLUG.match(name) or names.count(name) > 1]:
        yield f"{bound.key} has operations whose name is no slug or not unique: {', '.join(dict.fromkeys(odd))}"
    listed = [name for name in resource.columns if name not in follows]
    if missing := [name for name in listed if not hasattr(resource.model, name.split(".")[0])]:
        yield f"{bound.key} lists columns that it does not have: {', '.join(missing)}"


def _transition_problems(bound: BoundResource) -> Iterator[str]:
    resource, known = bound.resource, bound.resource.columns_of_model
    if resource.transitions and "update" not in resource.actions:
        yield f"{bound.key} has transitions, which takes the action update"
    for one in resource.transitions:
        if one.column not in known:
            yield f"{bound.key} has a transition of {one.column}, which it does not have"
            continue
        values = states_of(resource, one.column)
        if unknown := [state for state in (*one.sources, one.to) if state not in values]:
            yield f"{bound.key}: the transition {one.slug} names {', '.join(unknown)}, which {one.column} cannot be"
        if one.to in one.sources or not one.sources:
            yield f"{bound.key}: the transition {one.slug} leads from {one.to} to itself, or from nowhere"
    governed = {one.column for one in resource.transitions}
    for column in governed & known.keys():
        initial, default = resource.initial_states[column], known[column].default
        if known[column].nullable:
            yield f"{bound.key} has transitions of {column}, which may be empty: no transition leads on from there"
        if not initial or set(initial) - set(states_of(resource, column)):
            yield f"{bound.key} does not say how {column} begins: give the column a default, or name it in initial"
        elif default is not None and default.is_scalar and value_of(default.arg) not in initial:
            yield f"{bound.key}: {column} begins as {value_of(default.arg)} by default, which initial does not name"
    if odd := sorted(set(resource.initial) - governed):
        yield f"{bound.key} says how {', '.join(odd)} begins, which has no transitions"


def states_of(resource: Resource, column: str) -> tuple[str, ...]:
    """The values of an enumerated column; none of any other."""
    declared = resource.columns_of_model[column]
    return tuple(
        getattr(declared.type, "enums", None) or declared.info.get("choices") or resource.states.get(column) or ()
    )


def _computed_problems(bound: BoundResource, one: Computed) -> Iterator[str]:
    resource, names = bound.resource, [other.name for other in bound.resource.computed]
    if not SLUG.match(one.name) or one.name in RESERVED_COLUMNS or names.count(one.name) > 1:
        yield f"{bound.key} has a computed column {one.name!r}, which is no free slug"
    if hasattr(resource.model, one.name) and one.sql is None:
        yield f"{bound.key} computes {one.name}, which the model has"
    if one.name in resource.columns_of_model:
        yield f"{bound.key} computes {one.name}, which the table has"
    if (one.sql is None) == (one.load is None) or one.kind not in get_args(Kind):
        yield f"{bound.key}: the computed column {one.name} takes either sql or load, and a kind that there is"
        return
    try:
        served = one.served(resource.model)
    except Exception as problem:  # whatever the expression of a stranger raises
        yield f"{bound.key}: the computed column {one.name} is no expression: {problem}"
        return
    if one.name in resource.filters and (one.sql is None or not (served or resource.few)):
        yield f"{bound.key} filters by {one.name}, which takes sql and an index of that expression, or few records"


def _deletion_problems(bound: BoundResource) -> Iterator[str]:
    resource, column = bound.resource, bound.resource.columns_of_model.get(DELETED_AT)
    if not resource.soft_delete:
        if resource.keep_deleted_days is not None:
            yield f"{bound.key} says how long deleted records are kept, which takes soft_delete"
        return
    moment = column is not None and isinstance(column.type, DateTime) and column.type.timezone
    if column is None or not moment or not column.nullable:
        yield f"{bound.key} deletes softly, which takes a column deleted_at: Mapped[Instant | None]"
    if "delete" not in resource.actions or resource.delete is not None or resource.restorable:
        yield f"{bound.key} deletes softly, which takes the action delete, no service for it, and not restorable"
    if DELETED_AT in (
        *resource.fields,
        *resource.filters,
        *resource.columns,
        *resource.bulk,
        resource.order.lstrip("-"),
    ):
        yield f"{bound.key} names deleted_at, which is the platform's"
    if (resource.keep_deleted_days or 0) < 0:
        yield f"{bound.key} keeps deleted records for less than no day"


def _file_problems(bound: BoundResource) -> Iterator[str]:
    known: dict[str, Any] = bound.resource.columns_of_model
    for column in bound.resource.files:
        referred = {key.target_fullname for key in known[column].foreign_keys} if column in known else set()
        if "core_file.id" not in referred:
            yield f"{bound.key} holds a file in {column}, which takes a column Mapped[FileRef | None]"
        if column in bound.resource.bulk:
            yield f"{bound.key} changes {column} in bulk, but a file belongs to one record"


def _translation_problems(bound: BoundResource) -> Iterator[str]:
    resource, known = bound.resource, bound.resource.columns_of_model
    if odd := [name for name in resource.translated if name not in known or not isinstance(known[name].type, String)]:
        yield f"{bound.key} translates {', '.join(odd)}, which is no text that it has"
    column = known.get(TRANSLATIONS)
    kept = column is not None and isinstance(column.type, JSON) and not column.nullable and column.default is not None
    if resource.translated and not kept:
        yield f"{bound.key} has translations, which takes a column translations: Mapped[Json] with default=dict"
