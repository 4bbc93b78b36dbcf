"""What a member may do, and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema

rest = RestBlueprint("core", part="access")
REASONS = tuple(access.REASONS)


class ExplanationQuery(Schema):
    permission = fields.String(
        validate=validate.Length(max=200), metadata={"description": "Explain this one alone, such as core:member:show."}
    )


class PermissionReasonSchema(Schema):
    permission = fields.String(metadata={"example": "core:member:show"})
    allowed = fields.Boolean()
    reason = fields.String(metadata={"enum": list(REASONS)})
    roles = fields.List(
        fields.String(), metadata={"description": "The member's roles that grant it, or those that would."}
    )
    explanation = fields.String(metadata={"description": "The reason as a sentence."})


@rest.get("/members/<uuid:key>/permissions", signed_in=True)
@rest.arguments(ExplanationQuery, location="query")
@rest.response(200, PermissionReasonSchema(many=True))
def list_member_permissions(session: Session, actor: Actor, query: dict[str, Any], key: UUID) -> list[dict[str, Any]]:
    """What a member may do, each with its reason: one's own, or with core:member:show anybody's."""
    if key != actor.member_id:
        actor.require("core:member:show")
    names = [query["permission"]] if "permission" in query else None
    return [
        {
            "permission": one.permission,
            "allowed": one.allowed,
            "reason": one.reason,
            "roles": list(one.roles),
            "explanation": access.sentence(one),
        }
        for one in access.explain_each(session, key, names)
    ]
