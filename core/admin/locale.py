"""The language of a page or an answer: the member's own, else what the browser asks for, else English."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from babel import Locale
from flask import Flask, Response, g, request
from flask_babel import get_locale, refresh
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin import saying
from core.admin.pages import PageBlueprint, flash, redirect
from core.gateway.request import platform
from core.i18n import _
from core.members import language
from core.platform import Platform

pages = PageBlueprint("core_locale", url_prefix="/")


def folders(platform: Platform) -> list[Path]:
    """Where catalogues are: the core's, then each plugin's; a later one wins over an earlier one."""
    return platform.catalogues.folders


def languages(platform: Platform) -> list[tuple[str, str]]:
    """Each language that can be chosen, and what it calls itself."""
    return [(code, own_name(code)) for code in platform.catalogues.languages]


def own_name(code: str) -> str:
    """What a language calls itself."""
    name = Locale.parse(code).get_display_name(code) or code
    return name[:1].upper() + name[1:]


def install(app: Flask, platform: Platform) -> None:
    """Let our choice replace Flask-AppBuilder's, which writes a cookie on every first page."""
    catalogues = platform.catalogues

    def choose() -> str:
        chosen = g.get("actor") and catalogues.match(g.actor.locale)
        return chosen or catalogues.best(request.accept_languages)

    def tell(response: Response) -> Response:
        """Say which language it is, and that it follows the question, to whatever keeps answers on the way."""
        if response.mimetype == "text/html" or (response.is_json and response.status_code >= 400):
            response.headers.setdefault("Content-Language", str(get_locale()).replace("_", "-"))
            response.vary.add("Accept-Language")
        return response

    app.extensions["babel"].locale_selector = choose
    saying.install(app)
    app.after_request(tell)
    app.register_blueprint(pages)


@pages.post("/profile/language", signed_in=True)
def choose_language(session: Session, actor: Actor) -> Any:
    """Keep the language a member wants; empty means: as the browser asks."""
    assert actor.member_id is not None
    chosen = request.form.get("language", "")
    language.choose(session, actor, actor.member_id, chosen, platform().catalogues)
    g.actor = replace(actor, locale=chosen)
    refresh()
    flash(_("The language is changed."))
    return redirect("/profile")
