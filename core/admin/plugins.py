"""The plugin pages: every plugin that was found, and one with all that it declares and all that is wrong with it."""

from __future__ import annotations

from typing import Any

from flask import current_app, request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core import doctor, lifecycle, settings
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Conflict
from core.gateway.request import platform
from core.generation import NEVER
from core.i18n import _
from core.lifecycle import State
from core.loader import state_of

pages = PageBlueprint("core_plugins", url_prefix="/admin/plugins")


@pages.get("", permission="core:plugin:list")
def plugins(session: Session, actor: Actor) -> Any:
    found = []
    platform().registry.cache.looked_at = NEVER  # show what was just switched, not what was kept for a second
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


@pages.get("/<name>", permission="core:plugin:list")
def show(session: Session, actor: Actor, name: str) -> Any:
    """One plugin: what is wrong with it, advice on revisions that wait, and what it declares."""
    platform().registry.cache.looked_at = NEVER
    found = doctor.examine(session, platform(), name)
    loaded = platform().registry.plugins
    plugin = loaded.get(name) or next((one.plugin for one in platform().found if one.name == name), None)
    off = lifecycle.disabled(session)
    needed_by = [other.label for other in loaded.values() if name in other.requires and other.name not in off]
    return render(
        "guildhall/plugin.html",
        name=name,
        plugin=plugin,
        found=found[0],
        hidden=found[1:],
        switchable=name in loaded and name != "core",
        needed_by=needed_by,
        permissions=[one for key, one in sorted(platform().registry.permissions.items()) if key.split(":")[0] == name],
        events=sorted(key for key in platform().registry.events if key.split(".")[0] == name),
        hooks=_hooks(name),
        routes=_routes(name),
        tables=[(table, rows) for table, rows in found[0].tables.items()],
        settings=_settings(session, name),
    )


def _hooks(name: str) -> list[str]:
    """The hooks that a plugin implements."""
    hooks = platform().registry.hooks
    there = hooks.get_plugin(name)
    return sorted(caller.name for caller in hooks.get_hookcallers(there) or ()) if there is not None else []


def _routes(name: str) -> list[dict[str, Any]]:
    """The plugin's addresses, by whom each may be asked."""
    owners = current_app.extensions["guildhall.owners"]
    found = []
    for rule in current_app.url_map.iter_rules():
        blueprint = rule.endpoint.rpartition(".")[0]
        if (owners.get(blueprint) or ("core" if blueprint.partition("_")[0] == "core" else "")) != name:
            continue
        view = current_app.view_functions[rule.endpoint]
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        held = getattr(view, "permission", None) or getattr(view, "access", "")
        found.append({"path": rule.rule, "methods": methods, "access": held})
    return sorted(found, key=lambda one: (one["path"], one["methods"]))


def _settings(session: Session, name: str) -> list[dict[str, Any]]:
    """The plugin's settings that differ from their defaults or are fixed by the environment come first."""
    declared = platform().registry.plugins[name].settings if name in platform().registry.plugins else None
    if declared is None:
        return []
    values, locked = settings.read(session, declared), platform().registry.locked_settings.get(name, {})
    rows = [
        {
            "name": key,
            "changed": getattr(values, key) != field.get_default(call_default_factory=True),
            "locked": key in locked,
        }
        for key, field in declared.model_fields.items()
    ]
    return sorted(rows, key=lambda row: (not row["changed"], not row["locked"]))


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
        return redirect(_back(name))
    flash(
        _("{name} is on.") if enabled else _("{name} is off. Its deliveries wait; nothing is lost."),
        name=gettext(platform().registry.plugins[name].label),
    )
    return redirect(_back(name))


def _back(name: str) -> str:
    """The page that the form stood on."""
    return f"/admin/plugins/{name}" if request.form.get("page") else "/admin/plugins"
