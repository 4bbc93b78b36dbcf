"""The rows of a list: a page of them and how many there are in one statement, or all of them in steps of a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from core.actor import Actor
from core.lists.columns import people, relations
from core.lists.state import ListState
from core.members.models import Member
from core.resources import computed, file_fields

COUNT_CAP = 10_000
CHUNK = 1000


@dataclass(frozen=True)
class Rows:
    """Records of one page, how many match in all (COUNT_CAP + 1 for more), and the names of their members by id."""

    records: Sequence[Any]
    total: int
    names: dict[UUID, str] = field(default_factory=dict)


def page(
    session: Session, actor: Actor, state: ListState, columns: Sequence[str], *, number: int = 0, size: int = 25
) -> Rows:
    """One page, counted from 0. The number of rows is asked for alone where the page is beyond the last row."""
    wanted = _counted(state, actor).scalar_subquery()
    query = _selected(actor, state, columns).add_columns(wanted).limit(size).offset(number * size)
    found = session.execute(query).all()
    records, names = _taken(session, state, columns, found)
    if found or not number:
        return Rows(records, found[0][-1] if found else 0, names)
    return Rows([], count(session, actor, state))


def count(session: Session, actor: Actor, state: ListState, most: int = COUNT_CAP + 1) -> int:
    """How many rows there are, up to ``most``: counting millions would take longer than the page."""
    return session.scalar(_counted(state, actor, most)) or 0


def _counted(state: ListState, actor: Actor, most: int = COUNT_CAP + 1) -> sa.Select[Any]:
    key = getattr(state.bound.resource.model, state.bound.resource.key)
    bounded = sa.select(key).where(*state.conditions(actor)).limit(most)
    return sa.select(sa.func.count()).select_from(bounded.subquery())


def _selected(actor: Actor, state: ListState, columns: Sequence[str]) -> sa.Select[Any]:
    """The records, then the name of each member that a column names, then what is computed by SQL; a page costs one
    statement, not one a row."""
    model = state.bound.resource.model
    mapper = sa.inspect(model)
    names = [
        sa.select(Member.display_name).where(Member.id == getattr(model, key)).scalar_subquery()
        for key in people(state.bound, columns)
    ]
    figures = [one.expression(model) for one in _by_sql(state, columns)]
    query = sa.select(model, *names, *figures).where(*state.conditions(actor))
    for name in relations(state.bound, columns):
        load = selectinload if mapper.relationships[name].uselist else joinedload
        query = query.options(load(getattr(model, name)))
    turned = [key.desc() if state.descending else key.asc() for key in state.order()]
    return query.order_by(*turned)


def _by_sql(state: ListState, columns: Sequence[str]) -> list[computed.Computed]:
    """The computed columns that the statement reads: those shown, and the one it is sorted by."""
    wanted = {*columns, state.sort.lstrip("-")}
    return [one for one in state.bound.resource.computed if one.sql is not None and one.name in wanted]


def _taken(
    session: Session, state: ListState, columns: Sequence[str], found: Sequence[Any]
) -> tuple[list[Any], dict[UUID, str]]:
    """The records with all that is shown of them, and the names of their members."""
    keys, by_sql = people(state.bound, columns), _by_sql(state, columns)
    records = [row[0] for row in found]
    for row in found:
        computed.keep(row[0], by_sql, row[len(keys) + 1 : len(keys) + 1 + len(by_sql)])
    resource = state.bound.resource
    computed.load(session, resource, records, columns)
    if any(key in columns for key in resource.files):
        file_fields.show(session, resource.files, records)
    names = {
        getattr(row[0], key): name
        for row in found
        for key, name in zip(keys, row[1 : len(keys) + 1], strict=True)
        if name
    }
    return records, names


def each(
    unit_of_work: Callable[[], AbstractContextManager[Session]],
    actor: Actor,
    state: ListState,
    columns: Sequence[str],
) -> Iterator[Rows]:
    """All rows in their order, a thousand at a time, each in a unit of work of its own: a slow reader holds nothing."""
    after: list[Any] | None = None
    keys = state.order()
    while True:
        query = _selected(actor, state, columns).limit(CHUNK)
        if after is not None:
            query = query.where(_beyond(keys, after, descending=state.descending))
        with unit_of_work() as session:
            records, names = _taken(session, state, columns, session.execute(query).all())
        yield Rows(records, len(records), names)
        if len(records) < CHUNK:
            return
        after = [getattr(records[-1], key.key) for key in keys]


def _nullable(key: Any) -> bool:
    """Whether a row may have no value there; of what is computed nobody knows."""
    return isinstance(key, sa.Label) or bool(key.property.columns[0].nullable)


def _beyond(keys: Sequence[Any], after: Sequence[Any], *, descending: bool) -> sa.ColumnElement[bool]:
    """The rows past the one with these values, in PostgreSQL's order: an empty value is greater than any."""
    if not any(_nullable(key) for key in keys):
        row, last = sa.tuple_(*keys), sa.tuple_(*(sa.literal(v, key.type) for key, v in zip(keys, after, strict=True)))
        return row < last if descending else row > last
    parts: list[Any] = []
    same: list[Any] = []
    for key, value in zip(keys, after, strict=True):
        if value is None:
            past = key.is_not(None) if descending else sa.false()
        else:
            past = key < value if descending else sa.or_(key > value, key.is_(None))
        parts.append(sa.and_(*same, past))
        same.append(key.is_(None) if value is None else key == value)
    return sa.or_(*parts)
