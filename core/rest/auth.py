"""Sign-in for clients: access and refresh tokens, and who one is."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Invalid, Unauthenticated
from core.gateway.request import without_two_factor
from core.i18n import _
from core.members import codes, service, sessions, signed, tokens, two_factor, wallets
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


class SignInSchema(TokensSchema):
    challenge_token = fields.String(
        metadata={"description": "Instead of the tokens, when a second factor is asked for; good for five minutes."}
    )


class SecondFactorBody(Schema):
    challenge_token = fields.String(required=True)
    code = fields.String(required=True, load_only=True, metadata={"example": "123456"})


class StepUpBody(Schema):
    password = fields.String(load_only=True)
    message = fields.String(
        validate=validate.Length(max=4000),
        metadata={"description": "Instead of the password: of /me/wallets/challenge, signed by a linked wallet."},
    )
    signature = fields.String(load_only=True, validate=validate.Length(max=20_000))
    code_id = fields.UUID(metadata={"description": "Instead of the password: of /me/code, with the code of the mail."})
    mailed_code = fields.String(load_only=True, validate=validate.Length(max=40))
    code = fields.String(load_default="", load_only=True, metadata={"description": "With two-factor sign-in."})


class RefreshBody(Schema):
    refresh_token = fields.String(required=True)


@rest.post("/auth/login", public=True)
@rest.arguments(Credentials)
@rest.response(200, SignInSchema)
def login(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with e-mail and password; answers a token pair.

    A member with two-factor sign-in gets ``challenge_token`` instead, for /auth/login/second-factor.
    """
    return sign_in(session, actor, email=body["email"], password=body["password"])


def sign_in(session: Session, actor: Actor, *, email: str, password: str) -> dict[str, Any]:
    """The first step of a sign-in: a token pair, or the challenge of the second step."""
    return first_step(session, actor, service.authenticate(session, actor, email=email, password=password))


def first_step(session: Session, actor: Actor, member: Member) -> dict[str, Any]:
    """A token pair for a member who has just proved who they are, or the challenge of the second step."""
    if two_factor.is_on(session, member.id):
        return {"challenge_token": signed.make(session, "second-factor", member.id)}
    return _signed_in(session, actor, member)


@rest.post("/auth/login/second-factor", public=True)
@rest.arguments(SecondFactorBody)
@rest.response(200, TokensSchema)
def second_factor(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """End a sign-in with a code of the app or a recovery code; answers a token pair."""
    member_id = signed.read(session, "second-factor", body["challenge_token"])
    two_factor.check(session, actor, member_id, body["code"])
    return _signed_in(session, actor, session.get_one(Member, member_id))


@rest.post("/auth/step-up", signed_in=True)
@without_two_factor
@rest.arguments(StepUpBody)
@rest.response(204)
def step_up(session: Session, actor: Actor, body: dict[str, Any]) -> Response:
    """Prove again who you are, for what asks for it in the next ten minutes."""
    if "password" in body:
        service.step_up(session, actor, password=body["password"], code=body["code"])
    elif "message" in body and "signature" in body:
        wallets.step_up(session, actor, message=body["message"], signature=body["signature"], code=body["code"])
    elif "code_id" in body and "mailed_code" in body:
        codes.step_up(session, actor, code_id=body["code_id"], mailed_code=body["mailed_code"], code=body["code"])
    else:
        raise Invalid({"password": [_("Give the password, a mailed code, or a message that a linked wallet signed.")]})
    return Response(status=204)


@rest.post("/auth/refresh", public=True)
@rest.arguments(RefreshBody)
@rest.response(200, TokensSchema)
def refresh(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Exchange a refresh token for a new pair; each is good for one use."""
    session_id = tokens.rotate(session, body["refresh_token"])
    if session_id is None:
        raise tokens.TokenReused()
    try:
        member = sessions.actor_of(session, session_id=session_id)
    except Unauthenticated:
        raise tokens.TokenInvalid() from None
    tokens.extend(session, session_id)
    return tokens.issue(session, member)


@rest.post("/auth/logout", signed_in=True)
@without_two_factor
@rest.response(204)
def logout(session: Session, actor: Actor) -> Response:
    """End this session at once: its access and refresh tokens are refused from now on."""
    if actor.session_id:
        sessions.revoke(session, actor.session_id)
    return Response(status=204)


def _signed_in(session: Session, actor: Actor, member: Member) -> dict[str, Any]:
    agent = request.headers.get("User-Agent")
    row, _token = sessions.start(
        session, member, kind="token", ip=actor.ip, device=agent, lifetime=tokens.REFRESH_LIFETIME
    )
    return tokens.issue(session, sessions.actor_of(session, session_id=row.id))
