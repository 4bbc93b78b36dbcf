"""The switch page: what can be stopped at once, what is, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.clock import now
from core.gateway.request import platform
from core.i18n import _
from core.members.models import Member
from core.switches import service

pages = PageBlueprint("core_switches", url_prefix="/admin/switches")
HOME = "/admin/switches"
LASTS = {
    "15": _("15 minutes"),
    "60": _("1 hour"),
    "240": _("4 hours"),
    "1440": _("1 day"),
    "": _("Until I switch it on"),
}


@pages.get("", permission="core:switch:list")
def index(session: Session, actor: Actor) -> Any:
    registry, stopped, off = platform().registry, service.pulled(session), lifecycle.disabled(session)
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, switch in registry.switches.items():
        plugin = name.split(".")[0]
        if plugin in off:
            continue
        found = stopped.get(name)
        by = session.get(Member, found.pulled_by) if found and found.pulled_by else None
        row = {"name": name, "switch": switch, "pulled": found, "by": by.display_name if by else ""}
        groups.setdefault(gettext(registry.plugins[plugin].label), []).append(row)
    lasts = [(value, gettext(label)) for value, label in LASTS.items()]
    return render("guildhall/switches.html", groups=groups, lasts=lasts)


@pages.post("/<name>/off", permission="core:switch:pull")
def off(session: Session, actor: Actor, name: str) -> Any:
    lasts = request.form.get("lasts", "")
    until = now() + timedelta(minutes=int(lasts)) if lasts in LASTS and lasts else _end(request.form.get("until", ""))
    if tried(session, lambda: service.pull(session, actor, name, reason=request.form.get("reason", ""), until=until)):
        flash(_("It is off, everywhere within a second."), "warning")
    return redirect(HOME)


@pages.post("/<name>/on", permission="core:switch:pull")
def on(session: Session, actor: Actor, name: str) -> Any:
    service.restore(session, actor, name)
    flash(_("It is on again. What waited is done now."))
    return redirect(HOME)


def banner(session: Session, actor: Actor) -> list[dict[str, str]]:
    """What admins are told on every page while something is off."""
    if not actor.can("core:switch:list"):
        return []
    declared, told = platform().registry.switches, []
    for name, one in service.pulled(session).items():
        if name in declared:
            what = gettext(declared[name].label)
            text = gettext(_("%(what)s: switched off. %(reason)s"), what=what, reason=one.reason)
            told.append({"level": "warning", "text": text, "url": HOME, "label": gettext(_("Switches"))})
    return told


def _end(given: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC) if given else None
    except ValueError:
        return None
