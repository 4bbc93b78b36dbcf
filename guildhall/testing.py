"""Fixtures for the tests of a plugin; pytest finds them where Guildhall is installed, ``-p no:guildhall`` leaves them.

Run pytest in the plugin's folder, or in one that holds several; ``GUILDHALL_PLUGIN_PATH`` names further ones. Each test
has a migrated database of its own on a PostgreSQL that the run brings along and takes away. Nothing is asked of the
outside, and nothing of an installation is touched.

- ``client``: a stranger; ``client.get("/api/v1/…")``, ``post``, ``patch``, ``put``, ``delete``.
- ``as_member(*permissions)``: such a client of a new member with exactly these permissions; ``.member`` is the row.
- ``db``: ``with db() as session: …`` is a unit of work of the system, committed at its end.
- ``events``: ``published(name)`` are the events so far, ``drain()`` delivers them, and fails where a handler does;
  ``drain(twice=True)`` delivers everything twice, and fails where the second time changes a table.
- ``change_settings(MySettings, name=value)``: as an admin changes them.
- ``clock``: ``set(moment)`` and ``forward(days=1)`` move the time of this test.
- ``webhook_sink``: ``listen("bookshelf.*")`` makes a webhook; ``received`` is what came, with its signature checked.
- ``app`` and ``platform``: the Flask application and what it stands on.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.orm import Session

    from core.events.event import StoredEvent
    from core.platform import Platform
    from core.plugin_kit.people import Person
    from core.plugin_kit.sink import Sink
    from core.plugin_kit.throwaway import Server

PLUGIN_FILES = ("plugin.py", "plugin.yaml")
PATH = "GUILDHALL_PLUGIN_PATH"


def under_test(root: Path) -> list[Path]:
    """The plugins that a run below ``root`` is about: the folder itself, or those in it."""
    folders = [root] if _is_plugin(root) else sorted(root.glob("*"))
    return [folder.resolve() for folder in folders if _is_plugin(folder)]


def _is_plugin(folder: Path) -> bool:
    return folder.name != "core" and any((folder / name).is_file() for name in PLUGIN_FILES)


def plugin_path(root: Path) -> list[str]:
    """Folders that plugins are looked for in: where those under test lie, and those that are named."""
    named = [Path(part).resolve() for part in os.environ.get(PATH, "").split(os.pathsep) if part]
    return list(dict.fromkeys(map(str, [*named, *(folder.parent for folder in under_test(root))])))


def pytest_configure(config: pytest.Config) -> None:
    """Let tests import the plugin that they test, and tell its author of no other deprecations than its own."""
    for package in ("core", "plugins", "guildhall"):
        config.addinivalue_line("filterwarnings", rf"ignore::DeprecationWarning:{package}\..*")
    for folder in plugin_path(config.rootpath):
        if folder not in sys.path:
            sys.path.append(folder)


@pytest.fixture(scope="session")
def guildhall_server() -> Iterator[Server]:
    """The PostgreSQL of this run."""
    from core.plugin_kit.throwaway import server

    with server() as made:
        yield made


@pytest.fixture(scope="session")
def guildhall_boot(pytestconfig: pytest.Config) -> Iterator[Any]:
    """Makes a platform on a database; asserts that each plugin under test is there."""
    from core.platform import Platform
    from core.plugin_kit.throwaway import config_of

    path, tested = plugin_path(pytestconfig.rootpath), under_test(pytestconfig.rootpath)
    with tempfile.TemporaryDirectory(prefix="guildhall-kit-") as home:
        config = config_of(home=Path(home), plugin_path=os.pathsep.join(path))

        def boot(url: str) -> Platform:
            platform = Platform(config, url, None)
            off = [one for one in platform.found if one.state != "enabled" and Path(one.folder).resolve() in tested]
            if off:
                pytest.fail("\n".join(f"{one.name} is {one.state}: {one.reason}" for one in off), pytrace=False)
            return platform

        yield boot


@pytest.fixture(scope="session")
def guildhall_template(guildhall_server: Server, guildhall_boot: Any) -> str:
    """A migrated database that each test gets a copy of."""
    url = guildhall_server.database()
    platform = guildhall_boot(url)
    outcomes = platform.upgrade()
    platform.database.dispose()
    if failed := [f"{name} cannot be migrated: {one.reason}" for name, one in outcomes.items() if not one.ok]:
        pytest.fail("\n".join(failed), pytrace=False)
    return url


@pytest.fixture(scope="session")
def guildhall_app(guildhall_server: Server, guildhall_boot: Any, guildhall_template: str) -> Iterator[Flask]:
    """The web application, made once a run; its database is replaced for each test."""
    from app import create_app

    made = create_app(guildhall_boot(guildhall_server.database(guildhall_template)))
    made.testing = True
    yield made
    made.extensions["guildhall"].database.dispose()


@pytest.fixture
def platform(guildhall_server: Server, guildhall_template: str, guildhall_app: Flask) -> Platform:
    """The platform with every plugin, on a database of this test's own."""
    made: Platform = guildhall_app.extensions["guildhall"]
    made.database.dispose()
    guildhall_server.renew(made.database.url, guildhall_template)
    made.registry.cache.forget()
    return made


