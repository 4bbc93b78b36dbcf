"""Work on many records for clients: the same runs, reports and way back as the list pages have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from marshmallow import ValidationError, validate
from pydantic import ValidationError as ModelError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import plain
from core.errors import Invalid
from core.gateway.sentences import told
from core.i18n import _
from core.ids import new_id
from core.lists import bulk
from core.lists.bulk import Chosen
from core.lists.models import ITEM_STATES, BulkItem, BulkRun
from core.lists.state import ListState
from core.resources.resource import BoundResource
from core.rest import fields
from core.rest.auth import rest as core_rest
from core.rest.blueprint import RestBlueprint
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema


class BulkBody(Schema):
    act = fields.String(
        required=True,
        metadata={"description": "`edit`, `delete`, or the name of an operation of this resource.", "example": "edit"},
    )
    ids = fields.List(
        fields.String(validate=validate.Length(min=1, max=120)),
        load_default=list,
        validate=validate.Length(max=bulk.MOST),
        metadata={"description": "The records that are meant, where `all` does not name them."},
    )
    all = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=2000),
        metadata={"description": "All that the list shows under this query of its page, such as `q=ada`; empty: all."},
    )
    expected = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, bulk.MOST),
        metadata={"description": "How many you take these to be. Otherwise nothing is done: 409 CHOSEN_CHANGED."},
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(allow_none=True),
        load_default=dict,
        metadata={"description": "The new values of an `edit`, or what the operation asks for.", "example": {}},
    )


class BulkCountsSchema(Schema):
    waiting = fields.Integer()
    done = fields.Integer()
    unchanged = fields.Integer()
    failed = fields.Integer()


class BulkRunSchema(Schema):
    id = fields.UUID()
    resource = fields.String(metadata={"example": "suggestions.suggestion"})
    kind = fields.String(metadata={"example": "edit", "description": "Or delete, operation, revert."})
    operation = fields.String()
    values = fields.Raw(metadata={"type": "object", "example": {}})
    total = fields.Integer()
    counts = fields.Nested(BulkCountsSchema)
    over = fields.Boolean(metadata={"description": "Nothing more will happen. Beyond 100 records a job works."})
    job_id = fields.UUID(allow_none=True)
    reverts_id = fields.UUID(allow_none=True)
    created_at = fields.Instant()
    finished_at = fields.Instant(allow_none=True)


class BulkProblemSchema(Schema):
    code = fields.String(metadata={"example": "NOT_FOUND"})
    message = fields.String()


class BulkItemSchema(Schema):
    key = fields.String()
    state = fields.String(metadata={"enum": list(ITEM_STATES)})
    before = fields.Raw(metadata={"type": "object", "example": {}})
    after = fields.Raw(metadata={"type": "object", "example": {}})
    problem = fields.Nested(BulkProblemSchema, allow_none=True)


class BulkItemQuery(PageQuery):
    state = fields.String(load_default="", validate=validate.OneOf(["", *ITEM_STATES]))


def add_routes(rest: RestBlueprint, bound: BoundResource, edit: Callable[[tuple[str, ...]], Schema]) -> None:
    """Declare ``POST …/bulk`` where something can be done with many. ``edit`` makes the schema of new values."""
    if not (bound.resource.bulk or bound.operations or "delete" in bound.resource.actions):
        return
    if "list" not in bound.resource.actions:
        return

    def begin(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        kind = body["act"] if body["act"] in ("edit", "delete") else "operation"
        operation = "" if kind != "operation" else body["act"]
        actor.require(bulk.permission_of(bound, kind, operation))
        given = _values(bound, kind, operation, body["values"], edit(tuple(bound.resource.bulk)))
        state = ListState.of(bound, body["all"] or "")
        keys = tuple(body["ids"]) if body["all"] is None else ()
        if body["all"] is None and not keys:
            raise bulk.NothingChosen()
        chosen = Chosen(state, keys, body["expected"])
        run = bulk.start(session, actor, chosen, kind, run_id=new_id(), operation=operation, values=given)
        return _told(session, run)

    begin.__name__ = f"bulk_{bound.path}".replace("-", "_")
    begin.__doc__ = f"Change or delete many {bound.label_plural.lower()} at once, or do with each what can be done."
    described = rest.arguments(BulkBody)(rest.response(201, BulkRunSchema)(begin))
    rest.post(f"/{bound.path}/bulk", signed_in=True, idempotent=True)(described)


def _values(bound: BoundResource, kind: str, operation: str, given: dict[str, Any], edit: Schema) -> dict[str, Any]:
    """What is given, checked as a form would. Raises Invalid by ``values.<field>``."""
    problems: dict[str, Any] = {}
    if kind == "edit":
        try:
            loaded: dict[str, Any] = edit.load(given)
            return loaded
        except ValidationError as problem:
            problems = dict(problem.messages_dict)
    elif kind == "operation" and (form := bulk.operation_of(bound, operation).form) is not None:
        try:
            asked: dict[str, Any] = plain(form(**given).model_dump(mode="json"))
            return asked
        except ModelError as problem:
            for one in problem.errors():
                problems[str((*one["loc"], "")[0])] = [one["msg"].removeprefix("Value error, ")]
    elif given:
        problems = {name: [_("Unknown field.")] for name in given}
    if problems:
        raise Invalid({f"values.{name}": sentences for name, sentences in problems.items()})
    return {}


@core_rest.get("/bulk/<uuid:key>", signed_in=True)
@core_rest.response(200, BulkRunSchema)
def get_bulk_run(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """What came of an act upon many records that you began."""
    return _told(session, bulk.reach(session, actor, key))


@core_rest.get("/bulk/<uuid:key>/records", signed_in=True)
@core_rest.arguments(BulkItemQuery, location="query")
@core_rest.response(200, BulkItemSchema(many=True))
def list_bulk_records(session: Session, actor: Actor, query: dict[str, Any], key: UUID) -> Page:
    """Each record of it: what its fields were and are, or why it was left as it was."""
    run = bulk.reach(session, actor, key)
    items = sa.select(BulkItem).where(BulkItem.run_id == run.id)
    items = items.where(BulkItem.state == query["state"]) if query["state"] else items
    page = paginate(session, items, [(BulkItem.position, False)], limit=query["limit"], cursor=query["cursor"])
    return Page([_item(one) for one in page.items], page.next_cursor)


@core_rest.post("/bulk/<uuid:key>/revert", signed_in=True, idempotent=True)
@core_rest.response(201, BulkRunSchema)
def revert_bulk_run(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Give each record of an `edit` back what it held before, but for those that were changed again since."""
    return _told(session, bulk.revert(session, actor, key, new_id=new_id()))


@core_rest.post("/bulk/<uuid:key>/cancel", signed_in=True)
@core_rest.response(200, BulkRunSchema)
def cancel_bulk_run(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Stop after the records that it has begun. What is done stays done."""
    return _told(session, bulk.stop(session, actor, key))


def _told(session: Session, run: BulkRun) -> dict[str, Any]:
    names = ("id", "resource", "kind", "operation", "values", "total", "job_id", "reverts_id", "created_at")
    told_run = {name: getattr(run, name) for name in (*names, "finished_at")}
    return {**told_run, "counts": bulk.counts(session, run), "over": bulk.over(session, run)}


def _item(one: BulkItem) -> dict[str, Any]:
    found = one.problem
    problem = None
    if found:
        sentence = told(found["sentence"])
        message = sentence.format(**found["params"]) if found.get("params") else sentence
        problem = {"code": found["code"], "message": message}
    return {"key": one.key, "state": one.state, "before": one.before, "after": one.after, "problem": problem}
