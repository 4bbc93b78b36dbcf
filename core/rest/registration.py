"""Coming in for clients: registration, confirmed e-mail, forgotten password. No answer tells who is known."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from core.actor import Actor
from core.members import accounts
from core.rest import fields
from core.rest.auth import rest
from core.rest.schema import Schema


class RegisterBody(Schema):
    email = fields.String(required=True, metadata={"example": "ada@example.org"})
    display_name = fields.String(required=True, metadata={"example": "Ada"})


class VerifyBody(Schema):
    token = fields.String(required=True, metadata={"description": "Of the link in the mail."})
    password = fields.String(
        load_default=None, load_only=True, metadata={"description": "For an account that has none yet."}
    )


class ForgotBody(Schema):
    email = fields.String(required=True)


class ResetBody(Schema):
    token = fields.String(required=True, metadata={"description": "Of the link in the mail."})
    password = fields.String(required=True, load_only=True)


class NewMemberBody(RegisterBody):
    email = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"example": "ada@example.org", "description": "Without one there is no invitation."},
    )
    roles = fields.List(fields.String(), load_default=lambda: ["User"])


class NewMemberSchema(Schema):
    id = fields.UUID()
    display_name = fields.String()
    email = fields.String(allow_none=True)


@rest.post("/auth/register", public=True)
@rest.arguments(RegisterBody)
@rest.response(202)
def register(session: Session, actor: Actor, body: dict[str, Any]) -> None:
    """Register; a mail with a link to choose a password is on its way, whether or not the address is known."""
    accounts.sign_up(session, actor, **body)


@rest.post("/auth/verify", public=True)
@rest.arguments(VerifyBody)
@rest.response(204)
def verify(session: Session, actor: Actor, body: dict[str, Any]) -> Response:
    """Confirm an e-mail address with the token of the link, and choose the first password."""
    accounts.verify(session, actor, **body)
    return Response(status=204)


@rest.post("/auth/forgot-password", public=True)
@rest.arguments(ForgotBody)
@rest.response(202)
def forgot_password(session: Session, actor: Actor, body: dict[str, Any]) -> None:
    """Ask for a link to a new password; it is mailed if the address is known."""
    accounts.forgot_password(session, actor, **body)


@rest.post("/auth/reset-password", public=True)
@rest.arguments(ResetBody)
@rest.response(204)
def reset_password(session: Session, actor: Actor, body: dict[str, Any]) -> Response:
    """Choose a new password with the token of the link; every session of the member ends."""
    accounts.reset_password(session, actor, **body)
    return Response(status=204)


@rest.post("/members", permission="core:member:create", idempotent=True)
@rest.arguments(NewMemberBody)
@rest.response(201, NewMemberSchema)
def create_member(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    """Make an account; its owner is mailed a link to choose the password. Only an admin gives roles but User.

    Without an e-mail address there is no mail.
    """
    return accounts.invite(session, actor, **{**body, "roles": tuple(body["roles"])})
