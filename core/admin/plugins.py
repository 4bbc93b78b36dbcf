"""The plugin page: every plugin that was found, its state, and why."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Conflict
from core.gateway.request import platform
from core.i18n import _
from core.lifecycle import State
from core.loader import state_of

pages = PageBlueprint("core_plugins", url_prefix="/admin/plugins")


@pages.get("", permission="core:plugin:list")
def plugins(session: Session, actor: Actor) -> Any:
    found = []
    platform().registry.cache.looked_at = 0.0  # show what was just switched, not what was kept for a second
    loaded, off = platform().registry.plugins, lifecycle.disabled(session)
    for one in platform().found:
        state, reason = state_of(session, one)
        needed_by = [other.label for other in loaded.values() if one.name in other.requires and other.name not in off]
        found.append(
            {
                "found": one,
                "plugin": one.plugin,
                "state": state,
                "reason": reason,
                "switchable": one.name in loaded,
                "needed_by": needed_by,
                "traceback": one.traceback or _traceback(session, one.name, state),
                "advice": _advice(one.name) if state is State.FAILED_MIGRATION else [],
            }
        )
    return render("guildhall/plugins.html", plugins=found)


def _traceback(session: Session, name: str, state: State) -> str:
    """Where the handler of a quarantined plugin failed."""
    row = session.get(lifecycle.PluginRow, name) if state is State.QUARANTINED else None
    return row.traceback if row else ""


def _advice(name: str) -> list[str]:
    """What a plugin's revisions that could not be applied would do to processes of the release before."""
    from core.db import advice  # brings Alembic, which takes time to import

    found = advice.check(platform().database.engine, platform().branches)
    return [str(one) for one in found if one.revision.rpartition("_")[0] == name]


@pages.post("/<name>/toggle", permission="core:plugin:toggle")
def toggle(session: Session, actor: Actor, name: str) -> Any:
    enabled = request.form.get("enabled") == "yes"
    try:
        lifecycle.set_enabled(session, actor, name, enabled, request.form.get("reason") or None)
    except Conflict as problem:
        flash(problem.sentence, "danger", **problem.params)
        return redirect("/admin/plugins")
    flash(
        _("{name} is on.") if enabled else _("{name} is off. Its deliveries wait; nothing is lost."),
        name=gettext(platform().registry.plugins[name].label),
    )
    return redirect("/admin/plugins")
