"""The tabs of the member page: the core's own, and one for each plugin that brings panels."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy.orm import Session

from core import hooks
from core.actor import Actor
from core.automations import service as automations
from core.comments import service as comments
from core.history import reading
from core.hookspecs import Panel
from core.i18n import _
from core.members import timeline
from core.members.models import Member


def panels(session: Session, actor: Actor, member_id: UUID) -> dict[str, list[Panel]]:
    """The panels that this actor may see, by the path of their plugin's tab, in their order; none of them is read."""
    given = hooks.collect(session, "member_panels", actor=actor, member_id=member_id)
    found = {plugin.replace("_", "-"): sorted(parts, key=lambda one: one.order) for plugin, parts in given}
    filled = {path: parts for path, parts in found.items() if parts}
    return dict(sorted(filled.items(), key=lambda one: one[1][0].order))


def tabs(session: Session, actor: Actor, member: Member, active: str, count: int | None = None) -> list[dict[str, Any]]:
    """What this actor may open of a member's page, for ``ui.tabs``. ``count`` of comments, where it is known."""
    home, generated = f"/admin/members/{member.id}", "/admin/core/member"
    found = [("details", _("Overview"), home)]
    found += [(path, parts[0].title, f"{home}/{path}") for path, parts in panels(session, actor, member.id).items()]
    if actor.can(timeline.EVENTS) or actor.can(timeline.TRAIL):
        found.append(("timeline", _("Timeline"), f"{home}/timeline"))
    found.append(("access", _("Sign-in and access"), f"{home}/access"))
    if actor.can("core:review:list"):
        found.append(("reviews", _("Reviews"), f"{home}/reviews"))
    if actor.can(automations.SEE):
        found.append(("automations", _("Automations"), f"{home}/automations"))
    sees = actor.can(comments.LIST) and member.id != actor.member_id
    if sees:
        found.append(("comments", _("Comments"), f"{generated}/comments/{member.id}"))
    if actor.can(reading.SEES):
        found.append(("history", _("History"), f"{generated}/history/{member.id}"))
    if actor.can("core:member:export"):
        found.append(("data", _("Personal data"), f"{home}/data"))
    made = [{"label": gettext(label), "url": url, "active": name == active} for name, label, url in found]
    if sees:
        bound = session.info["registry"].resources["core.member"]
        written = comments.count(session, bound, member.id) if count is None else count
        next(one for one in made if one["url"].startswith(f"{generated}/comments"))["count"] = written or None
    return made
