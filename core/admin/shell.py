"""The frame of every page: navigation, who is signed in, theme, and the addresses of static files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, request, url_for
from flask_babel import get_locale, gettext
from flask_wtf.csrf import generate_csrf
from jinja2 import ChoiceLoader, FileSystemLoader
from sqlalchemy import Select, select

from core import generation, lifecycle
from core.actor import Actor
from core.fab.views import class_name
from core.gateway.headers import nonce
from core.members import impersonation
from core.platform import Platform
from core.plugin import MenuItem
from core.rest import sent_forms

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
THEMES = ("light", "dark", "auto")
RTL = ("ar", "fa", "he", "ur")
FINGERPRINTED = re.compile(r"(.+)\.([0-9a-f]{12})\.(\w+)")


def install(app: Flask, platform: Platform) -> None:
    """Templates of the core and of every plugin, the context all of them share, static files."""
    folders = [TEMPLATES, *(Path(one.folder) / "templates" for one in platform.found if one.folder)]
    app.jinja_loader = ChoiceLoader([FileSystemLoader([str(folder) for folder in folders])])
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.globals["form_token"] = sent_forms.token
    app.jinja_env.filters["told"] = told
    app.view_functions["static"] = lambda filename: _give(app, filename)
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.context_processor(lambda: {"shell": _shell(platform)})


def told(sentence: Any) -> str:
    """A sentence that was made elsewhere, translated where it can be, as plain text: unlike ``_`` and lazy strings,
    whose result counts as markup, it is escaped, for it may quote what somebody typed."""
    return str(gettext(str(sentence))) if sentence else ""


def _shell(platform: Platform) -> Shell:
    """One a request: a page and its parts are rendered apart, and ask for the same."""
    if "shell" not in g:
        g.shell = Shell(platform)
    shell: Shell = g.shell
    return shell


@lru_cache(maxsize=1024)
def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a static file, its name with a fingerprint of its content, so that it may be cached for ever.

    Of the CDN where there is one; but drawings are always ours, since a browser takes a ``<use>`` from nowhere else.
    """
    cdn = "" if name.endswith(".svg") else current_app.extensions["guildhall"].config.cdn_url
    return _address(cdn or request.script_root, name)


@lru_cache(maxsize=1024)
def _address(base: str, name: str) -> str:
    """Kept, because a page with a few icons asks a hundred times; below ``base`` it is the same for every request."""
    stem, _dot, kind = name.rpartition(".")
    return f"{base}/static/{stem}.{_fingerprint(name)}.{kind}"


def _give(app: Flask, filename: str) -> Response:
    """A static file by its name, with or without a fingerprint; kept for ever only where that is the file's own."""
    found = FINGERPRINTED.fullmatch(filename)
    name = f"{found[1]}.{found[3]}" if found else filename
    response = app.send_static_file(name)
    if found and found[2] == _fingerprint(name):
        response.cache_control.immutable = True
    elif found:  # of another release
        response.cache_control.max_age = 60
    if app.extensions["guildhall"].config.cdn_url:
        response.headers["Access-Control-Allow-Origin"] = "*"  # it passes modules and fonts on to our pages
    return response


