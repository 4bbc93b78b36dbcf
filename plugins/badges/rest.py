"""REST of badges, under ``/api/v1/badges``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound, enqueue
from guildhall.web import RestBlueprint, Schema, fields

from . import queries, service
from .criteria import Explained, named
from .errors import BadgeNotFound
from .models import Badge

rest = RestBlueprint("badges", "Badges: what can be earned, who earned it, and why.")
SEE_ALL = "badges:badge:list"


class BadgeSchema(Schema):
    id = fields.UUID()
    slug = fields.String()
    name = fields.String()
    description = fields.String()
    category = fields.String(metadata={"description": "Slug of a category.", "example": "milestone"})
    level = fields.Integer(allow_none=True, metadata={"description": "1 to 5."})
    icon = fields.String(metadata={"description": "Name of an icon, for where no picture is uploaded."})
    picture_url = fields.String(
        dump_only=True, metadata={"description": "Path of the uploaded picture, else of one that is made."}
    )
    pictures = fields.Raw(
        dump_only=True,
        allow_none=True,
        metadata={"description": "Public paths of the uploaded picture: small (64), medium (128), large (512 pixels)."},
    )
    visibility = fields.String()
    criteria = fields.Raw(allow_none=True, metadata={"description": "Null while it is hidden from you."})
    version = fields.Integer(metadata={"description": "Counts changes of the criteria."})
    enabled = fields.Boolean()
    active_from = fields.Instant(allow_none=True)
    active_until = fields.Instant(allow_none=True)
    supply_limit = fields.Integer(allow_none=True)
    reward_amount = fields.Units(metadata={"description": "In the asset's smallest unit; 0 for none."})
    reward_asset = fields.String()


class StandingSchema(BadgeSchema):
    holders = fields.Integer()
    share_basis_points = fields.Integer(metadata={"description": "Part of the active members; 10,000 is all."})
    held = fields.Boolean(metadata={"description": "Whether you hold it."})


class AwardSchema(Schema):
    id = fields.UUID()
    badge = fields.String(metadata={"description": "Slug."})
    name = fields.String()
    level = fields.Integer(allow_none=True)
    category = fields.String(metadata={"description": "Slug of its category."})
    icon = fields.String()
    picture_url = fields.String()
    member_id = fields.UUID()
    badge_version = fields.Integer()
    contribution_id = fields.UUID(allow_none=True, metadata={"description": "The contribution that tipped it."})
    source = fields.String()
    reason = fields.String(allow_none=True)
    awarded_at = fields.Instant()
    revoked_at = fields.Instant(allow_none=True)
    revoke_reason = fields.String(allow_none=True)


class ExplanationSchema(Schema):
    badge = fields.String()
    member_id = fields.UUID()
    state = fields.String(metadata={"enum": ["held", "removed", "open"]})
    progress_basis_points = fields.Integer()
    award = fields.Nested(AwardSchema, allow_none=True)
    criteria = fields.Raw(
        allow_none=True,
        metadata={"description": "Tree of kind, place, ok, parts; leaves have actual, target, remaining, sentence."},
    )
    given = fields.Raw(
        allow_none=True,
        metadata={"description": "The same of the version that gave it, with what was measured then."},
    )


class LocaleQuery(Schema):
    """In which language."""

    locale = fields.String(
        load_default="",
        validate=validate.Length(max=12),
        metadata={"description": "Names and descriptions in this language, where a badge has them (fr, pt_BR)."},
    )


class ExplainQuery(Schema):
    member = fields.String(load_default="me", metadata={"description": "Member id, or me."})


class AwardBody(Schema):
    member_id = fields.UUID(required=True)
    reason = fields.String(required=True, validate=validate.Length(1, service.LONGEST_REASON))


class RevokeBody(Schema):
    reason = fields.String(required=True, validate=validate.Length(1, service.LONGEST_REASON))


class BadgeChange(Schema):
    name = fields.String(validate=validate.Length(1, 120))
    description = fields.String(validate=validate.Length(max=5_000))
    category = fields.String(validate=validate.Length(1, 40), metadata={"description": "Slug of a category."})
    level = fields.Integer(strict=True, allow_none=True)
    icon = fields.String(validate=validate.Length(1, 40))
    visibility = fields.String()
    criteria = fields.Raw()
    enabled = fields.Boolean()
    active_from = fields.Instant(allow_none=True)
    active_until = fields.Instant(allow_none=True)
    supply_limit = fields.Integer(strict=True, allow_none=True, validate=validate.Range(max=2**31 - 1))
    reward_amount = fields.Units(metadata={"description": "In the asset's smallest unit; 0 for none."})
    reward_asset = fields.String(validate=validate.Length(1, 12))


class BadgeNew(BadgeChange):
    slug = fields.String(required=True, validate=validate.Length(1, 80))
    name = fields.String(required=True, validate=validate.Length(1, 120))
    criteria = fields.Raw(required=True)


class PreviewBody(Schema):
    criteria = fields.Raw(required=True)
    badge = fields.String(load_default="", metadata={"description": "Slug of the badge they are for, if it exists."})


class PreviewSchema(Schema):
    count = fields.Integer(metadata={"description": "Active members who meet the criteria now."})
    already = fields.Integer(metadata={"description": "Of them, those who have had the badge."})
    losing = fields.Integer(
        metadata={"description": "Holders by criteria who would not meet these; they keep the badge."}
    )
    sample = fields.List(fields.UUID(), metadata={"description": "The first few members' ids."})
    reward = fields.Money(
        allow_none=True, metadata={"description": "What those who would gain the badge would be paid together."}
    )


class RecalculateBody(Schema):
    badge = fields.String(load_default=None, allow_none=True, metadata={"description": "Slug; all without it."})


class JobSchema(Schema):
    job_id = fields.UUID()


@rest.get("/badges", public=True)
@rest.arguments(LocaleQuery, location="query")
@rest.response(200, StandingSchema(many=True))
def list_badges(session: Session, actor: Actor, query: dict[str, Any]) -> list[dict[str, Any]]:
    """List the badges you may see, with the share of members that holds each."""
    viewer = Viewer.of(session, actor)
    names = queries.Names.of(session, query["locale"]) if query["locale"] else None
    return [
        {
            **_called(viewer.shown(one.badge), one.badge, names),
            "holders": one.holders,
            "share_basis_points": one.share,
            "held": one.badge.id in viewer.held,
        }
        for one in queries.standings(session)
        if viewer.sees(one.badge)
    ]


@rest.post("/badges", permission="badges:badge:create", idempotent=True)
@rest.arguments(BadgeNew)
@rest.response(201, BadgeSchema)
def create_badge(session: Session, actor: Actor, body: dict[str, Any]) -> Badge:
    """Create a badge."""
    made: Badge = session.info["registry"].resources["badges.badge"].create(session, actor, body)
    return made


@rest.get("/badges/<slug>", public=True)
@rest.arguments(LocaleQuery, location="query")
@rest.response(200, BadgeSchema)
def get_badge(session: Session, actor: Actor, query: dict[str, Any], slug: str) -> dict[str, Any]:
    """Get one badge."""
    viewer = Viewer.of(session, actor)
    badge = service.find(session, slug)
    if not viewer.sees(badge):
        raise BadgeNotFound(badge=slug)
    names = queries.Names.of(session, query["locale"]) if query["locale"] else None
    return _called(viewer.shown(badge), badge, names)


@rest.patch("/badges/<slug>", permission="badges:badge:update")
@rest.arguments(BadgeChange)
@rest.response(200, BadgeSchema)
def change_badge(session: Session, actor: Actor, body: dict[str, Any], slug: str) -> Badge:
    """Change a badge; only the given fields. New criteria are a new version; what is held stays held."""
    badge = service.find(session, slug)
    made: Badge = session.info["registry"].resources["badges.badge"].update(session, actor, badge, body)
    return made


@rest.get("/badges/<slug>/explain", signed_in=True)
@rest.arguments(ExplainQuery, location="query")
@rest.response(200, ExplanationSchema)
def explain_badge(session: Session, actor: Actor, query: dict[str, Any], slug: str) -> dict[str, Any]:
    """Explain why a member has, or has not yet, a badge."""
    member_id = _member(actor, query["member"])
    viewer = Viewer.of(session, actor)
    found = queries.explain(session, slug, member_id)
    if not viewer.sees(found.badge):
        raise BadgeNotFound(badge=slug)
    if not viewer.opens(found.badge):
        found = replace(found, tree=None, given=None)
    return {
        "badge": slug,
        "member_id": member_id,
        "state": found.state,
        "progress_basis_points": found.progress,
        "award": _award(found.award, found.badge) if found.award else None,
        "criteria": told(found.tree) if found.tree else None,
        "given": told(found.given) if found.given else None,
    }


@rest.get("/members/<uuid:member_id>/badges", signed_in=True)
@rest.response(200, AwardSchema(many=True))
def member_badges(session: Session, actor: Actor, member_id: UUID) -> list[dict[str, Any]]:
    """List the badges that a member holds, newest first. Others do not see secret ones that they do not hold."""
    viewer = Viewer.of(session, actor)
    found = queries.held_by(session, member_id)
    return [_award(award, badge) for award, badge in found if viewer.sees(badge)]


@rest.post("/badges/<slug>/awards", permission="badges:award:create", idempotent=True, moves_value=True)
@rest.arguments(AwardBody)
@rest.response(201, AwardSchema)
def award_badge(session: Session, actor: Actor, body: dict[str, Any], slug: str) -> dict[str, Any]:
    """Give a badge by hand, with a reason."""
    award = service.award(session, actor, slug=slug, **body)
    return _award(award, service.find(session, slug))


@rest.post("/badges/<slug>/awards/<uuid:member_id>/revoke", permission="badges:award:revoke")
@rest.arguments(RevokeBody)
@rest.response(200, AwardSchema)
def revoke_badge(session: Session, actor: Actor, body: dict[str, Any], slug: str, member_id: UUID) -> dict[str, Any]:
    """Remove a badge from a member, with a reason; it is not awarded again by itself."""
    award = service.revoke(session, actor, slug=slug, member_id=member_id, **body)
    return _award(award, service.find(session, slug))


@rest.post("/badges/preview", permission="badges:badge:preview")
@rest.arguments(PreviewBody)
@rest.response(200, PreviewSchema)
def preview_criteria(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Count who would earn criteria now, before they are saved."""
    found = queries.preview(session, body["criteria"], slug=body["badge"])
    sample = [member.id for member in found.sample]
    reward = {"amount": found.cost, "asset": found.asset} if found.asset else None
    told = {"count": found.count, "already": found.already, "losing": found.losing}
    return {**told, "sample": sample, "reward": reward}


