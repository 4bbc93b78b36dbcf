"""One-time codes by mail for clients: a way in, and a fresh proof of who one is."""

from __future__ import annotations

from typing import Any

from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.gateway.request import without_two_factor
from core.members import codes
from core.rest import auth, fields
from core.rest.auth import SignInSchema, rest
from core.rest.schema import Schema


class CodeRequestBody(Schema):
    email = fields.String(required=True, validate=validate.Length(max=254), metadata={"example": "ada@example.org"})


class CodeAskedSchema(Schema):
    code_id = fields.UUID(metadata={"description": "To be handed in with the code."})
    expires_in = fields.Integer(metadata={"description": "Seconds until the code expires."})


class MailedCodeBody(Schema):
    code_id = fields.UUID(required=True)
    code = fields.String(
        required=True, load_only=True, validate=validate.Length(max=40), metadata={"example": "12345678"}
    )


@rest.post("/auth/code", public=True)
@rest.arguments(CodeRequestBody)
@rest.response(200, CodeAskedSchema)
def ask_for_code(session: Session, actor: Actor, body: dict[str, Any]) -> codes.Asked:
    """Ask for a code to sign in with; it is mailed if the address is known. The answer is the same if it is not."""
    return codes.ask(session, actor, email=body["email"])


@rest.post("/auth/code/login", public=True)
@rest.arguments(MailedCodeBody)
@rest.response(200, SignInSchema)
def code_login(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with a mailed code; answers as /auth/login does."""
    return auth.first_step(session, actor, codes.sign_in(session, actor, **body))


@rest.post("/me/code", signed_in=True)
@without_two_factor
@rest.response(200, CodeAskedSchema)
def ask_for_my_code(session: Session, actor: Actor) -> codes.Asked:
    """Ask for a mailed code that proves again who you are, for /auth/step-up."""
    actor.require_session()
    return codes.ask_own(session, actor)
