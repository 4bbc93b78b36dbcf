"""Pages: a member's own notices, and what an admin sees below a notice's record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from guildhall import Actor, _
from guildhall.web import PageBlueprint, flash, redirect, render

from . import queries, service
from .models import Notification

MINE = "/admin/notifications/mine"

pages = PageBlueprint("notifications")


@pages.get("/mine", signed_in=True)
def mine(session: Session, actor: Actor) -> Any:
    """My notices, newest first."""
    assert actor.member_id
    only_unread = request.args.get("show") == "unread"
    page = queries.inbox_page(
        session, actor.member_id, limit=25, cursor=request.args.get("cursor", ""), unread=only_unread
    )
    return render(
        "notifications/mine.html",
        page=page,
        unread=queries.unread_count(session, actor.member_id),
        only_unread=only_unread,
    )


@pages.post("/mine/<uuid:notification_id>/open", signed_in=True)
def open_notice(session: Session, actor: Actor, notification_id: UUID) -> Any:
    """Mark a notice as read and go where it leads."""
    notice = service.mark_read(session, actor, notification_id)
    return redirect(notice.url or MINE)


@pages.post("/mine/read-all", signed_in=True)
def read_all(session: Session, actor: Actor) -> Any:
    """Mark all my notices as read."""
    if service.mark_all_read(session, actor):
        flash(_("All notices are marked as read."), "success")
    return redirect(MINE)


def detail(session: Session, record: Notification) -> dict[str, Any]:
    """The text of a notice, as its member reads it."""
    return {"notice": queries.shown(session, [record])[0]}