@pytest.fixture
def app(platform: Platform, guildhall_app: Flask) -> Flask:
    """The web application."""
    return guildhall_app


@pytest.fixture
def client(app: Flask, platform: Platform) -> Person:
    """A stranger, who is not signed in."""
    from core.plugin_kit.people import stranger

    return stranger(app, platform)


@pytest.fixture
def as_member(app: Flask, platform: Platform) -> Callable[..., Person]:
    """Makes members: ``as_member("bookshelf:book:create")`` holds exactly this permission."""
    from core.plugin_kit.people import person

    return lambda *permissions: person(app, platform, *permissions)


@pytest.fixture
def db(platform: Platform) -> Callable[[], AbstractContextManager[Session]]:
    """Opens units of work of the system."""
    from core.actor import Actor

    return lambda: platform.unit_of_work(Actor.system("test"))


@pytest.fixture
def change_settings(platform: Platform) -> Callable[..., None]:
    """Changes settings of a plugin, which hold at once."""
    from core import settings
    from core.actor import Actor

    def change(kind: type[settings.Settings], **values: Any) -> None:
        with platform.unit_of_work(actor := Actor.system("test")) as session:
            settings.write(session, actor, kind, values)
        platform.registry.cache.looked_at = float("-inf")

    return change


class Events:
    """What was published, and its delivery."""

    def __init__(self, platform: Platform, tested: list[str]) -> None:
        self._platform = platform
        self._tested = tested

    def published(self, name: str = "") -> list[StoredEvent]:
        """The events called ``name``, or all, oldest first."""
        from sqlalchemy import select

        from core.events.event import StoredEvent
        from core.events.models import EventRow

        kinds = self._platform.registry.events
        query = select(EventRow).order_by(EventRow.id)
        with self._platform.unit_of_work() as session:
            rows = session.scalars(query.where(EventRow.name == name) if name else query).all()
        return [
            StoredEvent(
                id=row.id,
                name=row.name,
                version=kinds[row.name].event_version,
                payload=kinds[row.name].read(row.version, row.payload),
                occurred_at=row.occurred_at,
                correlation_id=row.correlation_id,
                causation_id=row.causation_id,
                actor_id=row.actor_id,
            )
            for row in rows
        ]

    def drain(self, *, twice: bool = False, failing: bool = False) -> int:
        """Deliver what is due; returns how many deliveries ended well.

        Fails where a handler raised, unless ``failing``. With ``twice`` the handlers of the plugins under test get
        everything again, and it fails where that changed a table.
        """
        from core.plugin_kit.redelivery import drain

        drained = drain(self._platform, twice=twice, only=lambda name: name.partition(".")[0] in self._tested)
        if drained.failed and not failing:
            told = [f"{name}: {error}" for name, error in drained.failed.items()]
            pytest.fail("These handlers raised:\n" + "\n".join(told), pytrace=False)
        if drained.changed:
            told = [f"{name} changed {', '.join(tables)}" for name, tables in drained.changed.items()]
            pytest.fail("Delivered a second time:\n" + "\n".join(told), pytrace=False)
        return drained.well


@pytest.fixture
def events(platform: Platform, pytestconfig: pytest.Config) -> Events:
    """What was published, and its delivery."""
    return Events(platform, [folder.name for folder in under_test(pytestconfig.rootpath)])


class Clock:
    """The time of a test; it runs until it is set, and stands from then on."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def now(self) -> datetime:
        from core.clock import now

        return now()

    def set(self, moment: datetime) -> None:
        """Hold the clock at ``moment``, which has a time zone."""
        from core.clock import frozen

        self._stack.enter_context(frozen(moment))

    def forward(self, **by: float) -> None:
        """Move it: ``forward(days=1, minutes=30)``."""
        self.set(self.now() + timedelta(**by))


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Moves the time of this test."""
    with ExitStack() as stack:
        yield Clock(stack)


@pytest.fixture
def webhook_sink(platform: Platform) -> Iterator[Sink]:
    """A receiver of webhooks on this machine; the test fails when anything came with a wrong signature."""
    from core.plugin_kit.sink import Sink

    made = Sink(platform)
    yield made
    made.close()
    assert made.refused == []
