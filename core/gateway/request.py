"""One request, one unit of work: opened and identified before the view, committed with it, closed after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app, flash, g, request
from flask import session as cookie
from flask_babel import gettext
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import text
from werkzeug.utils import redirect

from core import lifecycle, settings
from core.actor import Actor
from core.db import session as sessions_of_work
from core.db.session import RING
from core.errors import (
    AdminAddressRefused,
    DomainError,
    NotFound,
    ReadOnlyImpersonation,
    TwoFactorRequired,
    Unauthenticated,
)
from core.gateway import bodies, cors
from core.gateway.limits import Exceeded, Limits
from core.i18n import _
from core.ids import new_id
from core.members import api_keys, factors, sessions, tokens
from core.platform_settings import PlatformSettings
from core.switches import service as switches

if TYPE_CHECKING:
    from core.platform import Platform

API_PREFIXES = ("/api/", "/v1/", "/mcp", "/.well-known/")
PROBES = ("/health", "/metrics")  # asked by machines inside, over plain HTTP
SIGNING_IN = "/api/v1/core/auth/"
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


def without_two_factor(view: V) -> V:
    """Mark a view that an admin may use who has yet to set up the second factor the settings ask for."""
    view.without_two_factor = True  # type: ignore[attr-defined]
    return view


def also_impersonating(view: V) -> V:
    """Mark a view that changes nothing but who is signed in: an admin who looks around as a member may use it."""
    view.also_impersonating = True  # type: ignore[attr-defined]
    return view


def install(app: Flask, made: Platform) -> None:
    """Let every request of ``app`` pass here."""
    app.extensions["guildhall"] = made
    app.extensions["guildhall.owners"] = {}
    app.extensions["guildhall.limits"] = Limits(made.redis_url) if made.redis_url else None
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
        try:
            answer = view(*arguments, **named)
        except DomainError as refusal:
            if refusal.keeps:
                _commit()
            raise
        _commit()
        return answer

    return committed


def _commit() -> None:
    g.session.commit()
    if g.session.info.pop(RING, False) and (doorbell := platform().database.doorbell):
        doorbell()


def _is_bare(endpoint: str | None, view: Any) -> bool:
    return bool(getattr(view, "bare", False)) or (endpoint or "").endswith("static")


def _open() -> Any:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else str(new_id())
    g.actor = Actor(kind="anonymous", name="anonymous", ip=request.remote_addr, request_id=g.request_id)
    view = current_app.view_functions.get(request.endpoint or "")
    if platform().config.https_redirect and not request.is_secure and not request.path.startswith(PROBES):
        return redirect(platform().config.url + request.full_path.rstrip("?"), 308)
    if _is_bare(request.endpoint, view):
        return None
    g.session = platform().database.session()
    g.session_token = sessions_of_work._current.set(g.session)
    if is_api() and (preflight := cors.look(settings.read(g.session, PlatformSettings))):
        return preflight
    try:
        g.actor = _identify()
    finally:
        _spend(getattr(view, "limit", None))
    _admit()
    if g.pop("as_oneself", False) and not is_api():
        flash(gettext(_("You act as yourself again.")), "info")
    g.session.info["actor"] = g.actor
    bodies.check(view)
    if request.method not in SAFE_METHODS and ("sid" in cookie or not is_api()) and not _bearer():
        csrf.protect()
    reading = request.method in SAFE_METHODS or getattr(view, "reads", False)
    if g.actor.read_only and not getattr(view, "also_impersonating", False):
        _only_read(reading)
    if _lacks_factor(g.actor) and not getattr(view, "without_two_factor", False):
        raise TwoFactorRequired()
    if is_api() and not reading and not request.path.startswith(SIGNING_IN):
        switches.require(g.session, "core.rest_writes")
    owner = current_app.extensions["guildhall.owners"].get(request.blueprint)
    if owner in lifecycle.disabled(g.session):
        raise NotFound()
    return None


def identify() -> Actor:
    """Who makes the present request, for a view that is bare and must ask now and then."""
    g.session = platform().database.session()
    g.session_token = sessions_of_work._current.set(g.session)
    g.actor = _identify()
    _admit()
    return actor()


def identify_again(app: Flask, environ: dict[str, Any]) -> Actor:
    """Who made a request, asked anew: for an answer that goes on long after it. Holds no session when it returns.

    Raises Unauthenticated for a token that is no longer good, AdminAddressRefused.
    """
    with app.request_context(environ):
        g.request_id = str(new_id())
        g.actor = Actor(kind="anonymous", name="anonymous", ip=request.remote_addr, request_id=g.request_id)
        return identify()


def _spend(declared: str | None) -> None:
    """Count a request of the API; who guesses at tokens is counted as nobody. Raises Exceeded."""
    limits: Limits | None = current_app.extensions["guildhall.limits"]
    if limits is None or not is_api():
        return
    try:
        g.allowance = limits.spend(settings.read(g.session, PlatformSettings), g.actor, declared)
    except Exceeded as problem:
        g.allowance = problem.allowance
        raise


def _admit() -> None:
    """Refuse an admin, or the API key of one, from an address that the settings do not name."""
    if g.actor.is_admin and not settings.read(g.session, PlatformSettings).admits(request.remote_addr):
        g.actor = replace(g.actor, kind="anonymous", name="anonymous", member_id=None, permissions=frozenset())
        raise AdminAddressRefused(address=request.remote_addr or "")


def _only_read(reading: bool) -> None:
    """Who looks around as another member changes nothing; the database holds it for reading requests too."""
    if not reading:
        raise ReadOnlyImpersonation()
    g.session.execute(text("SET TRANSACTION READ ONLY"))


def _mark_impersonation(found: Actor) -> None:
    """Make forms that were shown under another identity void: none is sent as the admin when the time is over."""
    going = str(found.impersonation) if found.impersonation else None
    if cookie.get("as") == going:
        return
    cookie.pop("csrf_token", None)
    g.pop("csrf_token", None)
    if going:
        cookie["as"] = going
        return
    cookie.pop("as")
    g.as_oneself = True


def _lacks_factor(actor: Actor) -> bool:
    """Whether this is an admin who must set up a second factor that is enough for admins before anything else."""
    if "Admin" not in actor.roles or actor.session_id is None:
        return False
    enough = factors.enough_for_admins(g.session)
    return enough is not None and not actor.second_factors & enough


def _bearer() -> str | None:
    """What the request shows of itself: an access token, or an API key in either header."""
    if key := request.headers.get("X-API-Key", "").strip():
        return key
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _identify() -> Actor:
    """The actor behind the token or the cookie. Raises Unauthenticated for a token that is no longer good."""
    about = {"ip": request.remote_addr, "request_id": g.request_id}
    if (token := _bearer()) is not None:
        if token.startswith(api_keys.MARK):
            return api_keys.actor_of(g.session, token, **about)
        session_id = tokens.session_of(g.session, token)
        try:
            return sessions.actor_of(g.session, session_id=session_id, **about)
        except Unauthenticated:
            raise tokens.TokenInvalid() from None
    if "sid" in cookie:
        try:
            found = sessions.actor_of(g.session, token=cookie["sid"], **about)
            _mark_impersonation(found)
            return found
        except Unauthenticated:
            cookie.pop("sid")
    anonymous: Actor = g.actor
    return anonymous


def _close(problem: BaseException | None) -> None:
    session = g.pop("session", None)
    if session is not None:
        sessions_of_work._current.reset(g.pop("session_token"))
        session.close()
