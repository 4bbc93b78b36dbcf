"""Columns of a resource that no table holds: a SQL expression of the model, or worked out for many records at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Kind = Literal["text", "integer", "decimal", "boolean", "instant", "date"]
TYPES: dict[Kind, Callable[[], Any]] = {
    "text": sa.Text,
    "integer": sa.BigInteger,
    "decimal": sa.Numeric,
    "boolean": sa.Boolean,
    "instant": lambda: sa.DateTime(timezone=True),
    "date": sa.Date,
}


@dataclass(frozen=True, kw_only=True)
class Computed:
    """A column that follows from others. Lists, record pages, REST, GraphQL and files show it; nobody writes it.

    - ``name``: a slug that the model does not have; ``label`` and ``help`` as those of a column.
    - ``kind``: what its values are: text, integer, decimal, boolean, instant or date.
    - ``sql(model)`` returns it as an expression: a hybrid property, arithmetic on columns, a scalar subquery.
    - ``load(session, records)`` returns it instead, as a value for each record, in their order: one call for all the
      records of a page, so ask the database once.

    Lists can be sorted by one with ``sql`` where an index begins with that very expression or the resource is ``few``;
    then it may also be named in ``filters``. An answer never fails for an empty one: None is shown as empty.
    """

    name: str
    label: str
    kind: Kind = "text"
    help: str = ""
    sql: Callable[[Any], Any] | None = None
    load: Callable[[Session, Sequence[Any]], Sequence[Any]] | None = None

    @cached_property
    def column(self) -> sa.Column[Any]:
        """A column like it: type, name and help, as pages, REST and filters ask of columns; of no table."""
        return sa.Column(self.name, TYPES[self.kind](), nullable=True, info={"help": self.help})

    def expression(self, model: Any) -> sa.Label[Any]:
        """The expression under its name, of the declared type."""
        assert self.sql is not None
        return sa.type_coerce(self.sql(model), self.column.type).label(self.name)

    def served(self, model: Any) -> bool:
        """Whether a whole index of the table begins with this expression."""
        if self.sql is None:
            return False
        wanted = _written(self.sql(model), model)
        return any(
            index.dialect_options["postgresql"]["where"] is None and _written(index.expressions[0], model) == wanted
            for index in model.__table__.indexes
        )


def _written(expression: Any, model: Any) -> str:
    """An expression as SQL without the table's name, so that an index and a query write it alike."""
    clause: Any = getattr(expression, "__clause_element__", lambda: expression)()
    while isinstance(clause, sa.Label):
        clause = clause.element
    dialect: Any = postgresql.dialect
    text = str(clause.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))
    return text.replace(f"{model.__table__.name}.", "").strip("()").lower()


def fill(session: Session, resource: Any, records: Sequence[Any], names: Collection[str] | None = None) -> None:
    """Give each record the values of its computed columns, or of those in ``names``, under their names.

    One statement for all that are SQL, and one call for each of the others.
    """
    wanted = [one for one in resource.computed if names is None or one.name in names]
    if not records or not wanted:
        return
    if by_sql := [one for one in wanted if one.sql is not None]:
        key = getattr(resource.model, resource.key)
        keys = [getattr(record, resource.key) for record in records]
        query = sa.select(key, *(one.expression(resource.model) for one in by_sql)).where(key.in_(keys))
        found = {row[0]: row[1:] for row in session.execute(query)}
        for record in records:
            keep(record, by_sql, found.get(getattr(record, resource.key), (None,) * len(by_sql)))
    load(session, resource, records, names)


def load(session: Session, resource: Any, records: Sequence[Any], names: Collection[str] | None = None) -> None:
    """``fill`` for the columns that are worked out by a function."""
    for one in resource.computed:
        if one.load is not None and records and (names is None or one.name in names):
            for record, value in zip(records, one.load(session, records), strict=True):
                keep(record, [one], [value])


def keep(record: Any, columns: Sequence[Computed], values: Sequence[Any]) -> None:
    """Note the values on the record; it is not changed by that."""
    for one, value in zip(columns, values, strict=True):
        record.__dict__[one.name] = value
