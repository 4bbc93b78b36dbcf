"""The platform of one process: boot settings, registry, database, doorbell. Made once, passed on, never global."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config import Config
from core import access
from core.actor import Actor
from core.automations.live import live as live_automations
from core.clock import now
from core.crypto.keyring import Keyring
from core.crypto.wrapping import WrappingKeys
from core.db.branch import Branch, Outcome
from core.db.session import Database
from core.doorbell import Doorbell
from core.events import subscribers
from core.files.storage import from_config
from core.generation import Cache
from core.i18n import Catalogues
from core.lifecycle import PluginRow, State
from core.loader import load
from core.manifest import core
from core.plugin import Plugin
from core.webhooks.delivery import live as live_webhooks

REPLICA_POOL = 3
CODE = {".py", ".yaml", ".yml", ".json", ".toml"}


class Platform:
    """Loads the plugins and holds what every process needs. Opens no connection by itself."""

    def __init__(self, config: Config, database_url: str, redis_url: str | None, extra: Iterable[Plugin] = ()) -> None:
        self.config = config
        self.registry, self.found = load(config, core, extra)
        self.registry.live += [live_webhooks, live_automations]
        self.catalogues = Catalogues(
            (one.folder for one in self.found if one.folder),
            (plugin.translations for plugin in self.registry.plugins.values()),
        )
        self.redis_url = redis_url
        self.bell = Doorbell(redis_url) if redis_url else None
        self.replica = (
            Database(config.replica_url, pool_size=REPLICA_POOL, pool_timeout=1.0) if config.replica_url else None
        )
        self.keyring = Keyring(WrappingKeys.from_setting(config.encryption_keys), database_url)
        self.database = Database(
            database_url,
            pool_size=config.pool_size,
            info={
                "registry": self.registry,
                "config": config,
                "keyring": self.keyring,
                "files": from_config(config),
                "replica": self.replica,
                "catalogues": self.catalogues,
            },
            doorbell=self.bell.ring_all if self.bell else None,
            prepare=self.keyring.serve,
        )
        if self.replica:
            # What is kept for a generation is not taken from a copy that may lag behind.
            self.replica.info = {**self.database.info, "registry": replace(self.registry, cache=Cache())}

    def unit_of_work(self, actor: Actor | None = None) -> AbstractContextManager[Session]:
        return self.database.unit_of_work(actor)

    @property
    def branches(self) -> list[Branch]:
        """Branches of every plugin that was found, loaded ones first in dependency order."""
        order = {name: position for position, name in enumerate(self.registry.plugins)}
        first = {one.name: one for one in reversed(self.found)}.values()
        found = sorted(first, key=lambda one: (order.get(one.name, len(order)), one.name))
        return [
            Branch(one.name, Path(one.folder) / "migrations", tuple(one.plugin.requires if one.plugin else ()))
            for one in found
            if one.folder
        ]

    def upgrade(self) -> dict[str, Outcome]:
        """Migrate, write permissions and roles, run the plugins' seeds. Idempotent; safe beside others."""
        from core.db import migrate  # Alembic is needed here alone, and takes time to import

        migrated = migrate.upgrade(self.database.url, self.branches)
        outcomes = {**migrated, **{name: Outcome(True) for name in self.registry.plugins.keys() - migrated}}
        with self.unit_of_work(Actor.system("upgrade")) as session:
            access.sync(session, self.registry.permissions, self.registry.roles)
        with self.unit_of_work() as session:
            seeded = dict(session.execute(select(PluginRow.name, PluginRow.seeded)).tuples().all())
        present = self._fingerprint()
        due = [plugin for plugin in self.registry.plugins.values() if seeded.get(plugin.name) != present or not present]
        if any(plugin.seed for plugin in due):
            self._keep_states(outcomes)
        for plugin in due:
            if outcomes[plugin.name].ok:
                outcomes[plugin.name] = self._seed(plugin, outcomes)
        self._keep_states(outcomes, present)
        return outcomes

    def _fingerprint(self) -> str:
        """Changes with the code of the core and of every plugin, and with what the environment sets; "" if unknown.

        A seed that ended well on it has nothing left to do.
        """
        loaded = [one for one in self.found if one.name in self.registry.plugins]
        if not all(one.folder for one in loaded):
            return ""  # given by hand, in a test
        made = hashlib.sha256(f"{self.config!r} {self.registry.locked_settings!r}".encode())
        for folder in [Path(__file__).parent, *(Path(one.folder) for one in loaded)]:
            for path in sorted(folder.rglob("*")):
                if path.suffix in CODE:
                    about = path.stat()
                    made.update(f"{path} {about.st_size} {about.st_mtime_ns}".encode())
        return made.hexdigest()

    def _seed(self, plugin: Plugin, outcomes: dict[str, Outcome]) -> Outcome:
        """Run a plugin's seed; a failure costs that plugin and those that build on it."""
        if missing := [need for need in plugin.requires if not outcomes[need].ok]:
            return Outcome(False, f"it builds on {', '.join(missing)}, whose seed failed")
        actor = Actor.system(f"seed {plugin.name}")
        try:
            if plugin.seed:
                with self.unit_of_work(actor) as session:
                    plugin.seed(session, actor)
        except Exception as problem:
            reason = f"its seed failed: {type(problem).__name__}: {problem}"
            return Outcome(False, reason, traceback.format_exc())
        return Outcome(True)

    def _keep_states(self, outcomes: dict[str, Outcome], seeded: str = "") -> None:
        """Write how the start of each plugin went, for every process to see, and on which code its seed ended well."""
        for one in self.found:
            if one.plugin and one.name in self.registry.plugins and not outcomes[one.name].ok:
                one.fail(State.FAILED_MIGRATION, outcomes[one.name].reason, outcomes[one.name].traceback)
        with self.unit_of_work(Actor.system("upgrade")) as session:
            rows = [
                {
                    "name": plugin.name,
                    "version": plugin.version,
                    "seen_at": now(),
                    "reason": outcomes[plugin.name].reason,
                    "seeded": seeded if outcomes[plugin.name].ok else "",
                }
                for plugin in self.registry.plugins.values()
            ]
            statement = insert(PluginRow).values(rows)
            fresh = {name: statement.excluded[name] for name in rows[0]}
            session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))
            subscribers.keep(session)
