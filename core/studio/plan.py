"""What writing a design would do: the files of its folder and the SQL of its migration, before anything happens.

It runs in a fork of the child (see ``child``), reads the database in transactions that cannot write, leaves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, make_url, pool, text
from sqlalchemy.exc import OperationalError

from core.db import advice, migrate, renames
from core.db.base import owner_of
from core.db.branch import Branch
from core.platform import Platform
from core.plugin import Plugin

READ_ONLY = "-c timezone=UTC -c default_transaction_read_only=on -c lock_timeout=2s -c statement_timeout=20s"
LOSSES = ("TABLE_DROPPED", "COLUMN_DROPPED")


def planned(
    platform: Platform, branches: Sequence[Branch], plugin: Plugin, home: Path, question: dict[str, Any]
) -> dict[str, Any]:
    """The new revision of a design, its SQL, and what to think of before; ``revision`` is "" where tables agree.

    ``code`` names a refusal: TAKEN (the database has tables or revisions of a plugin of this name that is not
    installed), WAITING (a revision of the plugin is not applied yet), GONE (a plugin was taken away since the start).
    """
    import core.rest.models  # noqa: F401  (every table of the core)

    url = make_url(platform.database.url).update_query_dict({"options": READ_ONLY}).render_as_string(False)
    engine = create_engine(url, poolclass=pool.NullPool)
    branch = next(one for one in branches if one.name == plugin.name)
    have = migrate.current(engine)
    if refusal := _refusal(engine, branches, branch, have, new=not question["folder"]):
        return refusal
    branches = [one for one in branches if one is branch or _revisions(one) & have]  # what has no tables is left out
    before = {path.name for path in branch.folder.glob("*.py")}
    if not migrate.differences(url, branches, plugin.name):
        return {"revision": "", "file": "", "source": "", "sql": "", "advice": [], "losses": [], "renamed": []}
    message = question["message"]
    with engine.connect() as connection:
        renamed = renames.of(connection, plugin.name, [migrate.CORE.name, *(one.name for one in branches)])
    path = Path(migrate.revision(url, branches, plugin.name, message))
    assert path.name not in before
    revision = f"{plugin.name}_{len(before) + 1:04d}"
    script = ScriptDirectory.from_config(migrate.settings([migrate.CORE, *branches]))
    found = advice.check(engine, branches, [revision])
    return {
        "revision": revision,
        "file": path.name,
        "source": path.read_text("utf-8"),
        "sql": advice.sql_of(script, revision).strip(),
        "advice": [{"code": one.code, "sentence": one.sentence, "params": one.params} for one in found],
        "losses": [_loss(engine, plugin, renamed, one.params) for one in found if one.code in LOSSES],
        "renamed": [[_shown(plugin, one) for one in pair] for pair in renamed.told],
    }


def _loss(engine: Engine, plugin: Plugin, renamed: renames.Renames, params: dict[str, str]) -> dict[str, Any]:
    """A table or column that goes, and how many rows hold a value in it; None where that takes too long to count."""
    quote = engine.dialect.identifier_preparer.quote
    table, column = renamed.tables.get(params["table"], params["table"]), params["column"]
    what = f"count({quote(column)})" if column else "count(*)"
    rows = None
    with engine.connect() as connection, suppress(OperationalError):
        rows = connection.scalar(text(f"SELECT {what} FROM {quote(table)}"))
    return {"name": _shown(plugin, f"{table}.{column}".rstrip(".")), "rows": rows}


def _shown(plugin: Plugin, name: str) -> str:
    """A table or column as the design calls it: the resource, or ``resource.field``."""
    return name.removeprefix(f"{plugin.name}_")


def _refusal(
    engine: Engine, branches: Sequence[Branch], branch: Branch, have: set[str], *, new: bool
) -> dict[str, Any] | None:
    """Why nothing can be compared: it takes a database in which whatever is there is whole."""
    script = ScriptDirectory.from_config(migrate.settings([migrate.CORE, *branches]))
    if gone := sorted(have - {one.revision for one in script.walk_revisions()}):
        return {"error": gone[0], "code": "GONE"}
    for one in (migrate.CORE, *branches):
        mine = {head for head in script.get_heads() if head.rpartition("_")[0] == one.name}
        if not mine <= have and (_revisions(one) & have or (one is branch and not new)):
            return {"error": one.name, "code": "WAITING"}
    if not new:
        return None
    names = [one.name for one in branches] + ["core"]
    with engine.connect() as connection:
        parked = connection.scalars(text("SELECT revision FROM core_parked_revision")).all()
        tables = [one for one in inspect(connection).get_table_names() if owner_of(one, names) == branch.name]
    left = [*tables, *(one for one in [*parked, *have] if one.rpartition("_")[0] == branch.name)]
    return {"error": ", ".join(left[:5]), "code": "TAKEN"} if left else None


def _revisions(branch: Branch) -> set[str]:
    """The revisions of a branch, by the names of their files, which begin with them."""
    found = (re.match(rf"{branch.name}_\d+", path.name) for path in branch.folder.glob("[!_.]*.py"))
    return {one[0] for one in found if one}
