"""A revision is read before it runs, and what would hurt the release before is said in one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core.db import advice, migrate
from tests.core.workshop import Workshop

SLOW = {"INDEX_BLOCKS", "CONSTRAINT_CHECKED", "TYPE_CHANGED", "COLUMN_REWRITES"}  # a matter of the table's size


@pytest.mark.parametrize(
    ("sql", "code", "where"),
    [
        ("DROP TABLE alpha_thing", "TABLE_DROPPED", "alpha_thing"),
        ("ALTER TABLE alpha_thing RENAME TO alpha_other", "TABLE_RENAMED", "alpha_thing"),
        ("ALTER TABLE alpha_thing DROP COLUMN name", "COLUMN_DROPPED", "alpha_thing.name"),
        ("ALTER TABLE alpha_thing DROP IF EXISTS name CASCADE", "COLUMN_DROPPED", "alpha_thing.name"),
        ('ALTER TABLE ONLY "alpha_thing" RENAME COLUMN name TO title', "COLUMN_RENAMED", "alpha_thing.name"),
        ("alter table alpha_thing add column name text not null", "COLUMN_REQUIRED", "alpha_thing.name"),
        ("ALTER TABLE alpha_thing ADD at timestamptz DEFAULT clock_timestamp()", "COLUMN_REWRITES", "alpha_thing.at"),
        ("ALTER TABLE alpha_thing ALTER COLUMN name SET NOT NULL", "NULL_REFUSED", "alpha_thing.name"),
        ("ALTER TABLE alpha_thing ALTER name TYPE varchar(9)", "TYPE_CHANGED", "alpha_thing.name"),
        ("ALTER TABLE alpha_thing ADD CONSTRAINT c CHECK (a > 0)", "CONSTRAINT_CHECKED", "alpha_thing"),
        ("CREATE UNIQUE INDEX i ON alpha_thing (name)", "INDEX_BLOCKS", "alpha_thing"),
    ],
)
def test_each_thing_that_hurts_is_named(sql: str, code: str, where: str) -> None:
    [found] = advice.advise("alpha_0002", f"-- DROP TABLE x;\nSELECT 'DROP TABLE y;';\n{sql};")
    assert found.code == code and where in str(found) and str(found).startswith("alpha_0002: ")
    assert "\n" not in str(found) and "{" not in str(found)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE alpha_thing ADD COLUMN name text, ADD COLUMN n numeric(9, 2) NOT NULL DEFAULT 0",
        "ALTER TABLE alpha_thing ADD CHECK (a > 0) NOT VALID; ALTER TABLE alpha_thing VALIDATE CONSTRAINT c",
        "CREATE TABLE alpha_new (id uuid NOT NULL, n text NOT NULL); CREATE INDEX i ON alpha_new (n);"
        "ALTER TABLE alpha_new ADD FOREIGN KEY (id) REFERENCES core_member; DROP TABLE alpha_new",
        "CREATE INDEX CONCURRENTLY i ON alpha_thing (name)",
        "DO $$ BEGIN EXECUTE 'DROP TABLE alpha_thing'; END $$",
        "ALTER TABLE alpha_thing ALTER COLUMN name DROP NOT NULL; ALTER TABLE alpha_thing DROP CONSTRAINT c",
    ],
)
def test_what_only_adds_is_not_mentioned(sql: str) -> None:
    assert advice.advise("alpha_0002", sql) == []


def test_two_changes_in_one_statement_are_two_lines() -> None:
    sql = "ALTER TABLE alpha_thing DROP COLUMN a, ADD COLUMN b text NOT NULL"
    assert [one.code for one in advice.advise("alpha_0002", sql)] == ["COLUMN_DROPPED", "COLUMN_REQUIRED"]


def test_only_what_the_database_does_not_have_is_read(workshop: Workshop) -> None:
    workshop.plugin("alpha")
    workshop.migration("alpha", 1, "CREATE TABLE alpha_thing (id integer, name text)")
    platform = workshop.boot()
    engine, branches = platform.database.engine, platform.branches
    assert advice.check(engine, branches) == []
    workshop.migration("alpha", 2, "op.drop_column('alpha_thing', 'name')")
    workshop.migration("alpha", 3, "op.create_index('i', 'alpha_thing', ['id'])")
    workshop.migration("alpha", 4, "op.get_bind().execute('rows').all()")
    found = advice.check(engine, branches)
    assert [(one.revision, one.code) for one in found] == [
        ("alpha_0002", "COLUMN_DROPPED"),
        ("alpha_0004", "NOT_READABLE"),
    ], "an index on a small table is made in a moment"
    with engine.begin() as connection:
        connection.execute(text("UPDATE pg_class SET reltuples = 1e6 WHERE relname = 'alpha_thing'"))
    assert [one.code for one in advice.check(engine, branches, ["alpha_0003"])] == ["INDEX_BLOCKS"]
    with pytest.raises(LookupError, match="alpha_0009"):
        advice.check(engine, branches, ["alpha_0009"])


def test_the_release_before_can_work_beside_this_one(clean_platform: Any) -> None:
    """The core's revisions after the newest dump of a release (tests/upgrade) take nothing away that it uses."""
    dump = sorted((Path(__file__).parents[2] / "upgrade").glob("core_*.sql.gz"))[-1].name.split(".")[0]
    branches = [migrate.CORE, *clean_platform.branches]
    script = ScriptDirectory.from_config(migrate.settings(branches))
    fresh = [one.revision for one in script.iterate_revisions("core@head", dump)]
    found = [one for name in fresh for one in advice.advise(name, advice.sql_of(script, name))]
    assert [str(one) for one in found if one.code not in SLOW] == []
