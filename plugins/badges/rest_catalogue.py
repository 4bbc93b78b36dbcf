"""REST of what badges are made of: criteria, versions, languages, trees, pictures, and what is near."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound
from guildhall.web import Schema, fields

from . import categories, pictures, queries, service
from .describe import describe
from .errors import BadgeNotFound, InvalidCriteria
from .icon import svg
from .models import Badge, BadgeVersion
from .rest import BadgeSchema, Viewer, rest, told
from .service import find
from .tree import tree


class ParameterSchema(Schema):
    """A parameter of a condition, as a form field."""

    name = fields.String()
    label = fields.String()
    kind = fields.String(metadata={"enum": ["integer", "text", "date", "choice"]})
    required = fields.Boolean()
    minimum = fields.Raw(allow_none=True, metadata={"description": "Of an integer."})
    maximum = fields.Raw(allow_none=True)
    default = fields.Raw(allow_none=True)
    options = fields.List(fields.Dict(), allow_none=True, metadata={"description": "value and label of each choice."})


class LeafSchema(Schema):
    """A kind of condition."""

    type = fields.String()
    label = fields.String()
    sentence = fields.String(metadata={"description": "What it asks for, to be filled with the parameters."})
    parameters = fields.List(fields.Nested(ParameterSchema))


class CriteriaKindsSchema(Schema):
    """All that an editor of criteria needs."""

    groups = fields.List(fields.Dict(), metadata={"description": "word (all, any, not) and label."})
    deepest = fields.Integer(metadata={"description": "How deep a tree may be."})
    most = fields.Integer(metadata={"description": "How many conditions fit."})
    leaves = fields.List(fields.Nested(LeafSchema))


class CheckBody(Schema):
    """Criteria to check."""

    criteria = fields.Raw(required=True)
    badge = fields.String(load_default="", metadata={"description": "Slug of the badge they are for, if it exists."})


class CheckSchema(Schema):
    """What is wrong with criteria; an empty list when nothing is."""

    valid = fields.Boolean()
    monotone = fields.Boolean(
        allow_none=True, metadata={"description": "False when a `not` makes the award depend on the moment."}
    )
    problems = fields.List(fields.String(), metadata={"description": "Each with its place, as $.all[2].type."})


class VersionSchema(Schema):
    """Criteria that a badge had."""

    version = fields.Integer()
    criteria = fields.Raw()
    created_at = fields.Instant()
    created_by = fields.UUID(allow_none=True)


class TextBody(Schema):
    """What a badge is called."""

    name = fields.String(required=True)
    description = fields.String(load_default="")


class TextSchema(Schema):
    """What a badge is called in a language."""

    locale = fields.String()
    name = fields.String()
    description = fields.String()


class CategoryTextBody(Schema):
    """What a category is called."""

    name = fields.String(required=True)


class CategoryTextSchema(Schema):
    """What a category is called in a language."""

    locale = fields.String()
    name = fields.String()


class PictureBody(Schema):
    """Which file, and how it becomes a square."""

    file_id = fields.UUID(
        required=True, metadata={"description": "A PNG, JPEG or WebP sent to /files for `badges.icon`."}
    )
    fit = fields.String(
        load_default="crop",
        validate=validate.OneOf(["crop", "contain"]),
        metadata={"description": "crop: its middle; contain: all of it on a transparent ground."},
    )


class PlaceSchema(Schema):
    """A badge in the tree."""

    badge = fields.String(metadata={"description": "Slug."})
    name = fields.String()
    picture_url = fields.String()
    needs = fields.List(fields.String(), metadata={"description": "Slugs of the badges that it needs."})
    column = fields.Integer(metadata={"description": "How many steps of badges come before it at most."})
    row = fields.Integer()
    held = fields.Boolean(metadata={"description": "Whether you hold it."})


class NearSchema(Schema):
    """A badge that is near."""

    badge = fields.String(metadata={"description": "Slug."})
    name = fields.String()
    progress_basis_points = fields.Integer()
    missing = fields.List(fields.String(), metadata={"description": "What is missing, a sentence each."})
    criteria = fields.Raw(metadata={"description": "As in the explanation."})


@rest.get("/criteria", permission="badges:badge:preview")
@rest.response(200, CriteriaKindsSchema)
def criteria_kinds(session: Session, actor: Actor) -> dict[str, Any]:
    """Describe the kinds of conditions with their parameters, for an editor."""
    return describe(session)


@rest.post("/criteria/check", permission="badges:badge:preview")
@rest.arguments(CheckBody)
@rest.response(200, CheckSchema)
def check_criteria(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Check criteria while they are written; every mistake is told with its place."""
    try:
        node = service.check_criteria(session, body["criteria"], slug=body["badge"])
    except InvalidCriteria as problem:
        return {"valid": False, "monotone": None, "problems": problem.details["criteria"]}
    return {"valid": True, "monotone": node.monotone(), "problems": []}


