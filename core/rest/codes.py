"""One-time codes for clients, by mail or text message: a way in, and a fresh proof of who one is."""

from __future__ import annotations

from typing import Any

from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Invalid
from core.gateway.request import without_two_factor
from core.i18n import _
from core.members import codes
from core.rest import auth, fields
from core.rest.auth import CodeAskedSchema, SignInSchema, rest
from core.rest.schema import Schema


class CodeRequestBody(Schema):
    email = fields.String(validate=validate.Length(max=254), metadata={"example": "ada@example.org"})
    number = fields.String(
        validate=validate.Length(max=40),
        metadata={"description": "Instead of the e-mail address: a confirmed phone number, with its country code."},
    )


class ChannelQuery(Schema):
    channel = fields.String(load_default="mail", validate=validate.OneOf(("mail", "sms")))


class MailedCodeBody(Schema):
    code_id = fields.UUID(required=True)
    code = fields.String(
        required=True, load_only=True, validate=validate.Length(max=40), metadata={"example": "12345678"}
    )


@rest.post("/auth/code", public=True)
@rest.arguments(CodeRequestBody)
@rest.response(200, CodeAskedSchema)
def ask_for_code(session: Session, actor: Actor, body: dict[str, Any]) -> codes.Asked:
    """Ask for a code to sign in with; it is sent if the address or number is known, and the answer tells nothing of it.

    By text message only where `core.sms_sign_in` allows it.
    """
    if ("email" in body) == ("number" in body):
        raise Invalid({"email": [_("Give either an e-mail address or a phone number.")]})
    if "number" in body:
        return codes.ask_by_text(session, actor, number=body["number"])
    return codes.ask(session, actor, email=body["email"])


@rest.post("/auth/code/login", public=True)
@rest.arguments(MailedCodeBody)
@rest.response(200, SignInSchema)
def code_login(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with a code that was sent; answers as /auth/login does."""
    member, channel = codes.sign_in(session, actor, **body)
    return auth.first_step(session, actor, member, channel)


@rest.post("/me/code", signed_in=True)
@without_two_factor
@rest.arguments(ChannelQuery, location="query")
@rest.response(200, CodeAskedSchema)
def ask_for_my_code(session: Session, actor: Actor, query: dict[str, Any]) -> codes.Asked:
    """Ask for a code that proves again who you are, for /auth/step-up: by mail, or by text message."""
    actor.require_session()
    return codes.ask_own(session, actor, query["channel"])
