"""Sign-in for clients: access and refresh tokens, and who one is."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.errors import Unauthenticated
from core.gateway.request import platform
from core.members import service, sessions, tokens
from core.members.models import Member
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema

rest = RestBlueprint("core", "Sign-in, members and the platform itself.")


class Credentials(Schema):
    email = fields.String(required=True, metadata={"example": "ada@example.org"})
    password = fields.String(required=True, load_only=True)


class TokensSchema(Schema):
    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})


class RefreshBody(Schema):
    refresh_token = fields.String(required=True)


class MeSchema(Schema):
    id = fields.UUID()
    display_name = fields.String()
    email = fields.String(allow_none=True)
    roles = fields.List(fields.String())
    permissions = fields.List(fields.String(), metadata={"description": "Two-part bundles, as in tokens."})


@rest.post("/auth/login", public=True)
@rest.arguments(Credentials)
@rest.response(200, TokensSchema)
def login(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with e-mail and password; answers a token pair."""
    member = service.authenticate(session, email=body["email"], password=body["password"])
    agent = request.headers.get("User-Agent")
    row, _token = sessions.start(
        session, member, kind="token", ip=actor.ip, device=agent, lifetime=tokens.REFRESH_LIFETIME
    )
    return tokens.issue(session, platform().config.secret_key, sessions.actor_of(session, session_id=row.id))


@rest.post("/auth/refresh", public=True)
@rest.arguments(RefreshBody)
@rest.response(200, TokensSchema)
def refresh(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Exchange a refresh token for a new pair; each is good for one use."""
    session_id = tokens.rotate(session, body["refresh_token"])
    if session_id is None:
        session.commit()  # the reuse has ended the session, and that must stay although the answer is a refusal
        raise tokens.TokenInvalid()
    try:
        member = sessions.actor_of(session, session_id=session_id)
    except Unauthenticated:
        raise tokens.TokenInvalid() from None
    tokens.extend(session, session_id)
    return tokens.issue(session, platform().config.secret_key, member)


@rest.post("/auth/logout", signed_in=True)
@rest.response(204)
def logout(session: Session, actor: Actor) -> Response:
    """End this session at once: its access and refresh tokens are refused from now on."""
    if actor.session_id:
        sessions.revoke(session, actor.session_id)
    return Response(status=204)


@rest.get("/me", signed_in=True)
@rest.response(200, MeSchema)
def me(session: Session, actor: Actor) -> dict[str, Any]:
    """Who is signed in."""
    member = session.get(Member, actor.member_id)
    assert member is not None
    return {
        "id": member.id,
        "display_name": member.display_name,
        "email": member.email,
        "roles": list(g.actor.roles),
        "permissions": access.bundles(actor.permissions),
    }
