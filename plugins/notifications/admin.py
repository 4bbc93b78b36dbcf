"""Pages: a member's own notices, and what an admin sees below a notice's record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import g, request
from flask_babel import gettext
from sqlalchemy.orm import Session

from guildhall import Actor, _
from guildhall.web import PageBlueprint, flash, redirect, render, tried

from . import mails, queries, service
from .kinds import known
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


@pages.get("/failed", permission="notifications:notification:list")
def failed(session: Session, actor: Actor) -> Any:
    """Notices whose mail failed, with the cause."""
    found = mails.failed(session)
    notices = queries.shown(session, [row for row, _mail in found])
    names = queries.names(session, [row.member_id for row, _mail in found])
    return render(
        "notifications/failed.html",
        rows=[
            {"notice": notice, "mail": mail, "member": names.get(row.member_id, "")}
            for notice, (row, mail) in zip(notices, found, strict=True)
        ],
        may_replay=actor.can("notifications:mail:replay"),
    )


@pages.post("/notices/<uuid:notification_id>/mail", permission="notifications:mail:replay")
def send_again(session: Session, actor: Actor, notification_id: UUID) -> Any:
    """Send the mail of a notice again."""
    if tried(session, lambda: mails.mail_again(session, actor, notification_id)):
        flash(_("The mail is on its way again."))
    back = "failed" if request.form.get("back") == "failed" else f"notification/show/{notification_id}"
    return redirect(f"/admin/notifications/{back}")


def detail(session: Session, record: Notification) -> dict[str, Any]:
    """The text of a notice, as its member reads it, and how its mail stands."""
    return {
        "notice": queries.shown(session, [record])[0],
        "mail": mails.mail_of(session, record),
        "may_replay": g.actor.can("notifications:mail:replay"),
        "may_follow": g.actor.can("core:event:list"),
    }


def display(session: Session, records: Sequence[Notification]) -> list[Mapping[str, Any]]:
    """Kinds as admins call them, in the reader's language."""
    return [{"kind": gettext(notice.kind.called)} for notice in queries.shown(session, records)]


def title(session: Session, record: Notification) -> str:
    """What the notice says."""
    return queries.shown(session, [record], gettext)[0].subject


def kind_choices(session: Session) -> list[tuple[str, str]]:
    """Every kind, for the filter of the list."""
    return sorted(((name, gettext(kind.called)) for name, kind in known(session).items()), key=lambda pair: pair[1])
