"""A column whose text is sealed in the table and plain in Python.

::

    secret: Mapped[str] = mapped_column(Sealed("core.totp"))

It finds the keyring on the dialect of the engine that runs the statement (``Keyring.serve``): no global, and it works
in any session or connection of a platform's database. Each column has a context of its own; a value that is moved to
another column does not open. The audit trail masks it as if ``info={"secret": True}`` were given.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, LargeBinary, MetaData, Table, TypeDecorator
from sqlalchemy.sql import operators

from core.crypto.keyring import _ON_DIALECT, Keyring


class _Closed(TypeDecorator.Comparator[Any]):
    """A sealed value is another at each writing: only whether there is one can be asked."""

    def operate(self, op: Any, *other: Any, **options: Any) -> Any:
        if op in (operators.is_, operators.is_not) or (op in (operators.eq, operators.ne) and other == (None,)):
            return super().operate(op, *other, **options)
        raise TypeError("a sealed column cannot be searched or sorted by")


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
        return None if value is None else _keyring(dialect).seal(self.context, value.encode())

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else _keyring(dialect).unseal(self.context, bytes(value)).decode()

    def __repr__(self) -> str:
        return f"Sealed({self.context!r})"


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
