"""The member page: everything about one person in tabs, each of which loads on its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from flask import render_template, request
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import access, hooks
from core.actor import Actor
from core.admin import access as access_pages
from core.admin import member_tabs
from core.admin.automations import named_rows
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.automations import service as automations
from core.clock import now
from core.comments.models import Comment
from core.errors import DomainError, NotFound
from core.hookspecs import Panel
from core.i18n import _
from core.ids import uuid_of
from core.members import accounts, standing, tags, timeline, two_factor
from core.members.models import Member, MemberSession
from core.reviews import queries as reviews
from core.reviews.models import Review

pages = PageBlueprint("core_members", url_prefix="/admin/members")
log = structlog.get_logger("members")
PAGE = 40
STATUSES = {
    "active": (standing.reactivate, _("This member may sign in again.")),
    "suspended": (standing.suspend, _("This member is suspended; all sessions and API keys have ended.")),
    "closed": (standing.close, _("This account is closed; all sessions and API keys have ended.")),
}


@pages.get("/<uuid:key>", permission="core:member:show")
def show(session: Session, actor: Actor, key: UUID) -> Any:
    """Who it is, the key figures, and how the account stands."""
    member, held, written = _head(session, key)
    given = hooks.collect(session, "member_figures", actor=actor, member_id=key)
    figures = sorted((one for _plugin, ones in given for one in ones), key=lambda one: one.order)
    return render(
        "guildhall/member.html",
        **_frame(session, actor, member, held, written, "details"),
        figures=figures,
        tags=tags.of(session, [key]).get(key, []),
        history=standing.history(session, key) if actor.can("core:member:suspend") else [],
    )


@pages.get("/<uuid:key>/access", permission="core:member:show")
def sign_in(session: Session, actor: Actor, key: UUID) -> Any:
    """Sessions and second factors for who may change members, roles and what they allow."""
    member, held, written = _head(session, key)
    query = select(MemberSession).where(MemberSession.member_id == key).order_by(MemberSession.created_at.desc())
    may = actor.can("core:member:update")
    return render(
        "guildhall/member_sign_in.html",
        **_frame(session, actor, member, held, written, "access"),
        at=now(),
        two_factor=two_factor.is_on(session, key) if may else False,
        card=access_pages.card(session, actor, key, held),
        signed_in=session.scalars(query.limit(20)).all() if may else [],
    )


@pages.get("/<uuid:key>/timeline", permission="core:member:show")
def story(session: Session, actor: Actor, key: UUID) -> Any:
    """Events and the audit trail of the member in one stream."""
    if not (actor.can(timeline.EVENTS) or actor.can(timeline.TRAIL)):
        actor.require(timeline.EVENTS)
    member, held, written = _head(session, key)
    entries = timeline.of(session, actor, key, limit=PAGE + 1, before=uuid_of(request.args.get("before", "")))
    return render(
        "guildhall/member_timeline.html",
        **_frame(session, actor, member, held, written, "timeline"),
        groups=timeline.by_cause(entries[:PAGE]),
        older=entries[PAGE - 1].id if len(entries) > PAGE else None,
    )


@pages.get("/<uuid:key>/reviews", permission="core:review:list")
def cases(session: Session, actor: Actor, key: UUID) -> Any:
    """The cases about the member that this actor may see: what waits, and what was decided."""
    actor.require("core:member:show")
    member, held, written = _head(session, key)
    waiting = reviews.matching(session, actor, reviews.Filter(member_id=key)).order_by(Review.due_at).limit(PAGE)
    decided = reviews.matching(session, actor, reviews.Filter(view="decided", member_id=key))
    found = [*session.scalars(waiting), *session.scalars(decided.order_by(Review.decided_at.desc()).limit(PAGE))]
    return render(
        "guildhall/member_reviews.html",
        **_frame(session, actor, member, held, written, "reviews"),
        cases=found,
        people=reviews.people(session, found),
    )


@pages.get("/<uuid:key>/automations", permission=automations.SEE)
def automated(session: Session, actor: Actor, key: UUID) -> Any:
    """What automations did to the member."""
    actor.require("core:member:show")
    member, held, written = _head(session, key)
    before = uuid_of(request.args.get("before", ""))
    found = automations.runs(session, actor, member_id=key, before=before, limit=PAGE + 1)
    return render(
        "guildhall/member_automations.html",
        **_frame(session, actor, member, held, written, "automations"),
        runs=named_rows(session, found[:PAGE]),
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        newer=before is not None,
    )


@pages.get("/<uuid:key>/<plugin>", permission="core:member:show")
def part(session: Session, actor: Actor, key: UUID, plugin: str) -> Any:
    """What one plugin knows of the member."""
    member, held, written = _head(session, key)
    parts = member_tabs.panels(session, actor, key).get(plugin)
    if parts is None:
        raise NotFound()
    return render(
        "guildhall/member_panels.html",
        **_frame(session, actor, member, held, written, plugin),
        panels=[(panel.title, _shown(session, panel)) for panel in parts],
    )


def _head(session: Session, key: UUID) -> tuple[Member, tuple[str, ...], int]:
    """The member, their roles and how many comments there are on them, in one statement. Raises NotFound."""
    roles = select(func.array_agg(access.role.c.name)).join(
        access.user_role, access.user_role.c.role_id == access.role.c.id
    )
    roles = roles.where(access.user_role.c.user_id == Member.user_id)
    written = select(func.count()).where(
        Comment.subject_type == "core.member", Comment.subject_id == str(key), Comment.deleted_at.is_(None)
    )
    query = select(Member, roles.scalar_subquery(), written.scalar_subquery()).where(Member.id == key)
    found = session.execute(query).first()
    if found is None:
        raise NotFound()
    return found[0], tuple(sorted(found[1] or ())), found[2]


def _frame(
    session: Session, actor: Actor, member: Member, held: tuple[str, ...], written: int, active: str
) -> dict[str, Any]:
    """What ``guildhall/member_base.html`` shows around each tab."""
    return {
        "member": member,
        "roles": held,
        "tabs": member_tabs.tabs(session, actor, member, active, written),
    }


@pages.get("/new", permission="core:member:create")
def new(session: Session, actor: Actor) -> Any:
    return _new_page(session, actor, {"role": ["User"]})


@pages.post("/new", permission="core:member:create", once=True)
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
    return redirect(f"/admin/members/{key}/access")


@pages.post("/<uuid:key>/sessions/<uuid:one>/revoke", permission="core:member:update")
def revoke_one(session: Session, actor: Actor, key: UUID, one: UUID) -> Any:
    """End one session of a member."""
    if tried(session, lambda: standing.end_sessions(session, actor, key, only=one)):
        flash(_("That session has ended."))
    return redirect(f"/admin/members/{key}/access")


@pages.post("/<uuid:key>/two-factor/reset", permission="core:member:update")
def reset_two_factor(session: Session, actor: Actor, key: UUID) -> Any:
    """Take the second factor off a member who has lost it; their sessions end."""
    reason = request.form.get("reason", "")
    if tried(session, lambda: standing.reset_two_factor(session, actor, key, reason=reason)):
        flash(_("This member signs in with the password alone now, and can set up a new second factor."))
    return redirect(f"/admin/members/{key}/access")


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
            loaded = panel.load() if panel.load else {}
            return Markup(render_template(panel.template, **panel.context, **loaded))
    except Exception:
        log.exception("panel failed", template=panel.template)
        return None
