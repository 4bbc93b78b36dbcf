"""Files of members: send one, get a link to it, forget it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest.fields import Upload as UploadField
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.errors import Invalid
from core.files import service
from core.files.models import StoredFile
from core.gateway.request import platform
from core.i18n import _
from core.rest import fields
from core.rest.auth import rest as rest
from core.rest.schema import Schema


class PurposeQuery(Schema):
    purpose = fields.String(
        required=True,
        metadata={"example": "core.attachment", "description": "What the file is for: `<plugin>.<upload>`."},
    )


class FilePart(Schema):
    file = UploadField(required=True)


class FileSchema(Schema):
    id = fields.UUID()
    purpose = fields.String()
    name = fields.String(metadata={"description": "Cleaned, with an extension that fits the content."})
    media_type = fields.String(metadata={"description": "Told by the content."})
    size = fields.Integer(metadata={"description": "Bytes, after an image was drawn anew."})
    sha256 = fields.String()
    state = fields.String(metadata={"enum": ["loose", "kept"], "description": "A loose file is swept away."})
    created_at = fields.Instant()


class LinkSchema(Schema):
    url = fields.String(metadata={"description": "A path that needs no sign-in and expires."})


@rest.post("/files", signed_in=True, body_limit=service.most_of_a_request)
@rest.arguments(FilePart, location="files")
@rest.arguments(PurposeQuery, location="query")
@rest.response(201, FileSchema)
def upload_file(session: Session, actor: Actor, files: dict[str, Any], query: dict[str, Any]) -> StoredFile:
    """Send a file for a purpose that a plugin declares. Its content is checked; images lose all that is no pixel."""
    purpose = query["purpose"]
    declared = platform().registry.uploads.get(purpose)
    if declared is None or purpose.partition(".")[0] in lifecycle.disabled(session):
        raise Invalid({"purpose": [_("Nothing takes files for this purpose.")]})
    if declared.permission:
        actor.require(declared.permission)
    sent = files["file"]
    return service.store(
        session,
        actor,
        sent.stream,
        name=sent.filename or "",
        purpose=purpose,
        allowed=declared.allowed,
        max_bytes=declared.max_bytes,
    )


@rest.get("/files/<uuid:file_id>", signed_in=True)
@rest.response(200, FileSchema)
def show_file(session: Session, actor: Actor, file_id: UUID) -> StoredFile:
    """A file of one's own, or any with `core:file:show`."""
    return service.find(session, actor, file_id)


@rest.get("/files/<uuid:file_id>/url", signed_in=True)
@rest.response(200, LinkSchema)
def file_url(session: Session, actor: Actor, file_id: UUID) -> dict[str, str]:
    """A signed link to a file of one's own, or to any with `core:file:show`; it expires."""
    return {"url": service.link(session, service.find(session, actor, file_id))}


@rest.delete("/files/<uuid:file_id>", signed_in=True)
@rest.response(204)
def delete_file(session: Session, actor: Actor, file_id: UUID) -> Response:
    """Forget a loose file of one's own. One that a record refers to is for that record's plugin to let go."""
    service.delete_loose(session, actor, file_id)
    return Response(status=204)
