"""Whether a plugin's revisions make what its models say, and whether they can be taken back and made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import create_engine, inspect, pool

from core.db import migrate
from core.db.base import owner_of
from core.db.branch import Outcome
from core.platform import Platform
from core.plugin_kit.finding import Finding


def examine(platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """Up, down and up again on the platform's database, which is migrated; it is left so."""
    wanted, branches = list(names), {branch.name: branch for branch in platform.branches}
    url = platform.database.url
    differing = [finding for name in wanted for finding in _differing(platform, name)]
    yield from differing
    known = {finding.plugin for finding in differing}
    chosen = {name for name in branches if name in wanted or _builds_on(platform, name, wanted)}
    backwards = [branch for branch in reversed(platform.branches) if branch.name in chosen]
    down = True
    for branch in backwards:
        outcome = migrate.downgrade(url, platform.branches, branch)
        if not outcome.ok:
            down = False
            yield from _failed(branch.name, "taken back", outcome, wanted)
            break
        if branch.name in wanted and (left := _tables(platform, branch.name)):
            what = f"Taken back, its revisions leave {', '.join(left)}: drop in downgrade() what upgrade() made."
            yield Finding(branch.name, "MIGRATION_LEAVES", what, "migrations")
    again = migrate.upgrade(url, platform.branches)
    for name in wanted:
        if not again[name].ok:
            yield from _failed(name, "made again after they were taken back", again[name], wanted)
        elif down and name not in known and list(_differing(platform, name)):
            what = "Made again after they were taken back, its revisions do not make what the models say."
            yield Finding(name, "MIGRATION_DIFFERS", what, "migrations")


def _builds_on(platform: Platform, name: str, wanted: list[str]) -> bool:
    """Whether ``name`` requires one of ``wanted``, at any remove."""
    plugin = platform.registry.plugins.get(name)
    needs = list(plugin.requires) if plugin else []
    return any(need in wanted or _builds_on(platform, need, wanted) for need in needs)


def _failed(name: str, what: str, outcome: Outcome, wanted: list[str]) -> Iterator[Finding]:
    for one in [name] if name in wanted else wanted:
        whose = "Its revisions" if one == name else f"The revisions of {name}, which builds on it,"
        yield Finding(one, "MIGRATION_FAILS", f"{whose} cannot be {what}: {outcome.reason}", "migrations")


def _differing(platform: Platform, name: str) -> Iterator[Finding]:
    differences = migrate.differences(platform.database.url, platform.branches, name)
    if differences:
        shown = "; ".join(sorted(_told(one) for one in differences)[:5])
        what = f'Its tables are not what the models say ({shown}): run guildhall db revision -p {name} "…".'
        yield Finding(name, "MIGRATION_DIFFERS", what, "migrations")


def _told(difference: Any) -> str:
    """One difference of Alembic's comparison: what, and of which table, column, index or constraint."""
    if isinstance(difference, list):
        return ", ".join(_told(one) for one in difference)
    named = [
        str(getattr(part, "name", part)) for part in difference[1:] if isinstance(part, str) or hasattr(part, "name")
    ]
    return " ".join([str(difference[0]), *dict.fromkeys(one for one in named if one != "None")])


def _tables(platform: Platform, name: str) -> list[str]:
    """Tables of the plugin that are in the database."""
    names = ["core", *(branch.name for branch in platform.branches)]
    engine = create_engine(platform.database.url, poolclass=pool.NullPool)
    return sorted(table for table in inspect(engine).get_table_names() if owner_of(table, names) == name)
