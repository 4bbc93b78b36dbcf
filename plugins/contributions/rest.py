"""REST of contributions, under ``/api/v1/contributions``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import request
from marshmallow import ValidationError, validate
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, NotFound
from guildhall.web import Page, PageQuery, RestBlueprint, Schema, fields, paginate, read_json

from . import queries, service
from .errors import InvalidEvent, MemberUnknown, TooManyLines
from .hooks import story
from .intake import KEY_LENGTH
from .models import STATES, Contribution

LINES = 10_000
OUTCOMES = ("recorded", "pending", "duplicate", "rejected", "invalid")
rest = RestBlueprint("contributions", description="What members do for the community, and what it is worth.")


class RecordBody(Schema):
    """A contribution as it is reported."""

    type = fields.String(required=True, validate=validate.Length(1, 80))
    member_id = fields.UUID(metadata={"description": "Whose it is; your own when left out."})
    event_key = fields.String(
        validate=validate.Length(1, KEY_LENGTH), metadata={"description": "Makes it count once for its type."}
    )
    occurred_at = fields.Instant(metadata={"description": "When it happened; now when left out."})
    details = fields.Dict(keys=fields.String(), load_default=dict)
    challenge_id = fields.UUID()
    submission_id = fields.UUID()


class LineSchema(Schema):
    """An addend of the score."""

    label = fields.String(required=True)
    points = fields.Integer(required=True)


class StageSchema(Schema):
    """A step of what a contribution led to."""

    at = fields.Instant(required=True)
    stage = fields.String(required=True)
    title = fields.String(required=True)
    detail = fields.String(required=True)
    state = fields.String(required=True)
    url = fields.String(allow_none=True)


class ContributionSchema(Schema):
    """A contribution. ``rejected`` ones have 0 points and a reason, such as ``limit:day``."""

    id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    type = fields.String(required=True)
    points = fields.Integer(required=True)
    correction = fields.Integer(required=True, metadata={"description": "What corrections added; it is worth total."})
    total = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(allow_none=True)
    breakdown = fields.List(fields.Nested(LineSchema), required=True)
    type_version = fields.Integer(
        required=True, metadata={"description": "Of the rules that scored it; 0 where a person did.", "example": 1}
    )
    details = fields.Dict(required=True)
    source = fields.String(required=True)
    event_key = fields.String(required=True)
    challenge_id = fields.UUID(allow_none=True)
    submission_id = fields.UUID(allow_none=True)
    occurred_at = fields.Instant(required=True)
    created_at = fields.Instant(required=True)


class ContributionStorySchema(ContributionSchema):
    """A contribution with every stage of what it led to."""

    stages = fields.List(fields.Nested(StageSchema), required=True)


class ContributionQuery(PageQuery):
    """Which contributions to list."""

    member_id = fields.UUID(metadata={"description": "Needs contributions:contribution:list for others' ones."})
    type = fields.String(validate=validate.Length(1, 80))
    state = fields.String(validate=validate.OneOf(STATES))


class OutcomeSchema(Schema):
    """What became of one line."""

    line = fields.Integer(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    contribution_id = fields.UUID(allow_none=True)
    points = fields.Integer(required=True)
    code = fields.String(allow_none=True)
    message = fields.String(allow_none=True)


class BulkSchema(Schema):
    """What became of all lines, and of each."""

    recorded = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    invalid = fields.Integer(required=True)
    lines = fields.List(fields.Nested(OutcomeSchema), required=True)


class TypeShareSchema(Schema):
    """What a member did of one type."""

    type = fields.String(required=True)
    label = fields.String(required=True)
    count = fields.Integer(required=True)
    points = fields.Integer(required=True)


class ProgressSchema(Schema):
    """How far a member got. ``streak_current`` is as of now, in the member's time zone."""

    points = fields.Integer(required=True)
    count = fields.Integer(required=True)
    month_points = fields.Integer(required=True)
    month_count = fields.Integer(required=True)
    streak_current = fields.Integer(required=True)
    streak_best = fields.Integer(required=True)
    first_at = fields.Instant(allow_none=True)
    last_at = fields.Instant(allow_none=True)
    by_type = fields.List(fields.Nested(TypeShareSchema), required=True)
    next_milestone = fields.Integer(allow_none=True)
    level = fields.Integer(required=True)
    level_label = fields.String(allow_none=True)
    next_level = fields.Integer(allow_none=True, metadata={"description": "Points of the next level."})


