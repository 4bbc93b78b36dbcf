"""What this plugin adds: kinds of notices, its part of a contribution's story and of a member's page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy import Select
from sqlalchemy.orm import Session

from guildhall import Actor, Panel, _, hookimpl
from plugins.contributions import Stage

from . import kinds, queries


@hookimpl
def notification_kinds() -> Iterable[kinds.Kind]:
    return kinds.DEFAULTS


@hookimpl
def contribution_stages(session: Session, contribution_id: UUID) -> list[Stage]:
    return [
        Stage(
            at=notice.created_at,
            stage="notification",
            title=notice.subject,
            icon=notice.kind.icon,
            url=notice.url or None,
        )
        for notice in queries.of_contribution(session, contribution_id, gettext)
    ]


@hookimpl
def unread_count(member_id: UUID) -> Select[int]:
    return queries.unread(member_id)


@hookimpl
def member_panels(session: Session, actor: Actor, member_id: UUID) -> list[Panel]:
    if not actor.can("notifications:notification:list"):
        return []

    def load() -> dict[str, Any]:
        return {
            "notices_shown": queries.inbox_page(session, member_id, limit=8).items,
            "unread": queries.unread_count(session, member_id),
            "all_url": f"/admin/notifications/notification/list/?member_id={member_id}",
        }

    return [Panel(title=_("Notices"), template="notifications/panel.html", load=load, order=60)]
