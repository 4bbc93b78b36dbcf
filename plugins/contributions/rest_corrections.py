"""REST of scoring by hand: the simulator, corrections, re-scoring, reviews and claims."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, enqueue
from guildhall.web import Page, PageQuery, Schema, fields, paginate

from . import claims, corrections, rescoring, reviews, service, simulator
from .errors import MemberUnknown
from .intake import KEY_LENGTH
from .models import Claim, Contribution, Rescore, Review
from .rest import ContributionSchema, LineSchema, RecordBody, rest

CORRECT = "contributions:contribution:correct"


class SimulationSchema(Schema):
    """What a contribution would score, and why; ``code`` and ``message`` say why it would not count."""

    outcome = fields.String(required=True, validate=validate.OneOf(("recorded", "duplicate", "rejected", "invalid")))
    points = fields.Integer(required=True)
    breakdown = fields.List(fields.Nested(LineSchema), required=True)
    tier = fields.String(allow_none=True)
    type_version = fields.Integer(allow_none=True)
    code = fields.String(allow_none=True)
    message = fields.String(allow_none=True)


class CorrectionBody(Schema):
    """Why."""

    reason = fields.String(required=True, validate=validate.Length(1, 200))


class OverrideBody(CorrectionBody):
    """What it is worth from now on."""

    points = fields.Integer(required=True, strict=True)


class GrantBody(OverrideBody):
    """Points for a member; ``event_key`` makes them once for their type."""

    member_id = fields.UUID(required=True)
    type = fields.String(load_default=corrections.GRANTED, validate=validate.Length(1, 80))
    event_key = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, KEY_LENGTH))


class RescoreBody(CorrectionBody):
    """The period that is to be scored anew, half-open in UTC."""

    starts_at = fields.Instant(required=True)
    ends_at = fields.Instant(required=True)
    type = fields.String(validate=validate.Length(1, 80))


class RescoreSchema(Schema):
    """A period that is scored anew: ``figures`` has ``tried`` and later ``applied``."""

    id = fields.UUID(required=True)
    type = fields.String(allow_none=True)
    starts_at = fields.Instant(required=True)
    ends_at = fields.Instant(required=True)
    reason = fields.String(required=True)
    state = fields.String(required=True)
    figures = fields.Dict(required=True)


class RecalculationBody(Schema):
    """Whose progress is to be worked out anew."""

    member_id = fields.UUID(metadata={"description": "Everybody's when left out."})


class RecalculationSchema(Schema):
    """How many members were recalculated, or the job that does it."""

    members = fields.Integer(allow_none=True)
    job_id = fields.UUID(allow_none=True)


class VerdictBody(CorrectionBody):
    """Yes or no, and why."""

    approve = fields.Boolean(required=True)


class ReviewVerdictBody(VerdictBody):
    """Yes or no, and why; perhaps for a whole group."""

    group = fields.Boolean(
        load_default=False,
        metadata={"description": "Decide what waits of all members who share something with this one, too."},
    )


class HeldContributionSchema(Schema):
    """A contribution that waits for a person, or waited."""

    id = fields.UUID(required=True)
    contribution_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    signals = fields.List(fields.Dict(), required=True)
    state = fields.String(required=True)
    reason = fields.String(required=True)
    created_at = fields.Instant(required=True)
    decided_at = fields.Instant(allow_none=True)


class HeldContributionQuery(PageQuery):
    """Which reviews to list."""

    state = fields.String(validate=validate.OneOf(("open", "released", "rejected")))


class IdentityClaimBody(Schema):
    """The identity that is yours: an e-mail address (``git``), a GitHub handle, or a name of an imported file."""

    kind = fields.String(required=True, validate=validate.OneOf(claims.KINDS))
    value = fields.String(required=True, validate=validate.Length(1, 160))


class IdentityClaimSchema(Schema):
    """A claim; the address or handle itself is not kept."""

    id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True)
    proof = fields.String(required=True)
    reason = fields.String(required=True)
    created_at = fields.Instant(required=True)
    decided_at = fields.Instant(allow_none=True)


@rest.post("/contributions/simulate", permission="contributions:contribution:create")
@rest.arguments(RecordBody)
@rest.response(200, SimulationSchema)
def simulate(session: Session, actor: Actor, body: dict[str, Any]) -> simulator.Simulation:
    """Tell what a contribution would score and why; nothing is recorded."""
    member_id = body.pop("member_id", None) or actor.member_id
    if member_id is None:
        raise MemberUnknown()
    return simulator.simulate(session, actor, service.NewContribution(member_id=member_id, **body))


@rest.post("/grants", permission=CORRECT, idempotent=True, moves_value=True)
@rest.arguments(GrantBody)
@rest.response(201, ContributionSchema)
def grant(session: Session, actor: Actor, body: dict[str, Any]) -> Contribution:
    """Give a member points by hand; one that a review holds or a limit rejects is told as that."""
    return corrections.grant(session, actor, **body)


@rest.post("/contributions/<uuid:key>/override", permission=CORRECT, idempotent=True, moves_value=True)
@rest.arguments(OverrideBody)
@rest.response(200, ContributionSchema)
def override_score(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Contribution:
    """Let a contribution be worth other points from now on, by a compensating event."""
    return corrections.override_score(session, actor, key, **body)


@rest.post("/contributions/<uuid:key>/reverse", permission=CORRECT, idempotent=True, moves_value=True)
@rest.arguments(CorrectionBody)
@rest.response(200, ContributionSchema)
def reverse(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Contribution:
    """Take a contribution back: it counts no longer and stays in the history."""
    return corrections.reverse(session, actor, key, **body)


@rest.post("/rescores", permission=CORRECT, idempotent=True)
@rest.arguments(RescoreBody)
@rest.response(202, RescoreSchema)
def try_rescore(session: Session, actor: Actor, body: dict[str, Any]) -> Rescore:
    """Start the dry run of scoring a period anew by the rules of today."""
    return rescoring.try_out(session, actor, **body)


@rest.get("/rescores/<uuid:key>", permission=CORRECT)
@rest.response(200, RescoreSchema)
def get_rescore(session: Session, actor: Actor, key: UUID) -> Rescore:
    """Get how far a period's re-scoring is, and what it finds."""
    return rescoring.find(session, key)


