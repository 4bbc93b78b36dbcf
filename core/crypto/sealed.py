"""A column whose text is sealed in the table and plain in Python.

::

    secret: Mapped[str] = mapped_column(Sealed("core.totp"))

It finds the keyring on the dialect of the engine that runs the statement (``Keyring.serve``): no global, and it works
in any session or connection of a platform's database. Each column has a context of its own, and each value is bound to
its row: moved to another column or another row it does not open. The audit trail masks it as if
``info={"secret": True}`` were given.

Objects of a session are bound as they are flushed. A statement that writes such a column itself names the row:
``insert(T).values(id=key, secret=bound("…", key))``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    cast,
    event,
    func,
    literal,
    type_coerce,
)
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators

from core.crypto.keyring import _ON_DIALECT, OF_ROW, Keyring

_END = b"\0"


class _Closed(TypeDecorator.Comparator[Any]):
    """A sealed value is another at each writing: only whether there is one can be asked."""

    def operate(self, op: Any, *other: Any, **options: Any) -> Any:
        # SQLAlchemy itself compares columns, to find one in a list.
        compared = op in (operators.eq, operators.ne) and (other[0] is None or isinstance(other[0], ClauseElement))
        if compared or op in (operators.is_, operators.is_not):
            return super().operate(op, *other, **options)
        raise TypeError("a sealed column cannot be searched or sorted by")


class Bound(str):
    """Plain text on its way into a sealed column of the row ``about``."""

    about: str


def bound(value: str, *key: Any) -> Bound:
    """``value`` for the sealed column of the row with this primary key, where a statement writes it."""
    made = Bound(value)
    made.about = row_name(key)
    return made


def row_name(key: Any) -> str:
    """What a sealed value is bound to: the parts of its row's primary key, as the database writes them as text."""
    return "|".join(map(str, key))


class Sealed(TypeDecorator[str]):
    """Text sealed under the data key of ``context``, which reads ``<plugin>.<what>`` and belongs to one column."""

    impl = LargeBinary
    cache_ok = True
    comparator_factory = _Closed

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    @property
    def python_type(self) -> type[str]:
        return str

    def _set_parent(self, parent: Any, outer: bool = False, **options: Any) -> None:
        super()._set_parent(parent, outer=outer, **options)
        parent.info["secret"] = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:
        if value is None:
            return None
        if not isinstance(value, Bound):
            raise TypeError("a statement that writes a sealed column names its row: core.crypto.sealed.bound")
        return _keyring(dialect).seal(self.context, value.encode(), value.about, OF_ROW)

    def column_expression(self, column: Any) -> Any:
        """The value after the name of its row, which it was bound to."""
        names = [cast(part, Text) for part in column.table.primary_key]
        if not names:
            raise TypeError(f"{column} is read together with the primary key of its row")
        row = func.convert_to(func.concat_ws("|", *names), "UTF8")
        return type_coerce(row.op("||")(literal(_END, LargeBinary)).op("||")(column), self)

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        if value is None:
            return None
        row, _end, sealed = bytes(value).partition(_END)
        return open_value(_keyring(dialect), self.context, sealed, row.decode())

    def __repr__(self) -> str:
        return f"Sealed({self.context!r})"


def open_value(keyring: Keyring, context: str, sealed: bytes, row: str) -> str:
    """What a sealed column holds in ``row``; the old form, which was bound to no row, still opens."""
    return keyring.unseal(context, sealed, row if sealed[:1] == OF_ROW else "").decode()


def _keyring(dialect: Any) -> Keyring:
    keyring: Keyring | None = getattr(dialect, _ON_DIALECT, None)
    if keyring is None:
        raise RuntimeError("a sealed column is read and written through the database of a Platform alone")
    return keyring


def columns(metadata: MetaData) -> list[tuple[Table, Column[Any], str]]:
    """Every sealed column: its table, itself and its context. Raises ValueError when two share a context."""
    found: dict[str, tuple[Table, Column[Any], str]] = {}
    for table in sorted(metadata.tables.values(), key=lambda one: one.name):
        for column in table.columns:
            if isinstance(column.type, Sealed):
                context = column.type.context
                if context in found:
                    raise ValueError(f"{found[context][1]} and {column} are both sealed as {context}")
                found[context] = (table, column, context)
    return list(found.values())


@cache
def _sealed_in(mapper: Mapper[Any]) -> tuple[str, ...]:
    return tuple(one.key for one in mapper.column_attrs if isinstance(one.columns[0].type, Sealed))


def _bind_to_row(mapper: Mapper[Any], connection: Any, target: Any) -> None:
    """Before an object is written: its sealed values learn which row they belong to."""
    for name in _sealed_in(mapper):
        value = target.__dict__.get(name)
        if value is not None:
            target.__dict__[name] = bound(value, *_key_of(mapper, target))


def _key_of(mapper: Mapper[Any], target: Any) -> tuple[Any, ...]:
    """The primary key, made now where a default would make it later."""
    for column in mapper.primary_key:
        name = mapper.get_property_by_column(column).key
        if getattr(target, name) is None and column.default is not None:
            setattr(target, name, column.default.arg(None))
    return mapper.primary_key_from_instance(target)


event.listen(Mapper, "before_insert", _bind_to_row)
event.listen(Mapper, "before_update", _bind_to_row)
