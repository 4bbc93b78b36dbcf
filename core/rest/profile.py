"""Who one is, and one's own profile."""

from __future__ import annotations

from typing import Any

from marshmallow import validate
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.gateway.request import without_two_factor
from core.members import profiles
from core.members.models import Member
from core.rest import fields
from core.rest.auth import rest
from core.rest.schema import Schema


class ProfileSchema(Schema):
    bio = fields.String()
    location = fields.String()
    website = fields.String()
    avatar_id = fields.UUID(allow_none=True)
    avatar_url = fields.String(allow_none=True, metadata={"description": "A signed path, which expires."})
    more = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "The fields that the settings add."}
    )
    missing = fields.List(fields.String(), metadata={"description": "Required fields that are empty."})
    completed_at = fields.Instant(allow_none=True)


class MeSchema(Schema):
    id = fields.UUID()
    display_name = fields.String()
    email = fields.String(allow_none=True)
    roles = fields.List(fields.String())
    permissions = fields.List(fields.String(), metadata={"description": "Two-part bundles, as in tokens."})
    tier = fields.String()
    locale = fields.String()
    time_zone = fields.String()
    preferred_chain = fields.Integer(metadata={"description": "EIP-155 number of a blockchain."})
    profile = fields.Nested(ProfileSchema)


class MeChangeBody(Schema):
    display_name = fields.String(metadata={"example": "Ada"})
    time_zone = fields.String(metadata={"example": "Europe/Paris"})
    preferred_chain = fields.Integer(strict=True, metadata={"example": 146})
    bio = fields.String()
    location = fields.String()
    website = fields.String(metadata={"example": "https://example.org"})
    avatar_id = fields.UUID(
        allow_none=True, metadata={"description": "A file sent to /files for `core.avatar`; null takes it away."}
    )
    more = fields.Dict(
        keys=fields.String(validate=validate.Length(max=40)),
        values=fields.String(),
        metadata={"example": {}, "description": "Fields that the settings add."},
    )


@rest.get("/me", signed_in=True)
@without_two_factor
@rest.response(200, MeSchema)
def me(session: Session, actor: Actor) -> dict[str, Any]:
    """Who is signed in, with the profile."""
    return _me(session, actor)


@rest.patch("/me", signed_in=True)
@rest.arguments(MeChangeBody)
@rest.response(200, MeSchema)
def change_me(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Change your own profile; only the given fields."""
    actor.require_session()
    values = {**body.pop("more", {}), **body}
    if "avatar_id" in values:
        values["avatar"] = values.pop("avatar_id")
    profiles.change(session, actor, values)
    return _me(session, actor)


def _me(session: Session, actor: Actor) -> dict[str, Any]:
    member = session.get(Member, actor.member_id)
    assert member is not None
    profile = profiles.of(session, member.id)
    own = {name: getattr(profile, name) for name in ("bio", "location", "website", "avatar_id", "more", "completed_at")}
    shown = ("id", "display_name", "email", "tier", "locale", "time_zone", "preferred_chain")
    return {
        **{name: getattr(member, name) for name in shown},
        "roles": list(actor.roles),
        "permissions": access.bundles(actor.permissions),
        "profile": {
            **own,
            "avatar_url": profiles.avatar_url(session, profile),
            "missing": profiles.missing(session, profile),
        },
    }
