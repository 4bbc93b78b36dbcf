"""The member page: everything about one person, a panel a plugin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from flask import render_template, request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import access, hooks
from core.actor import Actor
from core.admin import access as access_pages
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.audit.trail import record
from core.clock import now
from core.errors import Invalid, NotFound
from core.hookspecs import Panel
from core.i18n import _
from core.members import sessions, two_factor
from core.members.models import Member, MemberSession

pages = PageBlueprint("core_members", url_prefix="/admin/members")
log = structlog.get_logger("members")


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
        signed_in=session.scalars(query.limit(5)).all() if actor.can("core:member:update") else [],
    )


@pages.post("/<uuid:key>/sessions/revoke", permission="core:member:update")
def revoke(session: Session, actor: Actor, key: UUID) -> Any:
    """End every session of a member."""
    sessions.revoke_all(session, key)
    record(session, actor, "core.member.sessions_revoked", subject_type="core.member", subject_id=key)
    flash(_("Every session of this member has ended."))
    return redirect(f"/admin/members/{key}")


@pages.post("/<uuid:key>/two-factor/reset", permission="core:member:update")
def reset_two_factor(session: Session, actor: Actor, key: UUID) -> Any:
    """Take the second factor off a member who has lost it; their sessions end."""
    reason = request.form.get("reason", "").strip()[:500]
    if not reason:
        raise Invalid({"reason": [_("Say why; it stands in the audit trail.")]})
    two_factor.disable(session, actor, key, reason)
    sessions.revoke_all(session, key)
    flash(_("This member signs in with the password alone now, and can set up a new second factor."))
    return redirect(f"/admin/members/{key}")


def _shown(session: Session, panel: Panel) -> Markup | None:
    """A panel's content, or None when its template or what it loads fails: the rest of the page stands."""
    try:
        with session.begin_nested():
            return Markup(render_template(panel.template, **panel.context))
    except Exception:
        log.exception("panel failed", template=panel.template)
        return None