class Shell:
    """What ``guildhall/base.html`` shows around a page; computed when a template asks."""

    app_name = "Guildhall"
    login_url = "/login"
    inbox_url = "/admin/notifications/mine"
    search_url = "/admin/search"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._actor: Actor | None = g.get("actor")
        self.version = platform.registry.plugins["core"].version

    @cached_property
    def nav(self) -> list[dict[str, Any]]:
        """Sections by plugin, with what this actor may open."""
        actor = self._actor
        if actor is None or actor.kind == "anonymous":
            return []
        key = ("menu", actor.permissions, request.script_root)
        menu: list[tuple[str, list[MenuItem]]] | None = generation.cached(g.session, key)
        if menu is None:
            menu = self._menu(actor)
            generation.keep(g.session, key, menu)
        figures = self._figures([item for _label, items in menu for item in items])
        sections = [
            {"label": gettext(label), "items": [_entry(item, figures.get(item)) for item in items]}
            for label, items in menu
        ]
        _mark_active(sections)
        return sections

    def _menu(self, actor: Actor) -> list[tuple[str, list[MenuItem]]]:
        """What these permissions may open, by plugin; without badges, in English."""
        off = lifecycle.disabled(g.session)
        menu = []
        for plugin in self._platform.registry.plugins.values():
            if plugin.name in off:
                continue
            items = [item for item in plugin.menu if actor.can(item.permission)]
            for bound in self._platform.registry.resources.values():
                if bound.plugin == plugin.name and bound.resource.menu and actor.can(bound.permission("list")):
                    url = url_for(f"{class_name(bound)}.list")
                    icon, permission = bound.resource.icon, bound.permission("list")
                    items.append(
                        MenuItem(label=bound.label_plural, url=url, icon=icon, permission=permission, order=50)
                    )
            if items:
                menu.append((plugin.label, sorted(items, key=lambda item: item.order)))
        return menu

    def _figures(self, items: Sequence[MenuItem]) -> dict[MenuItem, int]:
        """The figures beside entries, by one statement."""
        actor = self._actor
        queries = {item: item.badge(g.session, actor) for item in items if item.badge and actor}
        also = self._unread() if "unread" not in g else []
        asked = [*queries.values(), *(one for one in also if not isinstance(one, int))]
        row: Sequence[int] = ()
        if asked:
            row = g.session.execute(select(*(query.scalar_subquery() for query in asked))).one()
        if "unread" not in g:
            g.unread = sum(row[len(queries) :]) + sum(one for one in also if isinstance(one, int))
        return dict(zip(queries, row, strict=False))

    def _unread(self) -> list[int | Select[int]]:
        """Unread notices by whichever plugin keeps them: figures, or queries of one."""
        from core import hooks

        if self._actor is None or self._actor.member_id is None:
            return []
        return [count for _plugin, count in hooks.collect(g.session, "unread_count", member_id=self._actor.member_id)]

    @cached_property
    def me(self) -> dict[str, Any] | None:
        actor = self._actor
        if actor is None or actor.member_id is None:
            return None
        initials = "".join(word[0] for word in actor.name.split()[:2]).upper()
        return {
            "name": actor.name,
            "email": "",
            "initials": initials,
            "roles": actor.roles,
            "profile_url": "/profile",
            "logout_url": "/logout",
        }

    @property
    def theme(self) -> str:
        chosen = request.cookies.get("theme", "auto")
        return chosen if chosen in THEMES else "auto"

    @property
    def csp_nonce(self) -> str:
        return nonce()

    @property
    def csrf_token(self) -> str:
        token: str = generate_csrf()
        return token

    @property
    def locale(self) -> str:
        return str(get_locale() or "en")

    @property
    def dir(self) -> str:
        return "rtl" if self.locale.split("_")[0] in RTL else "ltr"

    @cached_property
    def languages(self) -> list[tuple[str, str]]:
        """Each language that can be chosen, and what it calls itself."""
        from core.admin.locale import languages

        return languages(self._platform)

    @cached_property
    def unread(self) -> int:
        """How many notices are unread; asked once a page, which is made of several templates."""
        if "unread" not in g:
            self._figures([])
        unread: int = g.unread
        return unread

    @cached_property
    def impersonation(self) -> impersonation.Shown | None:
        """As whom an admin acts at the moment."""
        going = self._actor.impersonation if self._actor is not None else None
        return impersonation.find(g.session, going) if going is not None else None

    @cached_property
    def notices(self) -> list[dict[str, str]]:
        """What admins are told on every page: what is switched off."""
        if self._actor is None or self._actor.kind == "anonymous":
            return []
        from core.admin.switches import banner

        return banner(g.session, self._actor)


def _entry(item: MenuItem, figure: int | None) -> dict[str, Any]:
    return {"label": gettext(item.label), "url": item.url, "icon": item.icon, "active": False, "badge": figure}


def _mark_active(sections: list[dict[str, Any]]) -> None:
    """Mark the entry whose address is the longest beginning of the present one."""
    entries = [entry for section in sections for entry in section["items"]]
    here = request.path.rstrip("/") + "/"
    best = None
    for entry in entries:
        base = entry["url"].split("?")[0].removesuffix("/list/").rstrip("/") + "/"
        if here.startswith(base) and (base != "/" or here == "/") and (best is None or len(base) > best[0]):
            best = (len(base), entry)
    if best:
        best[1]["active"] = True
