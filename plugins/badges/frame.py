"""What one SQL statement over many criteria reads: each relation is joined to ``core_member`` once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, FromClause, Select, and_, any_, func, literal, literal_column, select

from guildhall import Member, Model

Keep = Callable[[Any], ColumnElement[bool]]
"""A condition on a column of member ids: those that the statement is about."""


def everybody(column: Any) -> ColumnElement[bool]:
    """Every member."""
    return and_(True)


class Frame:
    """The FROM clause that leaves build together. A relation has at most one row a member and is joined from the
    left, so that a missing one shows as NULL; criteria that say the same read the same relation.

    ``keep`` narrows every relation to the members that the statement is about. A ``wide`` frame is for many badges at
    once: it reads a table that several leaves look for different rows in by one scan and not by one join for each.
    ``counted`` has counts by filter and member that no table holds yet.
    """

    def __init__(
        self,
        keep: Keep = everybody,
        *,
        wide: bool = False,
        counted: Mapping[UUID, Mapping[UUID, int]] | None = None,
    ) -> None:
        self.keep = keep
        self.wide = wide
        self.counted = counted or {}
        self._joined: dict[Hashable, tuple[FromClause, ColumnElement[bool]]] = {}
        self._pivots: dict[tuple[type[Model], str], dict[tuple[Any, str], ColumnElement[Any]]] = {}

    def column(self, model: type[Model], name: str, **where: Any) -> ColumnElement[Any]:
        """A column of ``model``'s row of the member; the table's key is ``member_id``, and what ``where`` names."""
        if self.wide and len(where) == 1:
            [(by, value)] = where.items()
            return self._pivoted(model, name, by, value)
        key = (model, *sorted(where.items()))
        if key not in self._joined:
            alias = model.__table__.alias(f"joined_{len(self._joined)}")
            on = [alias.c.member_id == Member.id, *(alias.c[field] == value for field, value in where.items())]
            self._joined[key] = alias, and_(*on, self.keep(alias.c.member_id))
        return self._joined[key][0].c[name]

    def rows(self, key: Hashable, query: Callable[[Keep], Select[Any]]) -> FromClause:
        """The rows of ``query(keep)``, which has a column ``member_id`` and must apply ``keep`` to where it reads."""
        if key not in self._joined:
            made = query(self.keep).subquery(f"joined_{len(self._joined)}")
            self._joined[key] = made, made.c.member_id == Member.id
        return self._joined[key][0]

    @property
    def parts(self) -> list[FromClause]:
        """``core_member`` and every relation, to correlate a subquery with."""
        return [Member.__table__, *(relation for relation, _on in self._joined.values())]

    def joined(self) -> FromClause:
        """``core_member`` with every relation; call it after the last leaf has asked."""
        made: FromClause = Member.__table__
        for relation, on in self._joined.values():
            made = made.outerjoin(relation, on)
        for (model, by), asked in self._pivots.items():
            pivot = self._pivot(model, by, asked).subquery(_name(model, by))
            made = made.outerjoin(pivot, pivot.c.member_id == Member.id)
        return made

    def _pivoted(self, model: type[Model], name: str, by: str, value: Any) -> ColumnElement[Any]:
        asked = self._pivots.setdefault((model, by), {})
        if (value, name) not in asked:  # the subquery is made when all is known, so the column goes by its name
            kind = model.__table__.c[name].type
            asked[value, name] = literal_column(f"{_name(model, by)}.n{len(asked)}", kind)
        return asked[value, name]

    def _pivot(self, model: type[Model], by: str, asked: dict[tuple[Any, str], ColumnElement[Any]]) -> Select[Any]:
        table = model.__table__
        columns = [
            func.max(table.c[name]).filter(table.c[by] == value).label(f"n{number}")
            for number, (value, name) in enumerate(asked)
        ]
        some = literal(sorted({value for value, _name in asked}), ARRAY(table.c[by].type))
        query = select(table.c.member_id, *columns).where(table.c[by] == any_(some), self.keep(table.c.member_id))
        return query.group_by(table.c.member_id)


def _name(model: type[Model], by: str) -> str:
    return f"{model.__tablename__}_by_{by}"
