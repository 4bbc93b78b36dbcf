"""Tables and columns that have another name than in the database: a revision renames them, and what they hold stays.

A model says so: ``__table_args__ = ({"info": {"was": "club_room", "columns_were": {"size": "seats"}}},)``. It counts
while the database has the former name and not the present one, and no model uses the former; so it may stay there.
Constraints and indexes that are named after them follow, and so do the keys of translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alembic.operations import ops
from sqlalchemy import JSON, Connection, ForeignKeyConstraint, String, Table, inspect, text
from sqlalchemy.dialects.postgresql.base import PGInspector

from core.db.base import metadata, owner_of

_KINDS = (
    *("columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints"),
    *("table_comment", "check_constraints", "table_options"),
)
_WORD = re.compile(r"'(?:[^']|'')*'|\b\w+\b")
_LISTS = ("column_names", "constrained_columns", "include_columns", "postgresql_include")
_TEXTS = ("sqltext", "postgresql_where")
# Indexes that are no constraint's, and constraints, those of NOT NULL among them.
_NAMED = text(
    "SELECT conname AS name, true AS is_constraint FROM pg_constraint WHERE conrelid = to_regclass(:name) "
    "UNION ALL SELECT relname, false FROM pg_index JOIN pg_class ON oid = indexrelid "
    "WHERE indrelid = to_regclass(:name) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid "
    "AND contype IN ('p', 'u', 'x'))"
)


@dataclass
class Renames:
    """What a plugin's models call otherwise than the database.

    ``tables`` and ``columns`` (by the table's present name) map a present name to the former one, ``names`` the former
    name of a constraint or index to the present one; ``up`` and ``down`` are the statements.
    """

    tables: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    up: list[str] = field(default_factory=list)
    down: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Each table and column with its former and its present name, ``table`` or ``table.column``."""
        moved = [(former, name) for name, former in self.tables.items()]
        for table, columns in self.columns.items():
            moved += [
                (f"{self.tables.get(table, table)}.{former}", f"{table}.{name}") for name, former in columns.items()
            ]
        return moved

    def add(self, up: str, down: str) -> None:
        """One statement, and what takes it back."""
        self.up.append(up)
        self.down.insert(0, down)

    def write(self, _context: Any, _revision: Any, directives: list[Any]) -> None:
        """Put the statements into a revision that Alembic is about to write."""
        for script in directives:
            script.upgrade_ops.ops[:0] = [ops.ExecuteSQLOp(one) for one in self.up]
            script.downgrade_ops.ops += [ops.ExecuteSQLOp(one) for one in self.down]

    @property
    def inspector(self) -> type[PGInspector]:
        """An inspector that sees the database as it will be once the statements have run."""
        return _inspector(self)


def of(connection: Connection, plugin: str, plugins: list[str]) -> Renames:
    """The renames that the models of ``plugin`` ask for; ``plugins`` are the names of all there are."""
    mine = [table for name, table in sorted(metadata.tables.items()) if owner_of(name, plugins) == plugin]
    found = Renames()
    if not any(table.info.get("was") or table.info.get("columns_were") for table in mine):
        return found
    quote = connection.dialect.identifier_preparer.quote
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in mine:
        former = table.info.get("was", "")
        mine_too = owner_of(former, plugins) == plugin  # never the table of somebody else
        if former in there and table.name not in there and former not in metadata.tables and mine_too:
            found.tables[table.name] = former
            found.add(
                f"ALTER TABLE {quote(former)} RENAME TO {quote(table.name)}",
                f"ALTER TABLE {quote(table.name)} RENAME TO {quote(former)}",
            )
    mine = [table for table in mine if found.tables.get(table.name, table.name) in there]
    has_translations = set()
    for table in mine:
        have = {one["name"] for one in inspector.get_columns(found.tables.get(table.name, table.name))}
        has_translations |= {table.name} if "translations" in have else set()
        for name, former in table.info.get("columns_were", {}).items():
            if name in table.c and former in have and name not in have and former not in table.c:
                found.columns.setdefault(table.name, {})[name] = former
                start = f"ALTER TABLE {quote(table.name)} RENAME COLUMN"
                found.add(f"{start} {quote(former)} TO {quote(name)}", f"{start} {quote(name)} TO {quote(former)}")
    for table in mine:
        _names_follow(connection, found, table)
        if table.name in has_translations:
            _translations_follow(connection, found, table)
    return found


def _names_follow(connection: Connection, found: Renames, table: Table) -> None:
    quote = connection.dialect.identifier_preparer.quote
    before = found.tables.get(table.name, table.name)
    wanted = {former: name for name, former in _named(connection, found, table) if former != name}
    if not wanted:
        return
    for former, is_constraint in connection.execute(_NAMED, {"name": quote(before)}).tuples():
        if (name := wanted.get(former)) is None:
            continue
        found.names[former] = name
        if is_constraint:
            start = f"ALTER TABLE {quote(table.name)} RENAME CONSTRAINT"
            found.add(f"{start} {quote(former)} TO {quote(name)}", f"{start} {quote(name)} TO {quote(former)}")
        else:
            up, down = (f"ALTER INDEX {quote(a)} RENAME TO {quote(b)}" for a, b in ((former, name), (name, former)))
            found.add(up, down)


def _named(connection: Connection, found: Renames, table: Table) -> Iterator[tuple[str, str]]:
    """The name of each constraint and index as the model has it, and as the former names would have made it."""
    preparer = connection.dialect.identifier_preparer
    before, columns = found.tables.get(table.name, table.name), found.columns.get(table.name, {})
    for one in table.constraints:
        columns_of = [column.name for column in getattr(one, "columns", ())]
        if name := preparer.format_constraint(one):
            referred = one.referred_table.name if isinstance(one, ForeignKeyConstraint) else ""
            yield name.strip('"'), _former(found, name.strip('"'), table.name, columns_of, referred)
    for index in table.indexes:
        if name := preparer.format_index(index):
            yield name.strip('"'), _former(found, name.strip('"'), table.name, [one.name for one in index.columns], "")
    for column in table.columns:  # PostgreSQL names these by itself
        yield f"{table.name}_{column.name}_not_null", f"{before}_{columns.get(column.name, column.name)}_not_null"


def _former(found: Renames, name: str, table: str, columns: list[str], referred: str) -> str:
    """What a name made by the convention (``core.db.base.NAMING``) was before; itself where it was not made so."""
    kind, _, rest = name.partition("_")
    if not rest.startswith(table):
        return name
    rest, were = rest.removeprefix(table), found.columns.get(table, {})
    joined = "".join(f"_{one}" for one in columns)
    if joined and f"{rest}_".startswith(f"{joined}_"):
        rest = "".join(f"_{were.get(one, one)}" for one in columns) + rest.removeprefix(joined)
    if referred and rest.endswith(f"_{referred}"):
        rest = rest.removesuffix(referred) + found.tables.get(referred, referred)
    return f"{kind}_{found.tables.get(table, table)}{rest}"


def _translations_follow(connection: Connection, found: Renames, table: Table) -> None:
    """Texts in other languages are kept by the column's name (``core.content_languages``)."""
    kept = table.c.get("translations")
    if kept is None or not isinstance(kept.type, JSON):
        return
    quote = connection.dialect.identifier_preparer.quote
    for name, former in found.columns.get(table.name, {}).items():
        if isinstance(table.c[name].type, String):
            found.add(_moved(quote(table.name), former, name), _moved(quote(table.name), name, former))


def _moved(table: str, former: str, name: str) -> str:
    moved = f"(texts - '{former}') || jsonb_build_object('{name}', texts -> '{former}')"
    return (
        f"UPDATE {table} SET translations = (SELECT jsonb_object_agg(language, CASE "
        f"WHEN jsonb_exists(texts, '{former}') THEN {moved} ELSE texts END) "
        "FROM jsonb_each(translations) AS each (language, texts)) WHERE translations <> '{}'"
    )


def _inspector(found: Renames) -> type[PGInspector]:
    present = {former: name for name, former in found.tables.items()}

    def table_names(self: PGInspector, *given: Any, **more: Any) -> list[str]:
        return [present.get(name, name) for name in PGInspector.get_table_names(self, *given, **more)]

    def one(kind: str) -> Any:
        def get(self: PGInspector, table_name: str, *given: Any, **more: Any) -> Any:
            read = getattr(PGInspector, f"get_{kind}")(self, found.tables.get(table_name, table_name), *given, **more)
            return _seen(found, kind, table_name, read)

        get.__name__ = f"get_{kind}"
        return get

    def several(kind: str) -> Any:
        def get(self: PGInspector, schema: Any = None, filter_names: Any = None, *given: Any, **more: Any) -> Any:
            wanted = filter_names and [found.tables.get(name, name) for name in filter_names]
            read = getattr(PGInspector, f"get_multi_{kind}")(self, schema, wanted, *given, **more)
            named = {(at, present.get(name, name)): value for (at, name), value in read.items()}
            return {key: _seen(found, kind, key[1], value) for key, value in named.items()}

        get.__name__ = f"get_multi_{kind}"
        return get

    methods = {f"get_{kind}": one(kind) for kind in _KINDS} | {f"get_multi_{kind}": several(kind) for kind in _KINDS}
    return type("RenamingInspector", (PGInspector,), {"get_table_names": table_names, **methods})


def _seen(found: Renames, kind: str, table: str, read: Any) -> Any:
    """What was read of a table, with present names."""
    columns = {former: name for name, former in found.columns.get(table, {}).items()}
    if isinstance(read, list):
        return [_seen(found, kind, table, one) for one in read]
    if not isinstance(read, Mapping):
        return read
    made: dict[str, Any] = dict(read)
    for key, value in read.items():
        if key == "name" and isinstance(value, str):
            made[key] = columns.get(value, value) if kind == "columns" else found.names.get(value, value)
        elif key == "duplicates_constraint":
            made[key] = found.names.get(value, value)
        elif key in _LISTS:
            made[key] = [columns.get(one, one) for one in value]
        elif key == "column_sorting":
            made[key] = {columns.get(one, one): how for one, how in value.items()}
        elif key == "expressions":
            made[key] = [one and _reworded(columns, one) for one in value]
        elif key in _TEXTS and isinstance(value, str):
            made[key] = _reworded(columns, value)
        elif key == "referred_table":
            present = {former: name for name, former in found.tables.items()}
            made[key] = present.get(value, value)
            referred = {former: name for name, former in found.columns.get(made[key], {}).items()}
            made["referred_columns"] = [referred.get(one, one) for one in read["referred_columns"]]
        elif key == "dialect_options":
            made[key] = _seen(found, kind, table, value)
    return made


def _reworded(columns: Mapping[str, str], expression: str) -> str:
    """An expression in PostgreSQL's words, with columns by their present names; what is quoted stays."""
    return _WORD.sub(lambda match: columns.get(match[0], match[0]), expression)


__all__ = ["Renames", "of"]