@rest.get("/badges/<slug>/versions", permission="badges:badge:show")
@rest.response(200, VersionSchema(many=True))
def badge_versions(session: Session, actor: Actor, slug: str) -> list[BadgeVersion]:
    """List the criteria that a badge has had, newest first."""
    return queries.versions(session, find(session, slug))


@rest.get("/badges/<slug>/texts", permission="badges:badge:show")
@rest.response(200, TextSchema(many=True))
def badge_texts(session: Session, actor: Actor, slug: str) -> list[Any]:
    """List what a badge is called in other languages."""
    return queries.texts_of(session, find(session, slug))


@rest.put("/badges/<slug>/texts/<locale>", permission="badges:badge:update")
@rest.arguments(TextBody)
@rest.response(200, TextSchema)
def write_text(session: Session, actor: Actor, body: dict[str, Any], slug: str, locale: str) -> Any:
    """Say what a badge is called in a language."""
    return service.write_text(session, actor, slug=slug, locale=locale, **body)


@rest.delete("/badges/<slug>/texts/<locale>", permission="badges:badge:update")
@rest.response(204)
def delete_text(session: Session, actor: Actor, slug: str, locale: str) -> Response:
    """Take back what a badge is called in a language."""
    service.delete_text(session, actor, slug=slug, locale=locale)
    return Response(status=204)


@rest.put("/badges/<slug>/picture", permission="badges:badge:update")
@rest.arguments(PictureBody)
@rest.response(200, BadgeSchema)
def set_picture(session: Session, actor: Actor, body: dict[str, Any], slug: str) -> Badge:
    """Give a badge an uploaded picture, square and in three sizes; it replaces the one it had."""
    return pictures.set_picture(session, actor, slug=slug, file_id=body["file_id"], contain=body["fit"] == "contain")


@rest.delete("/badges/<slug>/picture", permission="badges:badge:update")
@rest.response(200, BadgeSchema)
def remove_picture(session: Session, actor: Actor, slug: str) -> Badge:
    """Go back to the picture that is made from what the badge is."""
    return pictures.remove_picture(session, actor, slug=slug)


@rest.get("/categories/<slug>/texts", permission="badges:category:show")
@rest.response(200, CategoryTextSchema(many=True))
def category_texts(session: Session, actor: Actor, slug: str) -> list[Any]:
    """List what a category is called in other languages."""
    return categories.category_texts(session, slug)


@rest.put("/categories/<slug>/texts/<locale>", permission="badges:category:update")
@rest.arguments(CategoryTextBody)
@rest.response(200, CategoryTextSchema)
def write_category_text(session: Session, actor: Actor, body: dict[str, Any], slug: str, locale: str) -> Any:
    """Say what a category is called in a language."""
    return categories.write_category_text(session, actor, slug=slug, locale=locale, **body)


@rest.delete("/categories/<slug>/texts/<locale>", permission="badges:category:update")
@rest.response(204)
def delete_category_text(session: Session, actor: Actor, slug: str, locale: str) -> Response:
    """Take back what a category is called in a language."""
    categories.delete_category_text(session, actor, slug=slug, locale=locale)
    return Response(status=204)


@rest.get("/tree", signed_in=True)
@rest.response(200, PlaceSchema(many=True))
def badge_tree(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """List the badges that need others, and those that they need, column by column."""
    viewer = Viewer.of(session, actor)
    return [
        {
            "badge": place.badge.slug,
            "name": place.badge.name,
            "picture_url": place.badge.picture_url,
            "needs": place.needs if viewer.opens(place.badge) else (),
            "column": place.column,
            "row": place.row,
            "held": place.badge.id in viewer.held,
        }
        for place in tree(session, viewer.sees, viewer.veiled)
    ]


@rest.get("/nearest", signed_in=True)
@rest.response(200, NearSchema(many=True))
def nearest_badges(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """List the badges that you are nearest to, with what is missing."""
    if actor.member_id is None:
        raise NotFound()
    viewer = Viewer.of(session, actor)
    found = queries.nearest(session, actor.member_id, most=10, veiled=viewer.veiled)
    return [
        {
            "badge": one.badge.slug,
            "name": one.badge.name,
            "progress_basis_points": one.progress,
            "missing": [leaf.leaf.text for leaf in one.tree.leaves() if leaf.leaf and not leaf.ok],
            "criteria": told(one.tree),
        }
        for one in found
        if one.tree is not None
    ]


@rest.get("/badges/<slug>/icon.svg", public=True)
@rest.response(200, content_type="image/svg+xml")
def badge_icon(session: Session, actor: Actor, slug: str) -> Response:
    """Get a badge's picture."""
    badge: Badge = find(session, slug)
    if not Viewer.of(session, actor).sees(badge):
        raise BadgeNotFound(badge=slug)
    return Response(svg(badge, badge.name), mimetype="image/svg+xml")


__all__ = ["rest"]
