"""REST: the signed-in member's own notices. An admin's view of all is generated from the Resource."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy.orm import Session

from guildhall import Actor
from guildhall.web import Page, PageQuery, RestBlueprint, Schema, fields

from . import queries, service

rest = RestBlueprint("notifications")


class NoticesQuery(PageQuery):
    unread = fields.Boolean(load_default=False, metadata={"description": "Only those not read yet."})


class NoticeSchema(Schema):
    id = fields.UUID(required=True)
    kind = fields.String(attribute="kind.name", required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "Path it leads to, or empty."})
    params = fields.Dict(attribute="row.params", required=True, metadata={"description": "Ids and public names."})
    created_at = fields.Instant(required=True)
    read_at = fields.Instant(allow_none=True)


class UnreadSchema(Schema):
    unread = fields.Integer(required=True, metadata={"description": "Notices not read yet."})


class ReadSchema(Schema):
    read = fields.Integer(required=True, metadata={"description": "Notices that were marked as read."})


@rest.get("", signed_in=True)
@rest.arguments(NoticesQuery, location="query")
@rest.response(200, NoticeSchema(many=True))
def mine(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """Your notices, newest first, in the language you ask for."""
    assert actor.member_id
    return queries.inbox_page(session, actor.member_id, say=gettext, **query)


@rest.get("/unread", signed_in=True)
@rest.response(200, UnreadSchema)
def unread(session: Session, actor: Actor) -> dict[str, int]:
    """How many of your notices you have not read."""
    assert actor.member_id
    return {"unread": queries.unread_count(session, actor.member_id)}


@rest.post("/<uuid:notification_id>/read", signed_in=True)
@rest.response(200, NoticeSchema)
def read(session: Session, actor: Actor, notification_id: UUID) -> queries.Notice:
    """Mark one of your notices as read."""
    return queries.shown(session, [service.mark_read(session, actor, notification_id)], gettext)[0]


@rest.post("/read-all", signed_in=True)
@rest.response(200, ReadSchema)
def read_all(session: Session, actor: Actor) -> dict[str, int]:
    """Mark all your notices as read."""
    return {"read": service.mark_all_read(session, actor)}
