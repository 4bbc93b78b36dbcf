"""One web site for the tests of the core's doors: the real application, its plugins and the library beside them.

``site`` and ``web`` are made once a run, so each test makes people and records of its own by ``people``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import insert

from core import access, lifecycle
from core.actor import Actor
from core.db.base import metadata
from core.ids import new_id
from core.members import sessions, tokens
from core.members.models import Member
from core.members.service import user_table
from core.platform import Platform
from core.plugin_kit.people import Caller
from tests.conftest import Cluster, test_config
from tests.core import library

_SITES = itertools.count(1)


@pytest.fixture(scope="session")
def site(cluster: Cluster) -> Iterator[Platform]:
    """A platform with every bundled plugin and the library, on a database of its own."""
    plain = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(processors=plain)  # a traceback with all its locals takes seconds
    # Each folder that imports this fixture has a platform of its own, for the whole run, so each has a name.
    name = f"site{next(_SITES)}"
    platform = Platform(test_config(), cluster.fresh(name), cluster.redis_url, extra=[library.plugin])
    metadata.create_all(platform.database.engine, tables=library.TABLES)
    with platform.unit_of_work(Actor.system("test")) as session:
        access.sync(session, platform.registry.permissions, platform.registry.roles)
    yield platform
    platform.database.dispose()


@pytest.fixture(scope="session")
def web(site: Platform) -> Flask:
    """The web application of ``site``."""
    from app import create_app

    return create_app(site)


class Person(Caller):
    """Somebody at the door: with a token (REST), in a browser with a cookie, or with neither."""

    def __init__(self, web: Flask, member: Member | None = None, token: str = "") -> None:
        super().__init__(web)
        self.member = member
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._csrf = ""

    @property
    def id(self) -> str:
        assert self.member is not None
        return str(self.member.id)

    def shown(self) -> dict[str, str]:
        return self.headers

    @property
    def csrf(self) -> str:
        """The token of this browser's forms."""
        if not self._csrf:
            page = self.get("/profile" if self.member else "/login").text
            found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
            assert found, "the page has no form"
            self._csrf = found[1]
        return self._csrf

    def send(self, path: str, **values: Any) -> Any:
        """Send a form, as the browser would."""
        return self.post(path, data={"csrf_token": self.csrf, **values})


@pytest.fixture
def people(site: Platform, web: Flask) -> Callable[..., Person]:
    """Makes people: ``people("User")`` has a token, ``people("Admin", browser=True)`` a cookie, ``people()`` neither.

    ``people("")`` is a member without any role.
    """

    def make(*roles: str, browser: bool = False, name: str = "Amina") -> Person:
        if not roles:
            return Person(web)
        with site.unit_of_work(Actor.system("test")) as session:
            key = new_id()
            user = {"first_name": "", "last_name": "", "username": str(key), "email": str(key), "active": True}
            user_id = session.scalar(insert(user_table).values(user).returning(user_table.c.id))
            member = Member(id=key, user_id=user_id, display_name=name, email=f"{key}@example.org")
            session.add(member)
            session.flush()
            access.assign(session, user_id or 0, filter(None, roles))
            kind = "cookie" if browser else "token"
            row, token = sessions.start(session, member, kind=kind, ip=None, device=None)
            pair = tokens.issue(session, sessions.actor_of(session, session_id=row.id))
        person = Person(web, member, "" if browser else pair["access_token"])
        if browser:
            with person.http.session_transaction() as cookie:
                cookie["sid"] = token
        return person

    return make


@pytest.fixture
def switch(site: Platform) -> Iterator[Callable[[str, bool], None]]:
    """Turns a plugin on or off, seen at once; what a test turned off is on again after it."""
    off: set[str] = set()

    def turn(name: str, on: bool) -> None:
        actor = Actor.system("test")
        with site.unit_of_work(actor) as session:
            lifecycle.set_enabled(session, actor, name, on)
        site.registry.cache.looked_at = float("-inf")
        (off.discard if on else off.add)(name)

    yield turn
    for name in list(off):
        turn(name, True)
