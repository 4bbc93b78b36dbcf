"""Comments on records for clients of the staff; never for the member whom a record is about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.comments import service
from core.comments.models import Comment
from core.rest import fields
from core.rest.auth import rest
from core.rest.files import LinkSchema
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema

RESOURCE = {"example": "core.member", "description": "The kind of record: `<plugin>.<resource>`."}


class CommentFileSchema(Schema):
    id = fields.UUID()
    name = fields.String()
    media_type = fields.String()
    size = fields.Integer()


class CommentSchema(Schema):
    id = fields.UUID()
    resource = fields.String(attribute="subject_type")
    record_id = fields.String(attribute="subject_id")
    author_id = fields.UUID(allow_none=True)
    text = fields.String(metadata={"description": "Plain; `@[id]` is a member who was mentioned. Empty once deleted."})
    created_at = fields.Instant()
    edited_at = fields.Instant(allow_none=True)
    deleted_at = fields.Instant(allow_none=True)
    files = fields.List(fields.Nested(CommentFileSchema))


class CommentQuery(PageQuery):
    resource = fields.String(required=True, metadata=RESOURCE)
    record_id = fields.String(required=True, validate=validate.Length(min=1, max=120))


class CommentTextBody(Schema):
    text = fields.String(required=True, metadata={"example": "Asked for a receipt. @Ada, please look."})
    mentions = fields.List(
        fields.UUID(),
        load_default=list,
        validate=validate.Length(max=service.MOST_MENTIONS),
        metadata={"description": "Members whom `@Name` in the text means; who may not see the record is passed over."},
    )


class CommentBody(CommentTextBody):
    resource = fields.String(required=True, metadata=RESOURCE)
    record_id = fields.String(required=True, validate=validate.Length(min=1, max=120))


@rest.get("/comments", permission=service.LIST)
@rest.arguments(CommentQuery, location="query")
@rest.response(200, CommentSchema(many=True))
def list_comments(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """The comments on a record, the newest first."""
    on = service.subject(session, actor, service.resource(session, query["resource"]), query["record_id"])
    keys = [(Comment.id, True)]
    return paginate(session, service.query(on), keys, limit=query["limit"], cursor=query["cursor"])


@rest.post("/comments", permission=service.CREATE, idempotent=True)
@rest.arguments(CommentBody)
@rest.response(201, CommentSchema)
def create_comment(session: Session, actor: Actor, body: dict[str, Any]) -> Comment:
    """Comment on a record."""
    on = service.subject(session, actor, service.resource(session, body["resource"]), body["record_id"])
    return service.add(session, actor, on, text=body["text"], mentions=body["mentions"])


@rest.patch("/comments/<uuid:key>", permission=service.CREATE)
@rest.arguments(CommentTextBody)
@rest.response(200, CommentSchema)
def update_comment(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Comment:
    """Change your own comment, for fifteen minutes."""
    on = service.subject_of(session, actor, key)
    return service.edit(session, actor, on, key, text=body["text"], mentions=body["mentions"])


@rest.delete("/comments/<uuid:key>", permission=service.LIST)
@rest.response(204)
def delete_comment(session: Session, actor: Actor, key: UUID) -> Response:
    """Delete your own comment, or with `core:comment:delete` anybody's. That it was there stays."""
    service.remove(session, actor, service.subject_of(session, actor, key), key)
    return Response(status=204)


@rest.get("/comments/<uuid:key>/files/<uuid:file_id>", permission=service.LIST)
@rest.response(200, LinkSchema)
def comment_file_url(session: Session, actor: Actor, key: UUID, file_id: UUID) -> dict[str, str]:
    """A signed link to a file of a comment; it expires."""
    return {"url": service.file_link(session, service.subject_of(session, actor, key), key, file_id)}
