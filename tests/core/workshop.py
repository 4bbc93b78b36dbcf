"""A workshop that writes plugins into a folder of the test, boots platforms that find them, and tidies up."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from core.actor import Actor
from core.loader import _forget
from core.platform import Platform
from core.plugin import Plugin
from tests.conftest import Cluster, test_config
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import switch as switch
from tests.core.doors import web as web

NOWHERE = "postgresql+psycopg:///nowhere"
IMPORTS = """
from datetime import timedelta
from guildhall import *
from guildhall import Plugin, _, hookimpl, hookspec
"""


class Workshop:
    """Plugins made for one test; each is a folder with a ``plugin.py`` and perhaps migrations."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self.cluster = cluster
        self.made: list[Platform] = []
        self._url = ""

    @property
    def url(self) -> str:
        """The database of this test, made at first use."""
        if not self._url:
            self._url = self.cluster.fresh("live")
        return self._url

    def empty_database(self) -> str:
        """A database without a table, for this test alone."""
        name = f"empty_{self.cluster.worker}"
        with self.cluster.admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
        self._url = self.cluster.database(name)
        return self._url

    def plugin(self, name: str, manifest: str = "", code: str = "", version: str = "1.0.0") -> Path:
        """Write the plugin ``name``: ``code`` comes first, ``manifest`` goes into ``Plugin(…)``."""
        made = f"plugin = Plugin({name!r}, version={version!r}, label={name!r}, {manifest})\n"
        return self.source(name, f"{IMPORTS}{dedent(code)}\n{made}")

    def source(self, name: str, source: str) -> Path:
        """Write a plugin.py of any content."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "plugin.py").write_text(source)
        return folder

    def migration(self, name: str, number: int, upgrade: str, downgrade: str = "pass") -> None:
        """Write a revision; ``upgrade`` is the body of the function, or SQL when it begins in capitals."""
        folder = self.folder / name / "migrations"
        folder.mkdir(exist_ok=True)
        before = repr(f"{name}_{number - 1:04d}") if number > 1 else None
        bodies = [f"op.execute({body!r})" if body[:2].isupper() else body for body in (upgrade, downgrade)]
        (folder / f"{name}_{number:04d}.py").write_text(
            f"from alembic import op\n"
            f"revision = '{name}_{number:04d}'\n"
            f"down_revision = {before}\n"
            f"branch_labels = {(name,) if number == 1 else None}\n"
            f"depends_on = None\n"
            f"def upgrade():\n    {bodies[0]}\n"
            f"def downgrade():\n    {bodies[1]}\n"
        )

    def load(self, **options: Any) -> Platform:
        """A platform that found the plugins; nothing was migrated, and perhaps there is no database."""
        extra = options.pop("extra", ())
        config = test_config(plugin_path=str(self.folder), **options)
        platform = Platform(config, self._url or NOWHERE, self.cluster.redis_url, extra)
        self.made.append(platform)
        return platform

    def boot(self, **options: Any) -> Platform:
        """A platform that found the plugins and has migrated; Redis is empty."""
        assert self.url
        platform = self.load(**options)
        platform.upgrade()
        assert platform.bell is not None
        platform.bell.client.flushdb()
        return platform

    def tidy(self) -> None:
        """Forget modules, models and tables, so that the next test may use the same names."""
        for platform in self.made:
            platform.database.dispose()
        home = str(self.folder)
        found = [one for platform in self.made for one in platform.found]
        for one in found:
            if one.folder.startswith(home):
                _forget(one, found)
        sys.path[:] = [entry for entry in sys.path if not entry.startswith(home)]
        importlib.invalidate_caches()


@pytest.fixture
def workshop(tmp_path: Path, cluster: Cluster) -> Iterator[Workshop]:
    made = Workshop(tmp_path / "third-party", cluster)
    made.folder.mkdir()
    yield made
    made.tidy()


class Shop:
    """One database for the tests of a module, emptied before each, and the platform of plugins made by hand."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.url = cluster.fresh("shop")
        self.made: list[Platform] = []

    def open(self, *plugins: Plugin, **options: Any) -> Platform:
        """Another platform on the same database, as another process has it; those before give back idle connections."""
        for before in self.made:
            before.database.dispose()
        platform = Platform(test_config(**options), self.url, self.cluster.redis_url, plugins)
        self.made.append(platform)
        return platform

    def clear(self, platform: Platform) -> None:
        """Forget events, jobs, settings and what the process keeps; the audit trail stays."""
        with platform.unit_of_work() as session:
            session.execute(text("TRUNCATE core_event, core_delivery, core_job, core_schedule, core_setting"))
            session.execute(text("TRUNCATE core_subscriber, core_worker"))
            session.execute(text("UPDATE core_plugin SET enabled = true, reason = ''"))
        platform.registry.cache.forget()
        assert platform.bell is not None
        platform.bell.client.flushdb()


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Shop]:
    made = Shop(cluster)
    yield made
    for platform in made.made:
        platform.database.dispose()


@pytest.fixture
def states() -> Any:
    """State and reason of every plugin that was found, as an admin sees them."""
    from core.loader import state_of

    def read(platform: Platform) -> dict[str, tuple[str, str]]:
        with platform.unit_of_work(Actor.system("test")) as session:
            return {one.name: tuple(map(str, state_of(session, one))) for one in platform.found}

    return read


@pytest.fixture
def eventually() -> Any:
    """Wait until something holds; fails when it does not in a time that no machine needs."""

    def wait(holds: Any, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Log plain lines; the format for developers spends seconds on each traceback."""
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