@rest.post("/rescores/<uuid:key>/apply", permission=CORRECT, idempotent=True, moves_value=True)
@rest.response(202, RescoreSchema)
def apply_rescore(session: Session, actor: Actor, key: UUID) -> Rescore:
    """Start to write the compensating events that a dry run foretold."""
    return rescoring.apply(session, actor, key)


@rest.post("/recalculate", permission=CORRECT, idempotent=True)
@rest.arguments(RecalculationBody)
@rest.response(202, RecalculationSchema)
def recalculate(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Work out a member's totals, streaks and boards anew at once, or everybody's by a job."""
    member_id = body.get("member_id")
    if member_id is not None:
        return {"members": service.recalculate(session, actor, member_id=member_id), "job_id": None}
    return {"members": None, "job_id": enqueue(session, actor, "contributions.recalculate").id}


@rest.get("/reviews", permission="contributions:review:list")
@rest.arguments(HeldContributionQuery, location="query")
@rest.response(200, HeldContributionSchema(many=True))
def list_reviews(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """List what waits for a review or was reviewed, oldest first."""
    wanted = select(Review)
    if "state" in query:
        wanted = wanted.where(Review.state == query["state"])
    order = ((Review.created_at, False), (Review.id, False))
    return paginate(session, wanted, order, limit=query["limit"], cursor=query["cursor"])


@rest.post("/reviews/<uuid:key>/decide", permission="contributions:review:update", idempotent=True, moves_value=True)
@rest.arguments(ReviewVerdictBody)
@rest.response(200, HeldContributionSchema)
def decide_review(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Review:
    """Release what was held back, or reject it; perhaps for all members who share something with this one."""
    if body["group"]:
        reviews.decide_group(session, actor, key, release=body["approve"], reason=body["reason"])
        return session.get_one(Review, key, populate_existing=True)
    return reviews.decide(session, actor, key, release=body["approve"], reason=body["reason"])


@rest.post("/claims", signed_in=True, idempotent=True)
@rest.arguments(IdentityClaimBody)
@rest.response(201, IdentityClaimSchema)
def claim_identity(session: Session, actor: Actor, body: dict[str, Any]) -> Claim:
    """Claim an identity as yours; with the verified address of your account its history is yours at once."""
    return claims.claim(session, actor, **body)


@rest.get("/me/claims", signed_in=True)
@rest.arguments(PageQuery, location="query")
@rest.response(200, IdentityClaimSchema(many=True))
def my_claims(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """List what you have claimed, newest first."""
    wanted = select(Claim).where(Claim.member_id == actor.member_id)
    order = ((Claim.created_at, True), (Claim.id, True))
    return paginate(session, wanted, order, limit=query["limit"], cursor=query["cursor"])


@rest.post("/claims/<uuid:key>/decide", permission="contributions:claim:update", idempotent=True, moves_value=True)
@rest.arguments(VerdictBody)
@rest.response(200, IdentityClaimSchema)
def decide_claim(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Claim:
    """Give a member the identity it claims, or refuse."""
    return claims.decide(session, actor, key, approve=body["approve"], reason=body["reason"])
