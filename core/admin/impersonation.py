"""Acting as another member: begin, end, and the list of who acted as whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.gateway.request import also_impersonating
from core.i18n import _
from core.members import impersonation

pages = PageBlueprint("core_impersonation", url_prefix="/")
HOME = "/admin/impersonations"


@pages.get(HOME, permission=impersonation.PERMISSION)
def overview(session: Session, actor: Actor) -> Any:
    rows = [(one, impersonation.living(one.row)) for one in impersonation.listed(session)]
    return render("guildhall/impersonations.html", rows=rows)


@pages.post("/admin/members/<uuid:key>/impersonate", permission=impersonation.PERMISSION, step_up=True)
def start(session: Session, actor: Actor, key: UUID) -> Any:
    """Go on as this member, with a reason; read-only unless the box is ticked."""
    writing, reason = bool(request.form.get("may_write")), request.form.get("reason", "")
    begun = tried(session, lambda: impersonation.start(session, actor, key, reason=reason, may_write=writing))
    return redirect("/" if begun else f"/admin/members/{key}")


@pages.post("/impersonation/end", signed_in=True)
@also_impersonating
def end_mine(session: Session, actor: Actor) -> Any:
    """Be oneself again; back to the member's page."""
    if actor.impersonation is None:
        return redirect("/")
    member_id = actor.member_id
    impersonation.end(session, actor, actor.impersonation)
    return redirect(f"/admin/members/{member_id}")


@pages.post(f"{HOME}/<uuid:key>/end", permission=impersonation.PERMISSION)
def end(session: Session, actor: Actor, key: UUID) -> Any:
    """End another's."""
    impersonation.end(session, actor, key)
    flash(_("That has ended."))
    return redirect(HOME)
