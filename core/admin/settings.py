"""Settings: a form for each plugin, made from the schema of its settings."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from core import lifecycle
from core import settings as store
from core.actor import Actor
from core.admin.forms import fields_of
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Invalid, NotFound
from core.gateway.request import platform
from core.i18n import _

pages = PageBlueprint("core_settings", url_prefix="/admin/settings")


@pages.get("", permission="core:settings:show")
def overview(session: Session, actor: Actor) -> Any:
    platform().registry.cache.looked_at = 0.0  # show what was just saved, not what was kept for a second
    return render("guildhall/settings.html", groups=_groups(session), errors={}, given={}, failed="")


@pages.post("/<plugin>", permission="core:settings:update")
def change(session: Session, actor: Actor, plugin: str) -> Any:
    declared = platform().registry.plugins.get(plugin)
    if declared is None or declared.settings is None:
        raise NotFound()
    given: dict[str, Any] = {}
    for name, field in declared.settings.model_fields.items():
        if field.annotation is bool:
            given[name] = name in request.form
        elif name in request.form:
            given[name] = request.form[name]
    try:
        store.write(session, actor, declared.settings, given)
    except Invalid as problem:
        errors = problem.details
        return render(
            "guildhall/settings.html", groups=_groups(session), errors=errors, given=given, failed=plugin
        ), 422
    flash(_("Saved. Every process follows within a second."))
    return redirect("/admin/settings")


def _groups(session: Session) -> list[dict[str, Any]]:
    off = lifecycle.disabled(session)
    registry = platform().registry
    return [
        {
            "plugin": plugin,
            "fields": fields_of(
                plugin.settings,
                dict(store.read(session, plugin.settings)),
                registry.locked_settings.get(plugin.name, {}),
            ),
        }
        for plugin in registry.plugins.values()
        if plugin.settings is not None and plugin.name not in off
    ]
