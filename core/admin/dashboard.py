"""The dashboard: widgets by plugins, each loaded on its own, so that a slow one never holds up the page."""

from __future__ import annotations

from typing import Any

import structlog
from flask import render_template, request
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, redirect, render
from core.errors import NotFound
from core.gateway.request import platform
from core.plugin import Widget

pages = PageBlueprint("core_dashboard", url_prefix="/")
log = structlog.get_logger("dashboard")


@pages.get("/", signed_in=True)
def home(session: Session, actor: Actor) -> Any:
    """The dashboard for who may see it, one's own profile for everybody else."""
    if not actor.can("core:dashboard:show"):
        return redirect("/profile")
    widgets = _widgets(session, actor)
    return render(
        "guildhall/dashboard.html", kpis=_of(widgets, "kpi"), cards=_of(widgets, "half") + _of(widgets, "full")
    )


@pages.get("/admin/widgets/<plugin>/<name>", permission="core:dashboard:show")
def widget(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    """One widget's content, fetched by the page."""
    found = next((w for key, w in _widgets(session, actor) if key == f"{plugin}.{name}"), None)
    if found is None:
        raise NotFound()
    try:
        with session.begin_nested():
            return render_template(found.template, **found.load(session))
    except Exception:
        log.exception("widget failed", widget=f"{plugin}.{name}")
        return render_template("guildhall/widget_failed.html", title=found.title, size=found.size, url=request.path)


def _widgets(session: Session, actor: Actor) -> list[tuple[str, Widget]]:
    off = lifecycle.disabled(session)
    found = [
        (f"{plugin.name}.{one.name}", one)
        for plugin in platform().registry.plugins.values()
        if plugin.name not in off
        for one in plugin.widgets
        if actor.can(one.permission)
    ]
    return sorted(found, key=lambda pair: pair[1].order)


def _of(widgets: list[tuple[str, Widget]], size: str) -> list[dict[str, Any]]:
    return [
        {"url": "/admin/widgets/" + key.replace(".", "/"), "title": one.title, "size": one.size}
        for key, one in widgets
        if one.size == size
    ]
