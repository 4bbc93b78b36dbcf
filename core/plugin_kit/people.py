"""Made-up members at the door of an application that is tested: with exactly the permissions one names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.clock import now
from core.ids import new_id
from core.members import sessions, tokens
from core.members.models import Member
from core.members.service import register
from core.platform import Platform

LIFETIME = timedelta(days=36500)  # a test may move its clock
FRESH = timedelta(minutes=10)


class Caller:
    """A client of ``app``, whose requests carry what ``shown`` says of who asks."""

    def __init__(self, app: Flask) -> None:
        self.http = app.test_client()

    def shown(self) -> dict[str, str]:
        """Headers of every request; a stranger's carry nothing."""
        return {}

    def open(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Ask; ``body`` is sent as JSON, ``data`` as a form. ``headers`` come beside what shows who asks."""
        headers = {**self.shown(), **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return self.http.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.open("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.open("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.open("PUT", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.open("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.open("DELETE", path, **options)


class Person(Caller):
    """Somebody at the door, as REST's clients are. ``member`` is None for a stranger, who shows nothing."""

    def __init__(self, app: Flask, platform: Platform, member: Member | None = None, session_id: UUID | None = None):
        super().__init__(app)
        self.member = member
        self._platform = platform
        self._session_id = session_id
        self._token = ""
        self._issued_at: datetime | None = None
        self._csrf = ""

    @property
    def csrf(self) -> str:
        """The token that forms of a stranger's browser carry."""
        if not self._csrf:
            found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.get("/login").text)
            self._csrf = found[1] if found else ""
        return self._csrf

    def shown(self) -> dict[str, str]:
        if self._session_id is None:
            return {}
        if self._issued_at is None or abs(now() - self._issued_at) > FRESH:
            with self._platform.unit_of_work(Actor.system("plugin kit")) as session:
                pair = tokens.issue(session, sessions.actor_of(session, session_id=self._session_id))
            self._token, self._issued_at = pair["access_token"], now()
        return {"Authorization": f"Bearer {self._token}"}


def stranger(app: Flask, platform: Platform) -> Person:
    return Person(app, platform)


def person(app: Flask, platform: Platform, *permissions: str, roles: Iterable[str] = ()) -> Person:
    """A new member, signed in, with these permissions and no others, beside those of ``roles``.

    Raises LookupError for a permission that nothing declares.
    """
    with platform.unit_of_work(Actor.system("plugin kit")) as session:
        member = made(session, permissions, roles)
        row, _token = sessions.start(session, member, kind="token", ip=None, device=None, lifetime=LIFETIME)
        return Person(app, platform, member, row.id)


def made(session: Session, permissions: Iterable[str] = (), roles: Iterable[str] = ()) -> Member:
    """A member who is not signed in. Permissions are held by a role made for just this set of them."""
    known = session.info["registry"].permissions
    wanted = sorted(set(permissions))
    if unknown := [name for name in wanted if name not in known]:
        raise LookupError(f"no plugin declares the permission {', '.join(unknown)}")
    given = list(roles)
    if wanted:
        given.append(f"kit {sha256(' '.join(wanted).encode()).hexdigest()[:16]}")
        access.sync(session, known, {given[-1]: wanted})
    number = new_id()
    actor = Actor.system("plugin kit")
    return register(
        session, actor, email=f"{number}@example.org", password=None, display_name="Ada Example", roles=given
    )
