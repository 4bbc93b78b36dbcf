"""The plugin page: every plugin that was found, its state, and why."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.gateway.request import platform
from core.i18n import _
from core.loader import state_of

pages = PageBlueprint("core_plugins", url_prefix="/admin/plugins")


@pages.get("", permission="core:plugin:list")
def plugins(session: Session, actor: Actor) -> Any:
    found = []
    for one in platform().found:
        state, reason = state_of(session, one)
        found.append({"found": one, "plugin": one.plugin, "state": state, "reason": reason})
    return render("guildhall/plugins.html", plugins=found)


@pages.post("/<name>/toggle", permission="core:plugin:toggle")
def toggle(session: Session, actor: Actor, name: str) -> Any:
    enabled = request.form.get("enabled") == "yes"
    lifecycle.set_enabled(session, actor, name, enabled, request.form.get("reason") or None)
    flash(_("{name} is on.") if enabled else _("{name} is off. Its deliveries wait; nothing is lost."), name=name)
    return redirect("/admin/plugins")
