"""Migrations: one Alembic environment, one labelled branch a plugin, run in dependency order under a lock.

Plain ``alembic upgrade heads`` is refused: branch order is not dependency order. Rows of plugins that are no
longer installed are parked, and restored when the plugin comes back.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, Engine, create_engine, inspect, pool, text
from sqlalchemy.exc import ProgrammingError

from core.db import choices as choices  # autogenerate asks it
from core.db import renames
from core.db.branch import Branch, DatabaseUnfit, Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = "core.db.migrate"
POSTGRESQL = 18


CORE = Branch("core", ROOT / "migrations" / "versions")


def upgrade(url: str, branches: Sequence[Branch]) -> dict[str, Outcome]:
    """Bring the core and then each branch (already in dependency order) to its newest revision.

    Waits for the lock of another runner. A branch that fails is left at its last whole revision, its dependants
    are skipped, the rest goes on; a failure of the core is raised.
    """
    engine = _engine(url)
    every, outcomes = readable(branches)
    with engine.connect() as lock:
        version = lock.dialect.server_version_info or (0,)
        if int(version[0]) < POSTGRESQL:
            found = ".".join(map(str, version))
            raise DatabaseUnfit(f"Guildhall needs PostgreSQL {POSTGRESQL}; this server is {found}.")
        if not outcomes and _recorded(lock) == heads(every):  # nothing is half done: a revision commits with its row
            return {branch.name: Outcome(True) for branch in every}
        lock.rollback()
        lock.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": LOCK})
        lock.commit()
        try:
            if not outcomes and current(engine) == heads(every):
                return {branch.name: Outcome(True) for branch in every}
            for name, revision in _park(engine, every).items():
                outcomes[name] = Outcome(False, f"the database is newer than this version: it is at {revision}")
            for branch in [CORE, *branches]:
                if branch.name not in outcomes:
                    outcomes[branch.name] = _upgrade_one(engine, every, branch, outcomes)
        finally:
            lock.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), {"name": LOCK})
            lock.commit()
            engine.dispose()
    return outcomes


def _engine(url: str) -> Engine:
    """Revisions send several commands at once, which PostgreSQL does not prepare."""
    return create_engine(url, poolclass=pool.NullPool, connect_args={"prepare_threshold": None})


def _upgrade_one(engine: Engine, every: list[Branch], branch: Branch, done: dict[str, Outcome]) -> Outcome:
    if missing := [need for need in branch.requires if need in done and not done[need].ok]:
        return Outcome(False, f"it builds on {', '.join(missing)}, which could not be migrated")
    if not any(branch.folder.glob("*.py")):
        return Outcome(True)
    try:
        with engine.connect() as connection:
            command.upgrade(settings(every, connection), f"{branch.name}@head")
            connection.commit()
    except Exception as problem:
        if branch.name == "core":
            raise
        return _failure(problem)
    return Outcome(True)


def upgrade_branch(url: str, branches: Sequence[Branch], branch: Branch) -> Outcome:
    """Bring one branch, and no other, to its newest revision; waits for the lock of another runner.

    It gives up after ten seconds when a table is locked by others; then nothing of the revision stays.
    """
    engine = _engine(url)
    every = [CORE, *branches]
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": LOCK})
            connection.commit()
            try:
                connection.execute(text("SET lock_timeout = '10s'"))
                connection.commit()
                command.upgrade(settings(every, connection), f"{branch.name}@head")
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), {"name": LOCK})
                connection.commit()
    except Exception as problem:
        return _failure(problem)
    finally:
        engine.dispose()
    return Outcome(True)


def downgrade(url: str, branches: Sequence[Branch], branch: Branch) -> Outcome:
    """Undo every revision of one branch, in one transaction; waits for the lock of another runner."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": LOCK})
            if any(branch.folder.glob("*.py")):
                command.downgrade(settings([CORE, *branches], connection), f"{branch.name}@base")
            connection.commit()
    except Exception as problem:
        return _failure(problem)
    finally:
        engine.dispose()
    return Outcome(True)


def _failure(problem: Exception) -> Outcome:
    first = str(problem).partition("\n")[0]
    return Outcome(False, f"{type(problem).__name__}: {first}", traceback.format_exc())


def readable(branches: Sequence[Branch]) -> tuple[list[Branch], dict[str, Outcome]]:
    """Core and the branches whose revisions can be read, and why each of the others cannot.

    Alembic reads all revisions at once, so that one bad file would stop every plugin.
    """
    try:
        _check_revisions([CORE, *branches])
        return [CORE, *branches], {}
    except Exception:
        good, bad = [CORE], {}
    for branch in branches:
        try:
            _check_revisions([*good, branch])
            good.append(branch)
        except Exception as problem:
            bad[branch.name] = _failure(problem)
    return good, bad