@rest.post("/badges/recalculate", permission="badges:badge:recalculate")
@rest.arguments(RecalculateBody)
@rest.response(202, JobSchema)
def recalculate_badges(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Recalculate one badge or all of them as a background job."""
    if body["badge"]:
        service.find(session, body["badge"])
    return {"job_id": enqueue(session, actor, "badges.recalculate", {"badge": body["badge"]}).id}


@dataclass(frozen=True)
class Viewer:
    """Who asks, and what may be told: ``held`` are ids of badges, ``veiled`` slugs of those they may not hear of."""

    all: bool
    held: frozenset[UUID]
    veiled: frozenset[str]

    @classmethod
    def of(cls, session: Session, actor: Actor) -> Viewer:
        everything = actor.can(SEE_ALL)
        mine = queries.held_by(session, actor.member_id) if actor.member_id else []
        held = frozenset(badge.id for _award_, badge in mine)
        return cls(everything, held, frozenset() if everything else queries.veiled(session, held))

    def sees(self, badge: Badge) -> bool:
        return badge.slug not in self.veiled

    def opens(self, badge: Badge) -> bool:
        """Whether the criteria may be seen: not those that name a badge which may not be heard of."""
        if not self.all and named(badge.criteria) & self.veiled:
            return False
        return self.all or badge.id in self.held or badge.visibility == "public"

    def shown(self, badge: Badge) -> dict[str, Any]:
        told = {key: getattr(badge, key) for key in BadgeSchema().fields}
        return told if self.opens(badge) else {**told, "criteria": None}


def _award(award: Any, badge: Badge) -> dict[str, Any]:
    keys = (
        "id",
        "member_id",
        "badge_version",
        "contribution_id",
        "source",
        "reason",
        "awarded_at",
        "revoked_at",
        "revoke_reason",
    )
    return {
        **{key: getattr(award, key) for key in keys},
        "badge": badge.slug,
        "name": badge.name,
        "level": badge.level,
        "category": badge.category,
        "icon": badge.icon,
        "picture_url": badge.picture_url,
    }


def _member(actor: Actor, given: str) -> UUID:
    """The member asked about: oneself, or with permission anybody."""
    try:
        member_id = actor.member_id if given == "me" else UUID(given)
    except ValueError:
        raise NotFound() from None
    if member_id is None:
        raise NotFound()
    if member_id != actor.member_id:
        actor.require("badges:award:show")
    return member_id


def _called(shown: dict[str, Any], badge: Badge, names: queries.Names | None) -> dict[str, Any]:
    """A badge with the name and description of a language, where it has them."""
    if names is None:
        return shown
    return {**shown, "name": names.name(badge), "description": names.description(badge)}


def told(node: Explained) -> dict[str, Any]:
    """An explained tree as JSON."""
    shown: dict[str, Any] = {
        "kind": node.kind,
        "place": node.place,
        "ok": node.ok,
        "progress_basis_points": node.progress,
    }
    if node.leaf:
        shown |= {
            "type": node.type,
            "actual": node.leaf.actual,
            "target": node.leaf.target,
            "remaining": node.leaf.remaining,
            "sentence": node.leaf.text,
        }
    else:
        shown["parts"] = [told(part) for part in node.parts]
    return shown
