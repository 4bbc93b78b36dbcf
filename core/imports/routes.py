"""REST of imports of records: a file that was sent is tried, brought in, and undone by jobs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.imports import service
from core.imports.models import Import, ImportProblem
from core.imports.plan import BLANK, EXISTING, Plan, allow
from core.jobs import queue as jobs
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema

rest = RestBlueprint("core", part="imports")


class ImportPlanSchema(Schema):
    """What is done with a file. Columns that are not named are guessed by their names."""

    columns = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The column of the file, by field.", "example": {"title": "Title"}},
    )
    constants = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "What a field is in every row.", "example": {"status": "open"}},
    )
    keys = fields.List(
        fields.String(),
        metadata={"description": "Fields by which the record that is there is found.", "example": ["title"]},
    )
    existing = fields.String(
        validate=validate.OneOf(EXISTING),
        metadata={"description": "What becomes of a record that is there.", "example": "update"},
    )
    blank = fields.String(
        validate=validate.OneOf(BLANK),
        metadata={"description": "What an empty cell does to a field of it.", "example": "keep"},
    )


class RecordImportBody(Schema):
    file_id = fields.UUID(
        required=True, metadata={"description": "Of POST /api/v1/core/files?purpose=core.import; CSV or XLSX."}
    )
    resource = fields.String(required=True, metadata={"example": "suggestions.suggestion"})
    plan = fields.Nested(ImportPlanSchema)


class ImportUndoBody(Schema):
    reason = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "The wrong file."})


class RecordImportSchema(Schema):
    """An import. ``figures`` has what was ``tried``, ``done`` and ``undone``."""

    id = fields.UUID(required=True)
    resource = fields.String(required=True, metadata={"example": "suggestions.suggestion"})
    name = fields.String(required=True, metadata={"example": "suggestions.csv"})
    state = fields.String(required=True, metadata={"example": "checked"})
    plan = fields.Nested(ImportPlanSchema)
    rows = fields.Integer(required=True, metadata={"example": 120})
    done = fields.Integer(required=True, metadata={"description": "Rows that the running step has come to."})
    stopped = fields.Boolean(required=True, metadata={"description": "The running step was cancelled or has failed."})
    figures = fields.Dict(
        required=True, metadata={"example": {"tried": {"rows": 2, "created": 2, "updated": 0, "left": 0, "failed": 0}}}
    )
    created_at = fields.Instant(required=True)
    ended_at = fields.Instant(allow_none=True)


class RecordProblemSchema(Schema):
    line = fields.Integer(required=True, metadata={"example": 7})
    field = fields.String(required=True, metadata={"description": "Empty: the whole row.", "example": "title"})
    code = fields.String(required=True, metadata={"example": "INVALID"})
    message = fields.String(required=True, metadata={"example": "Write a whole number."})


class ImportsQuery(PageQuery):
    resource = fields.String(required=True, metadata={"example": "suggestions.suggestion"})


@rest.post("/imports", signed_in=True, idempotent=True)
@rest.arguments(RecordImportBody)
@rest.response(202, RecordImportSchema)
def begin_record_import(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Begin an import with its dry run, which changes nothing."""
    actor.require_session()
    row = service.begin(session, actor, service.resource_of(session, body["resource"]), body["file_id"])
    guessed, given = Plan.of(row.plan).as_json(), body.get("plan") or {}
    plan = Plan.of({**guessed, **given, "columns": {**guessed["columns"], **given.get("columns", {})}})
    if "keys" not in given and not set(plan.keys) <= set(plan.columns):
        plan = Plan.of({**plan.as_json(), "keys": []})
    return _told(session, service.try_out(session, actor, row.id, plan))


@rest.get("/imports", signed_in=True)
@rest.arguments(ImportsQuery, location="query")
@rest.response(200, RecordImportSchema(many=True))
def list_record_imports(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """List the imports of a resource, newest first."""
    bound = service.resource_of(session, query["resource"])
    allow(actor, bound)
    wanted = service.of_resource(actor, bound)
    page = paginate(session, wanted, [(Import.id, True)], limit=query["limit"], cursor=query["cursor"])
    return Page([_told(session, row) for row in page.items], page.next_cursor)


@rest.get("/imports/<uuid:key>", signed_in=True)
@rest.response(200, RecordImportSchema)
def get_record_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Get how far an import is, and what it found."""
    return _told(session, service.find(session, actor, key)[0])


@rest.get("/imports/<uuid:key>/problems", signed_in=True)
@rest.arguments(PageQuery, location="query")
@rest.response(200, RecordProblemSchema(many=True))
def list_record_import_problems(session: Session, actor: Actor, query: dict[str, Any], key: UUID) -> Page:
    """List what was wrong with rows in the newest step, field by field."""
    wanted = service.problems(service.find(session, actor, key)[0])
    order = [(ImportProblem.line, False), (ImportProblem.field, False)]
    page = paginate(session, wanted, order, limit=query["limit"], cursor=query["cursor"])
    return Page(
        [
            {
                "line": one.line,
                "field": one.field,
                "code": one.code,
                "message": one.sentence.format(**one.params) if one.params else one.sentence,
            }
            for one in page.items
        ],
        page.next_cursor,
    )


@rest.post("/imports/<uuid:key>/start", signed_in=True, idempotent=True)
@rest.response(202, RecordImportSchema)
def start_record_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Bring in what the dry run has tried."""
    actor.require_session()
    return _told(session, service.start(session, actor, key))


@rest.post("/imports/<uuid:key>/cancel", signed_in=True, idempotent=True)
@rest.response(202, RecordImportSchema)
def cancel_record_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Stop the running step at its next chunk; what it has done stays."""
    actor.require_session()
    return _told(session, service.cancel(session, actor, key))


@rest.post("/imports/<uuid:key>/resume", signed_in=True, idempotent=True)
@rest.response(202, RecordImportSchema)
def resume_record_import(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Let a step that was cancelled or has failed go on where it was."""
    actor.require_session()
    return _told(session, service.go_on(session, actor, key))


@rest.post("/imports/<uuid:key>/undo", signed_in=True, idempotent=True)
@rest.arguments(ImportUndoBody)
@rest.response(202, RecordImportSchema)
def undo_record_import(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> dict[str, Any]:
    """Delete what an import made and set back what it updated; what was changed since is left and listed."""
    actor.require_session()
    return _told(session, service.undo(session, actor, key, reason=body["reason"]))


def _told(session: Session, row: Import) -> dict[str, Any]:
    names = ("id", "resource", "name", "state", "plan", "rows", "figures", "created_at", "ended_at")
    job = jobs.find(session, row.job_id)
    told = {name: getattr(row, name) for name in names}
    return {**told, "done": job.done if job else 0, "stopped": service.stopped(session, row)}
