"""Alembic's environment. It runs only under Guildhall's own runner (core/db/migrate.py)."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import String, TypeDecorator

from core.db.base import metadata, owner_of

config = context.config
connection = config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run `guildhall db upgrade`: plain alembic commands do not know the order of plugins.")
scope = config.attributes["scope"]
names = config.attributes["names"]


def mine(table: str | None) -> bool:
    return owner_of(table or "", names) == scope if scope else True


def written(what: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """A type of Guildhall's own, such as that of money, as what it is in the table: a revision imports no models."""
    if what != "type" or type(item).__module__.startswith("sqlalchemy."):
        return False
    if isinstance(item, TypeDecorator):
        item = item.impl_instance
    elif isinstance(item, String):
        item = String(item.length)
    return f"sa.{item!r}" if type(item).__module__ == "sqlalchemy.sql.sqltypes" else False


context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=lambda name, kind, parents: kind != "table" or mine(name),
    include_object=lambda item, name, kind, reflected, other: kind != "table" or mine(name),
    compare_type=True,
    render_item=written,
    transaction_per_migration=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
