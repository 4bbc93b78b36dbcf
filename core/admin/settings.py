"""Settings: a form for each plugin, made from the schema of its settings."""

from __future__ import annotations

import enum
from typing import Any, Literal, get_args, get_origin

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core import lifecycle
from core import settings as store
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import Invalid, NotFound
from core.gateway.request import platform
from core.i18n import _
from core.settings import Settings
from core.wording import field_label, words

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
            "fields": _fields(
                plugin.settings, store.read(session, plugin.settings), registry.locked_settings.get(plugin.name, {})
            ),
        }
        for plugin in registry.plugins.values()
        if plugin.settings is not None and plugin.name not in off
    ]


def _fields(settings: type[Settings], values: Settings, locked: dict[str, Any]) -> list[dict[str, Any]]:
    fields = []
    for name, field in settings.model_fields.items():
        kind = field.annotation
        choices: list[str] = []
        if get_origin(kind) is Literal:
            choices = [str(value) for value in get_args(kind)]
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            choices = [str(member.value) for member in kind]
        shown = "bool" if kind is bool else "select" if choices else "number" if kind is int else "text"
        fields.append(
            {
                "name": name,
                "label": gettext(field_label(name, field.title)),
                "kind": shown,
                "help": gettext(field.description) if field.description else "",
                "value": _plain(getattr(values, name)),
                "choices": [(choice, gettext(words(choice))) for choice in choices],
                "locked": name in locked,
            }
        )
    return fields


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
