"""API keys for clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from core.actor import Actor
from core.members import api_keys
from core.rest import fields
from core.rest.auth import rest
from core.rest.schema import Schema


class ApiKeySchema(Schema):
    id = fields.UUID()
    name = fields.String()
    prefix = fields.String(metadata={"description": "How the key begins; the rest is kept nowhere."})
    scopes = fields.List(fields.String())
    member_id = fields.UUID(metadata={"description": "Who made it, and for whom it acts."})
    created_at = fields.Instant()
    expires_at = fields.Instant(allow_none=True)
    last_used_at = fields.Instant(allow_none=True, metadata={"description": "To the minute."})


class NewApiKeySchema(ApiKeySchema):
    key = fields.String(metadata={"description": "The key itself, shown this once."})


class ApiKeyBody(Schema):
    name = fields.String(required=True, metadata={"example": "Prometheus"})
    scopes = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Permissions, with * for any part, or bundles such as wallet:read.",
            "example": ["core:metrics:show"],
        },
    )
    expires_at = fields.Instant(load_default=None, allow_none=True)


NAMES = ("id", "name", "prefix", "scopes", "member_id", "created_at", "expires_at", "last_used_at")


@rest.get("/api-keys", permission="core:api_key:list")
@rest.response(200, ApiKeySchema(many=True))
def list_api_keys(session: Session, actor: Actor) -> list[Any]:
    """Every key that is not revoked, the newest first."""
    return [row for row, _owner in api_keys.listed(session)]


@rest.post("/api-keys", permission="core:api_key:create", step_up=True)
@rest.arguments(ApiKeyBody)
@rest.response(201, NewApiKeySchema)
def create_api_key(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Make a key that acts for you, within its scopes. The key is shown this once."""
    row, key = api_keys.create(session, actor, **body)
    return {**{name: getattr(row, name) for name in NAMES}, "key": key}


@rest.delete("/api-keys/<uuid:key>", permission="core:api_key:revoke")
@rest.response(204)
def revoke_api_key(session: Session, actor: Actor, key: UUID) -> Response:
    """End a key at once."""
    api_keys.revoke(session, actor, key)
    return Response(status=204)
