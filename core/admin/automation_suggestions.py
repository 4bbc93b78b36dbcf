"""What plugins suggest to automate: read it, try it out, take over a copy, take over what is new."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.automation_words import Words
from core.admin.automations import HOME, plugin_label
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.automations import service, suggested
from core.automations.models import Automation
from core.automations.yaml_text import written
from core.i18n import _

pages = PageBlueprint("core_automation_suggestions", url_prefix=HOME)


@pages.get("/suggestions/<key>", permission=service.SEE)
def show(session: Session, actor: Actor, key: str) -> Any:
    """One suggestion: its sentence, what it needs that is not there, and the copies of it."""
    found = suggested.find(session, actor, key)
    words = Words(session)
    return render(
        "guildhall/automation_suggestion.html",
        one=found,
        plugin=plugin_label(session, found.plugin),
        label=gettext(found.suggestion.label),
        about=gettext(found.suggestion.description) if found.suggestion.description else "",
        kind=found.suggestion.said.trigger.kind,
        said=words.said(found.suggestion.said),
        written=written(found.suggestion.said.plain),
    )


@pages.post("/suggestions/<key>/take", permission=service.CREATE)
def take(session: Session, actor: Actor, key: str) -> Any:
    """Take over a copy, which is off."""
    made: list[Automation] = []
    if not tried(session, lambda: made.append(suggested.take(session, actor, key))):
        return redirect(f"{HOME}/suggestions/{key}")
    flash(_("Here is your copy. It is off: try it out, change what you like, then turn it on."))
    return redirect(f"{HOME}/{made[0].id}")


@pages.post("/<uuid:key>/renew", permission=service.UPDATE)
def renew(session: Session, actor: Actor, key: UUID) -> Any:
    """Make what the plugin suggests now the newest version of a copy."""
    if tried(session, lambda: suggested.renew(session, actor, key)):
        flash(_("What the plugin suggests now is the newest version. Try it out, then turn it on."))
    return redirect(f"{HOME}/{key}")
