"""The review inbox for clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow.validate import OneOf
from sqlalchemy.orm import Session

from core.actor import Actor
from core.rest import fields
from core.rest.auth import rest
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema
from core.reviews import queries, service
from core.reviews.models import STATES, Review, ReviewNote


class ReviewSchema(Schema):
    id = fields.UUID()
    kind = fields.String(metadata={"example": "wallet.adjustment"})
    subject_id = fields.String()
    member_id = fields.UUID(allow_none=True, metadata={"description": "Whom the case is about."})
    title = fields.String()
    params = fields.Raw(metadata={"type": "object"})
    state = fields.String(metadata={"enum": list(STATES)})
    opened_at = fields.Instant()
    opened_by = fields.UUID(allow_none=True)
    due_at = fields.Instant()
    assignee_id = fields.UUID(allow_none=True)
    escalated_at = fields.Instant(allow_none=True)
    decided_at = fields.Instant(allow_none=True)
    decided_by = fields.UUID(allow_none=True)
    reason = fields.String(allow_none=True)


class NoteSchema(Schema):
    id = fields.UUID()
    author_id = fields.UUID(allow_none=True)
    text = fields.String()
    created_at = fields.Instant()


class ReviewQuery(PageQuery):
    view = fields.String(load_default="open", validate=OneOf(queries.VIEWS))
    kind = fields.String(load_default="")
    member_id = fields.UUID(load_default=None)


class DecisionBody(Schema):
    approved = fields.Boolean(required=True)
    reason = fields.String(load_default="", metadata={"description": "Needed for a rejection."})


class ClaimBody(Schema):
    take_over = fields.Boolean(load_default=False, metadata={"description": "Take it from whoever has it."})


class AssigneeBody(Schema):
    assignee_id = fields.UUID(required=True)


class EscalationBody(Schema):
    reason = fields.String(required=True, metadata={"example": "Above my limit"})


class NoteBody(Schema):
    text = fields.String(required=True, metadata={"example": "Asked the member for a receipt."})


@rest.get("/reviews", permission="core:review:list")
@rest.arguments(ReviewQuery, location="query")
@rest.response(200, ReviewSchema(many=True))
def list_reviews(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """Cases you may see: open ones by due time, decided ones the newest first."""
    wanted = queries.Filter(view=query["view"], kind=query["kind"], member_id=query["member_id"])
    matching, keys = queries.matching(session, actor, wanted), queries.order(wanted)
    return paginate(session, matching, keys, limit=query["limit"], cursor=query["cursor"])


@rest.get("/reviews/<uuid:key>", permission="core:review:list")
@rest.response(200, ReviewSchema)
def get_review(session: Session, actor: Actor, key: UUID) -> Review:
    """One case."""
    return service.get(session, actor, key)


@rest.get("/reviews/<uuid:key>/notes", permission="core:review:list")
@rest.response(200, NoteSchema(many=True))
def list_review_notes(session: Session, actor: Actor, key: UUID) -> list[ReviewNote]:
    """What was written down about a case."""
    return list(queries.notes(session, service.get(session, actor, key)))


@rest.post("/reviews/<uuid:key>/notes", permission="core:review:list")
@rest.arguments(NoteBody)
@rest.response(201, NoteSchema)
def add_review_note(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> ReviewNote:
    """Write something down about a case."""
    return service.note(session, actor, key, text=body["text"])


@rest.post("/reviews/<uuid:key>/claim", permission="core:review:list")
@rest.arguments(ClaimBody)
@rest.response(200, ReviewSchema)
def claim_review(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Review:
    """Take a case, so that nobody else works on it."""
    return service.claim(session, actor, key, take_over=body["take_over"])


@rest.post("/reviews/<uuid:key>/release", permission="core:review:list")
@rest.response(200, ReviewSchema)
def release_review(session: Session, actor: Actor, key: UUID) -> Review:
    """Give a case back to all."""
    return service.release(session, actor, key)


@rest.post("/reviews/<uuid:key>/assign", permission="core:review:list")
@rest.arguments(AssigneeBody)
@rest.response(200, ReviewSchema)
def assign_review(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Review:
    """Give a case to somebody who may decide it."""
    return service.assign(session, actor, key, assignee_id=body["assignee_id"])


@rest.post("/reviews/<uuid:key>/escalate", permission="core:review:list")
@rest.arguments(EscalationBody)
@rest.response(200, ReviewSchema)
def escalate_review(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Review:
    """Pass a case up."""
    return service.escalate(session, actor, key, reason=body["reason"])


@rest.post("/reviews/<uuid:key>/decide", permission="core:review:list", idempotent=True)
@rest.arguments(DecisionBody)
@rest.response(200, ReviewSchema)
def decide_review(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Review:
    """Decide a case, once: its effect, the event and the audit row are one transaction."""
    return service.decide(session, actor, key, approved=body["approved"], reason=body["reason"])