def _check_revisions(branches: Sequence[Branch]) -> None:
    """Read every revision; its name must tell whose it is, so that it can be parked when the plugin is gone."""
    scripts = {
        Path(one.path).resolve(): one for one in ScriptDirectory.from_config(settings(branches)).walk_revisions()
    }
    for branch in branches:
        for path in sorted(branch.folder.resolve().glob("[!_.]*.py")):
            if path not in scripts:
                raise ValueError(f"{path.name} has the revision of another file")
            if _owner(scripts[path].revision) != branch.name:
                raise ValueError(f"the revision {scripts[path].revision} must be called {branch.name}_<number>")


def _owner(revision: str) -> str:
    return revision.rpartition("_")[0]


def settings(branches: Sequence[Branch], connection: Connection | None = None, scope: str = "") -> AlembicConfig:
    """Alembic's configuration over all branches; ``scope`` limits autogenerate to one plugin's tables."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = [str(branch.folder) for branch in branches if branch.folder.is_dir()]
    config.set_main_option("version_locations", "\n".join(folders).replace("%", "%%"))
    config.attributes.update(connection=connection, scope=scope, names=[branch.name for branch in branches])
    return config


def heads(branches: Sequence[Branch]) -> set[str]:
    """The newest revision of every branch, as the code has it."""
    return set(ScriptDirectory.from_config(settings(branches)).get_heads())


def current(engine: Engine) -> set[str]:
    """The revisions that the database has."""
    with engine.connect() as connection:
        return _recorded(connection)


def _recorded(connection: Connection) -> set[str]:
    try:
        return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    except ProgrammingError as problem:
        if not isinstance(problem.orig, UndefinedTable):
            raise
        connection.rollback()
        return set()


def _park(engine: Engine, every: list[Branch]) -> dict[str, str]:
    """Set aside rows of plugins that are not installed; restore those that are back.

    Returns the revision that the database has of each branch whose code is older.
    """
    known = {revision.revision for revision in ScriptDirectory.from_config(settings(every)).walk_revisions()}
    with engine.begin() as connection:
        if not inspect(connection).has_table("core_parked_revision"):
            return {}
        for revision in connection.scalars(text("SELECT revision FROM core_parked_revision")).all():
            if revision in known:
                connection.execute(text("INSERT INTO alembic_version VALUES (:r)"), {"r": revision})
                connection.execute(text("DELETE FROM core_parked_revision WHERE revision = :r"), {"r": revision})
        for revision in connection.scalars(text("SELECT version_num FROM alembic_version")).all():
            if revision in known:
                continue
            if _owner(revision) == CORE.name:
                raise DatabaseUnfit(f"The database is newer than this Guildhall: it is at {revision}.")
            connection.execute(text("INSERT INTO core_parked_revision VALUES (:r)"), {"r": revision})
            connection.execute(text("DELETE FROM alembic_version WHERE version_num = :r"), {"r": revision})
        names = {branch.name for branch in every}
        parked = connection.scalars(text("SELECT revision FROM core_parked_revision")).all()
        return {_owner(revision): revision for revision in parked if _owner(revision) in names}


def revision(url: str, branches: Sequence[Branch], name: str, message: str) -> str:
    """Write the next revision of branch ``name`` by comparing its models with the database; returns its path.

    Raises LookupError where there is no such branch.
    """
    every = [CORE, *branches]
    branch = next((one for one in every if one.name == name), None)
    if branch is None:
        raise LookupError(f"There is no plugin {name} here, or it is not loaded: see guildhall plugin list.")
    branch.folder.mkdir(exist_ok=True)
    number = len(list(branch.folder.glob("*.py"))) + 1
    engine = _engine(url)
    with engine.connect() as connection:
        renamed = renames.of(connection, name, [one.name for one in every])
        connection.rollback()
        engine.dialect.inspector = renamed.inspector  # type: ignore[attr-defined]  # what Alembic compares with is already renamed
        script = command.revision(
            settings(every, connection, scope=name),
            process_revision_directives=renamed.write,
            message=message,
            autogenerate=True,
            version_path=str(branch.folder),
            rev_id=f"{name}_{number:04d}",
            head="base" if number == 1 else f"{name}@head",
            branch_label=name if number == 1 else None,
        )
    engine.dispose()
    return str(script.path)  # type: ignore[union-attr]


def differences(url: str, branches: Sequence[Branch], name: str) -> list[object]:
    """What autogenerate would still write for branch ``name``; empty when models and tables agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from core.db.base import metadata, owner_of

    names = [CORE.name, *(branch.name for branch in branches)]
    engine = _engine(url)
    with engine.connect() as connection:
        options = {
            "include_name": lambda table, kind, _: kind != "table" or owner_of(table or "", names) == name,
            "include_object": lambda _, table, kind, *__: kind != "table" or owner_of(table or "", names) == name,
            "compare_type": True,
        }
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return list(found)
