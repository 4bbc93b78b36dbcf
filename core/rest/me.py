"""One's own account for clients: sessions, two-factor sign-in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy.orm import Session

from core.actor import Actor
from core.gateway.request import without_two_factor
from core.members import factors, sessions, two_factor
from core.members.models import Member
from core.rest import fields
from core.rest.auth import rest
from core.rest.schema import Schema


class SessionSchema(Schema):
    id = fields.UUID()
    kind = fields.String(metadata={"enum": ["cookie", "token"]})
    ip = fields.String(allow_none=True)
    device = fields.String(allow_none=True)
    created_at = fields.Instant()
    expires_at = fields.Instant()
    current = fields.Boolean(metadata={"description": "Whether it is the one that asks."})


class TwoFactorSchema(Schema):
    enabled = fields.Boolean()
    methods = fields.List(fields.String(), metadata={"description": "What is on, of `totp`, `sms` and `mail`."})
    possible = fields.List(
        fields.String(),
        metadata={"description": "What could be turned on by /me/two-factor/<method>, of the latter two."},
    )
    recovery_codes_left = fields.Integer()


class SetUpSchema(Schema):
    secret = fields.String(metadata={"description": "Base32; for apps that read no QR code."})
    address = fields.String(metadata={"description": "The otpauth:// address, for a QR code."})


class CodeBody(Schema):
    code = fields.String(required=True, load_only=True, metadata={"example": "123456"})


class RecoveryCodesSchema(Schema):
    recovery_codes = fields.List(fields.String(), metadata={"description": "Shown this once; each is good once."})


@rest.get("/me/sessions", signed_in=True)
@rest.response(200, SessionSchema(many=True))
def list_my_sessions(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Where you are signed in, the newest first."""
    names = ("id", "kind", "ip", "device", "created_at", "expires_at")
    return [
        {**{name: getattr(row, name) for name in names}, "current": row.id == actor.session_id}
        for row in sessions.living(session, _me(actor))
    ]


@rest.delete("/me/sessions/<uuid:key>", signed_in=True)
@rest.response(204)
def end_my_session(session: Session, actor: Actor, key: UUID) -> Response:
    """End one of your sessions at once, with its cookie and tokens."""
    sessions.revoke_own(session, _me(actor), key)
    return Response(status=204)


@rest.delete("/me/sessions", signed_in=True)
@rest.response(204)
def end_my_other_sessions(session: Session, actor: Actor) -> Response:
    """End all your sessions but the one that asks."""
    sessions.revoke_all(session, _me(actor), but=actor.session_id)
    return Response(status=204)


@rest.get("/me/two-factor", signed_in=True)
@without_two_factor
@rest.response(200, TwoFactorSchema)
def my_two_factor(session: Session, actor: Actor) -> dict[str, Any]:
    """Whether two-factor sign-in is on."""
    methods = factors.of(session, _me(actor))
    return {
        "enabled": bool(methods),
        "methods": methods,
        "possible": factors.possible(session, session.get_one(Member, _me(actor))),
        "recovery_codes_left": two_factor.recovery_codes_left(session, _me(actor)),
    }


@rest.post("/me/two-factor", signed_in=True, step_up=True)
@without_two_factor
@rest.response(200, SetUpSchema)
def begin_two_factor(session: Session, actor: Actor) -> two_factor.SetUp:
    """Begin to set up two-factor sign-in: put this secret into an app for codes, then send its first code."""
    return two_factor.begin(session, _me(actor))


@rest.post("/me/two-factor/enable", signed_in=True, step_up=True)
@without_two_factor
@rest.arguments(CodeBody)
@rest.response(200, RecoveryCodesSchema)
def enable_two_factor(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Turn two-factor sign-in on with the app's first code; all your other sessions end.

    There are no new recovery codes where you have some, of another second factor.
    """
    return {"recovery_codes": two_factor.enable(session, actor, _me(actor), body["code"])}


@rest.post("/me/two-factor/recovery-codes", signed_in=True, step_up=True)
@rest.response(200, RecoveryCodesSchema)
def renew_recovery_codes(session: Session, actor: Actor) -> dict[str, Any]:
    """Make new recovery codes; the old ones are void."""
    return {"recovery_codes": two_factor.renew_recovery_codes(session, actor, _me(actor))}


@rest.delete("/me/two-factor", signed_in=True, step_up=True)
@rest.response(204)
def disable_two_factor(session: Session, actor: Actor) -> Response:
    """Turn two-factor sign-in off, whatever the second factors are."""
    two_factor.disable(session, actor, _me(actor))
    return Response(status=204)


def _me(actor: Actor) -> UUID:
    actor.require_session()  # what is here is a person's own affair, and no key's
    assert actor.member_id is not None
    return actor.member_id
