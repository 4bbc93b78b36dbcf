"""The member page: everything about one person, a panel a plugin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from flask import render_template, request
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import access, hooks
from core.actor import Actor
from core.admin import access as access_pages
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.clock import now
from core.errors import DomainError, NotFound
from core.hookspecs import Panel
from core.i18n import _
from core.members import accounts, standing, two_factor
from core.members.models import Member, MemberSession

pages = PageBlueprint("core_members", url_prefix="/admin/members")
log = structlog.get_logger("members")
STATUSES = {
    "active": (standing.reactivate, _("This member may sign in again.")),
    "suspended": (standing.suspend, _("This member is suspended; all sessions and API keys have ended.")),
    "closed": (standing.close, _("This account is closed; all sessions and API keys have ended.")),
}


@pages.get("/<uuid:key>", permission="core:member:show")
def show(session: Session, actor: Actor, key: UUID) -> Any:
    member = session.get(Member, key)
    if member is None:
        raise NotFound()
    panels = [
        panel
        for _plugin, given in hooks.collect(session, "member_panels", actor=actor, member_id=key)
        for panel in given
    ]
    held = access.roles_of(session, member.user_id) if member.user_id else ()
    query = select(MemberSession).where(MemberSession.member_id == key).order_by(MemberSession.created_at.desc())
    return render(
        "guildhall/member.html",
        member=member,
        at=now(),
        two_factor=two_factor.is_on(session, key),
        card=access_pages.card(session, actor, key, held),
        panels=[(panel.title, _shown(session, panel)) for panel in sorted(panels, key=lambda panel: panel.order)],
        roles=held,
        history=standing.history(session, key) if actor.can("core:member:suspend") else [],
        signed_in=session.scalars(query.limit(20)).all() if actor.can("core:member:update") else [],
    )


@pages.get("/new", permission="core:member:create")
def new(session: Session, actor: Actor) -> Any:
    return _new_page(session, actor, {"role": ["User"]})


@pages.post("/new", permission="core:member:create")
def create(session: Session, actor: Actor) -> Any:
    """Make an account; a mail invites its owner where there is an address."""
    email, name = request.form.get("email", "").strip(), request.form.get("display_name", "")
    given = tuple(request.form.getlist("role"))
    try:
        with session.begin_nested():
            made = accounts.invite(session, actor, email=email or None, display_name=name, roles=given)
    except DomainError as problem:
        if problem.status not in (403, 409, 422):
            raise
        kept = {"email": email, "display_name": name, "role": list(given)}
        return _new_page(session, actor, kept, problem), problem.status
    told = _("{name} is a member now, and is mailed a link to choose a password.")
    unmailed = _("{name} is a member now. Without an e-mail address there is no link to be sent.")
    flash(told if made.email else unmailed, name=made.display_name)
    return redirect(f"/admin/members/{made.id}")


@pages.post("/<uuid:key>/status/<status>", permission="core:member:suspend")
def change_status(session: Session, actor: Actor, key: UUID, status: str) -> Any:
    """Suspend, let back in or close, with a reason."""
    if status not in STATUSES:
        raise NotFound()
    change, told = STATUSES[status]
    if tried(session, lambda: change(session, actor, key, reason=request.form.get("reason", ""))):
        flash(told)
    return redirect(f"/admin/members/{key}")


@pages.post("/<uuid:key>/link", permission="core:member:update")
def send_link(session: Session, actor: Actor, key: UUID) -> Any:
    """Mail the invitation again, or a link to a new password."""
    if tried(session, lambda: accounts.send_way_in(session, actor, key)):
        flash(_("A mail with a link to choose a password is on its way."))
    return redirect(f"/admin/members/{key}")


@pages.post("/<uuid:key>/sessions/revoke", permission="core:member:update")
def revoke(session: Session, actor: Actor, key: UUID) -> Any:
    """End every session of a member."""
    if tried(session, lambda: standing.end_sessions(session, actor, key)):
        flash(_("Every session of this member has ended."))
    return redirect(f"/admin/members/{key}")


@pages.post("/<uuid:key>/sessions/<uuid:one>/revoke", permission="core:member:update")
def revoke_one(session: Session, actor: Actor, key: UUID, one: UUID) -> Any:
    """End one session of a member."""
    if tried(session, lambda: standing.end_sessions(session, actor, key, only=one)):
        flash(_("That session has ended."))
    return redirect(f"/admin/members/{key}")


@pages.post("/<uuid:key>/two-factor/reset", permission="core:member:update")
def reset_two_factor(session: Session, actor: Actor, key: UUID) -> Any:
    """Take the second factor off a member who has lost it; their sessions end."""
    reason = request.form.get("reason", "")
    if tried(session, lambda: standing.reset_two_factor(session, actor, key, reason=reason)):
        flash(_("This member signs in with the password alone now, and can set up a new second factor."))
    return redirect(f"/admin/members/{key}")


def _new_page(session: Session, actor: Actor, given: dict[str, Any], problem: DomainError | None = None) -> str:
    details = problem.details if problem is not None and isinstance(problem.details, dict) else {}
    wrong = {field: gettext(sentences[0]) for field, sentences in details.items()}
    told = problem.fill(gettext(problem.sentence)) if problem is not None and not wrong else ""
    may = sorted(access.role_names(session)) if "Admin" in actor.roles else ["User"]
    return render("guildhall/member_new.html", given=given, wrong=wrong, error=told, roles=may)


def _shown(session: Session, panel: Panel) -> Markup | None:
    """A panel's content, or None when its template or what it loads fails: the rest of the page stands."""
    try:
        with session.begin_nested():
            return Markup(render_template(panel.template, **panel.context))
    except Exception:
        log.exception("panel failed", template=panel.template)
        return None
