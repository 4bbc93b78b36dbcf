"""REST of imports: a file is tried, imported, and undone by jobs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, jobs
from guildhall.web import Page, PageQuery, Schema, fields, paginate

from . import imports
from .history import COLUMNS
from .models import Import, ImportProblem
from .rest import rest
from .rest_corrections import CorrectionBody


class ImportBody(Schema):
    """A file that was sent for ``contributions.import``, and what its columns are called."""

    file_id = fields.UUID(
        required=True,
        metadata={"description": "Of POST /api/v1/core/files?purpose=contributions.import; CSV, UTF-8."},
    )
    columns = fields.Dict(
        keys=fields.String(validate=validate.OneOf(COLUMNS)),
        values=fields.String(),
        metadata={
            "description": "The file's names of key, member, occurred_at and type, where it has others.",
            "example": {"key": "id", "member": "author", "occurred_at": "when", "type": "kind"},
        },
    )


class ImportSchema(Schema):
    """An import. ``figures`` has what was ``tried``, ``done`` and ``undone``: lines, and what became of them."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True, metadata={"example": "checked"})
    columns = fields.Dict(required=True)
    lines = fields.Integer(required=True, metadata={"description": "Lines of the file that are not empty."})
    done = fields.Integer(required=True, metadata={"description": "Lines that the running step has come to."})
    stopped = fields.Boolean(required=True, metadata={"description": "The running step was cancelled or has failed."})
    figures = fields.Dict(required=True)
    created_at = fields.Instant(required=True)
    ended_at = fields.Instant(allow_none=True)


class ImportProblemSchema(Schema):
    """A line that was not taken, and why."""

    line = fields.Integer(required=True)
    code = fields.String(required=True)
    message = fields.String(required=True)


@rest.post("/imports", permission=imports.CREATE, idempotent=True)
@rest.arguments(ImportBody)
@rest.response(202, ImportSchema)
def begin_import(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Begin an import with its dry run, which changes nothing."""
    row = imports.begin(session, actor, body["file_id"], columns=body.get("columns"))
    return _told(session, imports.check(session, actor, row.id))


@rest.get("/imports", permission=imports.CREATE)
@rest.arguments(PageQuery, location="query")
@rest.response(200, ImportSchema(many=True))
def list_imports(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """List imports, newest first."""
    order = ((Import.created_at, True), (Import.id, True))
    page = paginate(session, select(Import), order, limit=query["limit"], cursor=query["cursor"])
    return Page([_told(session, row) for row in page.items], page.next_cursor)


@rest.get("/imports/<uuid:key>", permission=imports.CREATE)
@rest.response(200, ImportSchema)
def get_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Get how far an import is, and what it found."""
    return _told(session, imports.find(session, key))


@rest.get("/imports/<uuid:key>/problems", permission=imports.CREATE)
@rest.arguments(PageQuery, location="query")
@rest.response(200, ImportProblemSchema(many=True))
def list_import_problems(session: Session, actor: Actor, query: dict[str, Any], key: UUID) -> Page:
    """List the lines that the newest step did not take."""
    wanted = imports.problems(imports.find(session, key))
    order = ((ImportProblem.line, False),)
    return paginate(session, wanted, order, limit=query["limit"], cursor=query["cursor"])


@rest.post("/imports/<uuid:key>/start", permission=imports.CREATE, idempotent=True, moves_value=True)
@rest.response(202, ImportSchema)
def start_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Import what the dry run has tried."""
    return _told(session, imports.start(session, actor, key))


@rest.post("/imports/<uuid:key>/cancel", permission=imports.CREATE, idempotent=True)
@rest.response(202, ImportSchema)
def cancel_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Stop the running step at its next chunk; what it has done stays."""
    return _told(session, imports.cancel(session, actor, key))


@rest.post("/imports/<uuid:key>/resume", permission=imports.CREATE, idempotent=True, moves_value=True)
@rest.response(202, ImportSchema)
def resume_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Let a step that was cancelled or has failed go on where it was."""
    return _told(session, imports.go_on(session, actor, key))


@rest.post("/imports/<uuid:key>/undo", permission=imports.CORRECT, idempotent=True, moves_value=True)
@rest.arguments(CorrectionBody)
@rest.response(202, ImportSchema)
def undo_import(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> dict[str, Any]:
    """Reverse every contribution that an import brought, each by a compensating event."""
    return _told(session, imports.undo(session, actor, key, reason=body["reason"]))


def _told(session: Session, row: Import) -> dict[str, Any]:
    names = ("id", "name", "state", "columns", "lines", "figures", "created_at", "ended_at")
    job = jobs.find(session, row.job_id)
    told = {name: getattr(row, name) for name in names}
    return {**told, "done": job.done if job else 0, "stopped": imports.stopped(session, row)}
