"""The platform of one process: boot settings, registry, database, doorbell. Made once, passed on, never global."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config import Config
from core import access, generation
from core.actor import Actor
from core.clock import now
from core.db import migrate
from core.db.session import Database
from core.doorbell import Doorbell
from core.lifecycle import PluginRow, State
from core.loader import load
from core.manifest import core
from core.plugin import Plugin


class Platform:
    """Loads the plugins and holds what every process needs. Opens no connection by itself."""

    def __init__(self, config: Config, database_url: str, redis_url: str | None, extra: Iterable[Plugin] = ()) -> None:
        self.config = config
        self.registry, self.found = load(config, core, extra)
        self.bell = Doorbell(redis_url) if redis_url else None
        self.database = Database(
            database_url,
            pool_size=config.pool_size,
            info={"registry": self.registry, "config": config},
            doorbell=self.bell.ring_all if self.bell else None,
        )

    def unit_of_work(self, actor: Actor | None = None) -> AbstractContextManager[Session]:
        return self.database.unit_of_work(actor)

    @property
    def branches(self) -> list[migrate.Branch]:
        """Branches of every plugin that was found, loaded ones first in dependency order."""
        order = {name: position for position, name in enumerate(self.registry.plugins)}
        first = {one.name: one for one in reversed(self.found)}.values()
        found = sorted(first, key=lambda one: (order.get(one.name, len(order)), one.name))
        return [
            migrate.Branch(one.name, Path(one.folder) / "migrations", tuple(one.plugin.requires if one.plugin else ()))
            for one in found
            if one.folder
        ]

    def upgrade(self) -> dict[str, migrate.Outcome]:
        """Migrate, write permissions and roles, run the plugins' seeds. Idempotent; safe beside others."""
        outcomes = migrate.upgrade(self.database.url, self.branches)
        for one in self.found:
            outcome = outcomes.get(one.name)
            if outcome and not outcome.ok and one.name in self.registry.plugins:
                one.fail(State.FAILED_MIGRATION, outcome.reason, outcome.traceback)
        with self.unit_of_work(Actor.system("upgrade")) as session:
            access.sync(session, self.registry.permissions, self.registry.roles)
            for plugin in self.registry.plugins.values():
                outcome = outcomes.get(plugin.name)
                reason = outcome.reason if outcome else ""
                row = {"name": plugin.name, "version": plugin.version, "seen_at": now(), "reason": reason}
                statement = insert(PluginRow).values(row)
                session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
            generation.advance(session)
        for plugin in self.registry.plugins.values():
            outcome = outcomes.get(plugin.name)
            if plugin.seed and (outcome is None or outcome.ok):
                actor = Actor.system(f"seed {plugin.name}")
                with self.unit_of_work(actor) as session:
                    plugin.seed(session, actor)
        return outcomes
