"""One request, one unit of work: opened and identified before the view, committed with it, closed after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from flask import session as cookie
from flask_wtf.csrf import CSRFProtect

from core import lifecycle
from core.actor import Actor
from core.db import session as sessions_of_work
from core.db.session import RING
from core.errors import NotFound, Unauthenticated
from core.ids import new_id
from core.members import sessions, tokens
from core.platform import Platform

API_PREFIXES = ("/api/", "/v1/", "/mcp", "/.well-known/")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
csrf = CSRFProtect()
V = TypeVar("V", bound=Callable[..., Any])


def platform() -> Platform:
    """The platform of the running application."""
    found: Platform = current_app.extensions["guildhall"]
    return found


def actor() -> Actor:
    """Who makes the present request."""
    found: Actor = g.actor
    return found


def is_api() -> bool:
    """Whether the present request is answered in JSON."""
    return request.path.startswith(API_PREFIXES)


def bare(view: V) -> V:
    """Mark a view that needs neither a session nor an identity: health, static files."""
    view.bare = True  # type: ignore[attr-defined]
    return view


def install(app: Flask, made: Platform) -> None:
    """Let every request of ``app`` pass here."""
    app.extensions["guildhall"] = made
    app.extensions["guildhall.owners"] = {}
    app.config.setdefault("WTF_CSRF_CHECK_DEFAULT", False)
    csrf.init_app(app)
    app.before_request(_open)
    app.teardown_request(_close)


def owned_by(app: Flask, plugin: str, blueprint: str) -> None:
    """Say that a blueprint belongs to a plugin: its routes answer 404 while the plugin is disabled."""
    app.extensions["guildhall.owners"][blueprint] = plugin


def commit_with_views(app: Flask) -> None:
    """Commit inside every view, so that an error of the commit still becomes an answer. Call after registering."""
    for endpoint, view in app.view_functions.items():
        if not _is_bare(endpoint, view):
            app.view_functions[endpoint] = _committing(view)


def _committing(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def committed(*arguments: Any, **named: Any) -> Any:
        answer = view(*arguments, **named)
        g.session.commit()
        if g.session.info.pop(RING, False) and (doorbell := platform().database.doorbell):
            doorbell()
        return answer

    return committed


def _is_bare(endpoint: str | None, view: Any) -> bool:
    return bool(getattr(view, "bare", False)) or (endpoint or "").endswith("static")


def _open() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else str(new_id())
    g.actor = Actor(kind="anonymous", name="anonymous", ip=request.remote_addr, request_id=g.request_id)
    view = current_app.view_functions.get(request.endpoint or "")
    if _is_bare(request.endpoint, view):
        return
    g.session = platform().database.session()
    g.session_token = sessions_of_work._current.set(g.session)
    g.actor = _identify()
    g.session.info["actor"] = g.actor
    if request.method not in SAFE_METHODS and ("sid" in cookie or not is_api()) and not _bearer():
        csrf.protect()
    owner = current_app.extensions["guildhall.owners"].get(request.blueprint)
    if owner in lifecycle.disabled(g.session):
        raise NotFound()


def _bearer() -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _identify() -> Actor:
    """The actor behind the token or the cookie. Raises Unauthenticated for a token that is no longer good."""
    about = {"ip": request.remote_addr, "request_id": g.request_id}
    if (token := _bearer()) is not None:
        session_id = tokens.session_of(platform().config.secret_key, token)
        try:
            return sessions.actor_of(g.session, session_id=session_id, **about)
        except Unauthenticated:
            raise tokens.TokenInvalid() from None
    if "sid" in cookie:
        try:
            return sessions.actor_of(g.session, token=cookie["sid"], **about)
        except Unauthenticated:
            cookie.pop("sid")
    anonymous: Actor = g.actor
    return anonymous


def _close(problem: BaseException | None) -> None:
    session = g.pop("session", None)
    if session is not None:
        sessions_of_work._current.reset(g.pop("session_token"))
        session.close()
