"""The declarative base every table is built on.

It is Flask-AppBuilder's own base, so that roles and members live in one metadata; this module and
``core/fab`` are the only ones that may import it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from flask_appbuilder import Model as _FabModel
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, registry

from core.clock import now
from core.ids import new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata: MetaData = _FabModel.metadata
metadata.naming_convention = NAMING

# The role tables, which members and access refer to; only after the naming convention is set.
from flask_appbuilder.security.sqla import models as role_tables  # noqa: E402

# Flask-AppBuilder's forms break on columns of these names.
RESERVED_COLUMNS = frozenset({"meta", "data", "errors", "process", "validate"})


class Units(TypeDecorator[int]):
    """A whole number of an asset's smallest unit: ``NUMERIC(38,0)`` in the table, ``int`` in Python."""

    impl = Numeric(38, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        if value is not None and type(value) is not int:
            raise TypeError(f"money is a whole number of units, not {value!r}")
        return value

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else int(value)

    @property
    def python_type(self) -> type[int]:
        return int


# Column types by the field's own words; use them as ``Mapped[...]``.
Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), default=now)]
Amount = Annotated[int, mapped_column(Units)]
Count = Annotated[int, mapped_column(BigInteger)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
ShortText = Annotated[str, mapped_column(String(120))]
SearchText = Annotated[str, mapped_column(String(120), info={"search": True})]
FullText = Annotated[str, mapped_column(Text, info={"full_text": True})]
LongText = Annotated[str, mapped_column(Text)]
Slug = Annotated[str, mapped_column(String(80))]
MemberRef = Annotated[UUID, mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"), index=True)]


def owner_of(table: str, names: list[str]) -> str | None:
    """The plugin a table belongs to: the longest name that prefixes it. Roles' tables belong to the core."""
    if table.startswith("ab_"):
        return "core"
    return max((name for name in names if table.startswith(name + "_")), key=len, default=None)


def member_column(table: Table) -> Column[Any] | None:
    """The column that names the member a row of ``table`` is about; None where rows are about nobody.

    Of several references it is ``member_id``, ``owner_id``, or else the first; the others only mention a member.
    """
    if table.name == "core_member":
        return table.c.id
    found = {column.name: column for column in table.columns if names_member(column)}
    return found.get("member_id", found.get("owner_id", next(iter(found.values()), None)))


def names_member(column: Column[Any]) -> bool:
    """Whether the column refers to a member."""
    return any(key.target_fullname == "core_member.id" for key in column.foreign_keys)


@event.listens_for(Column, "after_parent_attach")
def _serve_search(column: Column[Any], table: Table) -> None:
    """Give a column marked ``info={"search": True}`` the index that searching by its beginning needs, in any collation.

    Rows without a value cost nothing.
    """
    if column.info.get("search"):
        Index(
            f"ix_{table.name}_{column.name}_search",
            func.lower(column).label("searched"),
            postgresql_ops={"searched": "text_pattern_ops"},
            postgresql_where=column.is_not(None) if column.nullable else None,
        )
    if column.info.get("full_text"):
        Index(f"ix_{table.name}_{column.name}_words", words_of(column), postgresql_using="gin")


MOST_INDEXED = 100_000  # letters: PostgreSQL refuses to index a text whose different words are more than a megabyte


def words_of(column: Any) -> ColumnElement[Any]:
    """The words of a long text as its index has them: of every language alike, without stems and stop words."""
    return func.to_tsvector(text("'simple'"), func.left(column, text(str(MOST_INDEXED))))


def served_search(column: Column[Any]) -> bool:
    """Whether an index serves looking for what ``column`` begins with, whatever the case, or for words in it."""
    return bool(column.info.get("full_text")) or any(
        isinstance(first := index.expressions[0], ColumnElement | TextClause)
        and str(first).startswith((f"lower({column})", f"lower({column.name})"))
        for index in column.table.indexes
    )


def choice(*values: str, default: str | None = None, name: str = "") -> Any:
    """A column that holds one of ``values``; the table checks it, forms offer a list.

    ``name`` is the check's, by default made of the values: give one where another column of the table has the same.
    """
    named = name or "_".join(values)[:30]
    kind = Enum(*values, native_enum=False, create_constraint=True, length=40, name=named)
    return mapped_column(kind, default=default, server_default=default)


class Model(_FabModel):  # type: ignore[misc]
    """Base of every Guildhall table. Tables are named ``<plugin>_<thing>``; two of one name are refused."""

    __abstract__ = True
    __table_args__: ClassVar[Any] = {"extend_existing": False}

    registry: ClassVar[registry]


def broken_models() -> set[str]:
    """Names of the modules with a model whose relations SQLAlchemy could not resolve."""
    return {mapper.class_.__module__ for mapper in Model.registry.mappers if mapper._configure_failed}


def modules_with_models() -> set[str]:
    """Names of the modules that mapped classes were made in, whether or not their import succeeded."""
    return {mapper.class_.__module__ for mapper in Model.registry.mappers}


def forget(plugin: str, modules: Collection[str], names: Collection[str]) -> None:
    """Take out the models of ``modules`` and the tables of ``plugin``; ``names`` are all plugins there are."""
    if not modules:
        return
    gone: set[Any] = {table for name, table in metadata.tables.items() if owner_of(name, [*names, "core"]) == plugin}
    for mapper in list(Model.registry.mappers):
        if mapper.class_.__module__ in modules:
            gone.add(mapper.local_table)
            Model.registry._managers.pop(mapper.class_manager)
            Model.registry._dispose_manager_and_mapper(mapper.class_manager)
    for table in gone:
        metadata.remove(table)


__all__ = [
    "RESERVED_COLUMNS",
    "Amount",
    "Count",
    "CreatedAt",
    "FullText",
    "Id",
    "Instant",
    "Json",
    "LongText",
    "Mapped",
    "MemberRef",
    "Model",
    "ShortText",
    "Slug",
    "Units",
    "broken_models",
    "choice",
    "forget",
    "member_column",
    "metadata",
    "modules_with_models",
    "names_member",
    "owner_of",
    "role_tables",
    "words_of",
]