@rest.post("/contributions", permission="contributions:contribution:create", idempotent=True)
@rest.arguments(RecordBody)
@rest.response(201, ContributionSchema)
def record(session: Session, actor: Actor, body: dict[str, Any]) -> Contribution:
    """Record a contribution; one that a limit rejects is kept with 0 points and its reason."""
    member_id = body.pop("member_id", None) or actor.member_id
    if member_id is None:
        raise MemberUnknown()
    return service.record(session, actor, member_id=member_id, source=_source(actor), **body)


@rest.post(
    "/contributions/bulk", permission="contributions:contribution:create", idempotent=True, body_limit=10 * 1024 * 1024
)
@rest.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "maxItems": LINES, "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
)
@rest.response(200, BulkSchema)
def record_bulk(session: Session, actor: Actor) -> dict[str, Any]:
    """Record up to 10,000 contributions: a JSON array, or one JSON object a line (NDJSON); a result for each line."""
    rows, outcomes = [], []
    schema = RecordBody()
    for number, given in _lines():
        try:
            body = schema.load(given() if callable(given) else given)
            member_id = body.pop("member_id", None) or actor.member_id
            if member_id is None:
                raise MemberUnknown()
            rows.append(service.NewContribution(line=number, member_id=member_id, **body))
        except ValidationError as problem:
            error = InvalidEvent(problem=json.dumps(problem.messages, default=str)[:500])
            outcomes.append(service.Outcome(line=number, outcome="invalid", error=error))
        except (MemberUnknown, InvalidEvent) as error:
            outcomes.append(service.Outcome(line=number, outcome="invalid", error=error))
    outcomes += service.record_many(session, actor, rows, source=_source(actor))
    counts = Counter(one.outcome for one in outcomes)
    return {
        **{name: counts[name] for name in OUTCOMES},
        "lines": [
            {
                "line": one.line,
                "outcome": one.outcome,
                "contribution_id": one.contribution_id,
                "points": one.points,
                "code": one.code,
                "message": one.error.message if one.error else None,
            }
            for one in sorted(outcomes, key=lambda one: one.line)
        ],
    }


@rest.get("/contributions", signed_in=True)
@rest.arguments(ContributionQuery, location="query")
@rest.response(200, ContributionSchema(many=True))
def list_contributions(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """List contributions, newest first: your own, or everybody's with contributions:contribution:list."""
    member_id: UUID | None = query.get("member_id")
    if not actor.can("contributions:contribution:list"):
        if member_id is not None and member_id != actor.member_id:
            actor.require("contributions:contribution:list")
        member_id = actor.member_id
    wanted = queries.contributions(member_id=member_id, type=query.get("type"), state=query.get("state"))
    return paginate(session, wanted, queries.NEWEST_FIRST, limit=query["limit"], cursor=query["cursor"])


@rest.get("/contributions/<uuid:key>", signed_in=True)
@rest.response(200, ContributionStorySchema)
def get_contribution(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """Get a contribution with its breakdown and every stage of what it led to."""
    found = session.get(Contribution, key)
    if found is None or not (found.member_id == actor.member_id or actor.can("contributions:contribution:show")):
        raise NotFound()
    shown = {name: getattr(found, name) for name in ContributionSchema().fields}
    return {**shown, "stages": story(session, key)}


@rest.get("/me/progress", signed_in=True)
@rest.response(200, ProgressSchema)
def my_progress(session: Session, actor: Actor) -> queries.Progress:
    """Get your own progress: totals, streak, by type, and the next milestone."""
    progress = queries.progress_of(session, actor.member_id) if actor.member_id else None
    if progress is None:
        raise NotFound()
    return progress


def _source(actor: Actor) -> str:
    return "system" if actor.kind == "service" else "admin"


def _lines() -> Iterator[tuple[int, Any]]:
    """(line number, parsed line or a function that raises) of the body. Raises InvalidEvent, TooManyLines."""
    text = request.get_data().decode("utf-8", "replace")
    if request.mimetype in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        if len(numbered) > LINES:
            raise TooManyLines(limit=LINES)
        yield from ((number, lambda line=line: _parse(line)) for number, line in numbered)
        return
    whole = _parse(text)
    if not isinstance(whole, list):
        raise InvalidEvent(problem="send a JSON array, or NDJSON as application/x-ndjson")
    if len(whole) > LINES:
        raise TooManyLines(limit=LINES)
    yield from enumerate(whole, start=1)


def _parse(text: str) -> Any:
    try:
        return read_json(text)
    except Invalid as problem:
        raise InvalidEvent(problem=problem.message) from None
