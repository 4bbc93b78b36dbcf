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
from core.members import codes, factors, service, sessions, signals, tokens, two_factor, wallets
from core.members.models import Member
from core.members.one_time import Asked
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
    methods = fields.List(
        fields.String(),
        metadata={
            "description": "With `challenge_token`: codes that the second step takes, of `totp`, `sms` and `mail`. The "
            "latter two are sent by /auth/login/second-factor/code. Recovery codes are always taken."
        },
    )


class SecondFactorBody(Schema):
    challenge_token = fields.String(required=True)
    code = fields.String(required=True, load_only=True, metadata={"example": "123456"})
    code_id = fields.UUID(metadata={"description": "With a code that was sent: of /auth/login/second-factor/code."})


class SecondFactorCodeBody(Schema):
    challenge_token = fields.String(required=True)
    method = fields.String(
        required=True, validate=validate.OneOf(("sms", "mail")), metadata={"description": "One of `methods`."}
    )


class CodeAskedSchema(Schema):
    code_id = fields.UUID(metadata={"description": "To be handed in with the code."})
    expires_in = fields.Integer(metadata={"description": "Seconds until the code expires."})


class StepUpBody(Schema):
    password = fields.String(load_only=True)
    message = fields.String(
        validate=validate.Length(max=4000),
        metadata={"description": "Instead of the password: of /me/wallets/challenge, signed by a linked wallet."},
    )
    signature = fields.String(load_only=True, validate=validate.Length(max=20_000))
    code_id = fields.UUID(metadata={"description": "Instead of the password: of /me/code, with the code that came."})
    mailed_code = fields.String(load_only=True, validate=validate.Length(max=40))
    code = fields.String(load_default="", load_only=True, metadata={"description": "With two-factor sign-in."})
    factor_code_id = fields.UUID(
        metadata={"description": "With a `code` that was sent as the second factor: of /me/two-factor/code."}
    )


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


def first_step(session: Session, actor: Actor, member: Member, besides: str = "") -> dict[str, Any]:
    """A token pair for a member who has just proved who they are, or the challenge of the second step.

    ``besides`` is the kind of code that was the proof, if it was one: it is no second one.
    """
    if two_factor.is_on(session, member.id):
        token = two_factor.challenge(session, member.id, besides)
        return {"challenge_token": token, "methods": factors.accepted(session, member.id, besides)}
    return _signed_in(session, actor, member)


@rest.post("/auth/login/second-factor", public=True)
@rest.arguments(SecondFactorBody)
@rest.response(200, TokensSchema)
def second_factor(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """End a sign-in with a code of the app, one that was sent, or a recovery code; answers a token pair."""
    member_id, besides = two_factor.challenged(session, body["challenge_token"])
    two_factor.check(session, actor, member_id, body["code"], code_id=body.get("code_id"), besides=besides)
    return _signed_in(session, actor, session.get_one(Member, member_id))


@rest.post("/auth/login/second-factor/code", public=True)
@rest.arguments(SecondFactorCodeBody)
@rest.response(200, CodeAskedSchema)
def send_second_factor(session: Session, actor: Actor, body: dict[str, Any]) -> Asked:
    """Have a code for the second step sent, by text message or mail; ask again for another one."""
    member_id, besides = two_factor.challenged(session, body["challenge_token"])
    return factors.send_second(session, actor, member_id, body["method"], besides)


@rest.post("/auth/step-up", signed_in=True)
@without_two_factor
@rest.arguments(StepUpBody)
@rest.response(204)
def step_up(session: Session, actor: Actor, body: dict[str, Any]) -> Response:
    """Prove again who you are, for what asks for it in the next ten minutes."""
    second = {"code": body["code"], "factor_code_id": body.get("factor_code_id")}
    if "password" in body:
        service.step_up(session, actor, password=body["password"], **second)
    elif "message" in body and "signature" in body:
        wallets.step_up(session, actor, message=body["message"], signature=body["signature"], **second)
    elif "code_id" in body and "mailed_code" in body:
        codes.step_up(session, actor, code_id=body["code_id"], mailed_code=body["mailed_code"], **second)
    else:
        raise Invalid(
            {"password": [_("Give the password, a code that was sent, or a message that a linked wallet signed.")]}
        )
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
    if member.impersonator is None and member.member_id is not None:
        signals.note_seen(session, member.member_id, address=actor.ip)
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
