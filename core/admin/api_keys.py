"""The page of API keys: which there are, making one, ending one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.clock import now
from core.errors import Invalid
from core.i18n import _
from core.members import api_keys

pages = PageBlueprint("core_api_keys", url_prefix="/admin/api-keys")
DAYS = ("30", "90", "365")


@pages.get("", permission="core:api_key:list")
def overview(session: Session, actor: Actor) -> Any:
    return _page(session)


@pages.post("", permission="core:api_key:create", step_up=True, once="/admin/api-keys")
def create(session: Session, actor: Actor) -> Any:
    given = {name: request.form.get(name, "") for name in ("name", "scopes", "days")}
    expires = now() + timedelta(days=int(given["days"])) if given["days"] in DAYS else None
    try:
        row, key = api_keys.create(
            session, actor, name=given["name"], scopes=given["scopes"].split(), expires_at=expires
        )
    except Invalid as problem:
        wrong = {field: gettext(sentences[0]) for field, sentences in problem.details.items()}
        return _page(session, wrong=wrong, given=given), 422
    return _page(session, made=row, key=key)


@pages.post("/<uuid:key>/revoke", permission="core:api_key:revoke")
def revoke(session: Session, actor: Actor, key: UUID) -> Any:
    api_keys.revoke(session, actor, key)
    flash(_("That key has ended."))
    return redirect("/admin/api-keys")


def _page(session: Session, **context: Any) -> str:
    shown = {"wrong": {}, "made": None, "key": "", "given": {"name": "", "scopes": "", "days": "90"}, **context}
    return render("guildhall/api_keys.html", keys=api_keys.listed(session), at=now(), **shown)
