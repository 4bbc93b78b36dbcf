"""Alembic's environment. It runs only under Guildhall's own runner (core/db/migrate.py)."""

from alembic import context

from core.db.base import metadata, owner_of

config = context.config
connection = config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run `guildhall db upgrade`: plain alembic commands do not know the order of plugins.")
scope = config.attributes["scope"]
names = config.attributes["names"]


def mine(table: str | None) -> bool:
    return owner_of(table or "", names) == scope if scope else True


context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=lambda name, kind, parents: kind != "table" or mine(name),
    include_object=lambda item, name, kind, reflected, other: kind != "table" or mine(name),
    compare_type=True,
    transaction_per_migration=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
