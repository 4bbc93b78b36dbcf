"""One's phone number for clients, and codes that are sent as a second factor."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import NotFound
from core.gateway.request import without_two_factor
from core.members import factors, one_time, phones, two_factor
from core.rest import fields
from core.rest.auth import CodeAskedSchema, rest
from core.rest.codes import MailedCodeBody
from core.rest.me import RecoveryCodesSchema
from core.rest.schema import Schema


class PhoneSchema(Schema):
    number = fields.String(allow_none=True, metadata={"description": "Confirmed, in E.164.", "example": "+33612345678"})
    verified_at = fields.Instant(allow_none=True)
    waiting = fields.String(allow_none=True, metadata={"description": "A number that waits for its code."})


class PhoneBody(Schema):
    number = fields.String(
        required=True,
        validate=validate.Length(max=40),
        metadata={"description": "With its country code.", "example": "+33 6 12 34 56 78"},
    )


class MethodBody(Schema):
    method = fields.String(required=True, validate=validate.OneOf(("sms", "mail")))


@rest.get("/me/phone", signed_in=True)
@without_two_factor
@rest.response(200, PhoneSchema)
def my_phone(session: Session, actor: Actor) -> dict[str, Any]:
    """Your phone number, and one that waits for its code."""
    return _phone(session, _me(actor))


@rest.post("/me/phone", signed_in=True, step_up=True)
@without_two_factor
@rest.arguments(PhoneBody)
@rest.response(200, CodeAskedSchema)
def give_my_phone(session: Session, actor: Actor, body: dict[str, Any]) -> one_time.Asked:
    """Give a phone number; a code is sent to it, for /me/phone/verify. The one before stays until then."""
    _me(actor)
    return phones.give(session, actor, body["number"])


@rest.post("/me/phone/code", signed_in=True, step_up=True)
@without_two_factor
@rest.response(200, CodeAskedSchema)
def send_my_phone_another_code(session: Session, actor: Actor) -> one_time.Asked:
    """Have another code sent to the number that waits."""
    _me(actor)
    return phones.ask_again(session, actor)


@rest.post("/me/phone/verify", signed_in=True, step_up=True)
@without_two_factor
@rest.arguments(MailedCodeBody)
@rest.response(200, PhoneSchema)
def verify_my_phone(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Confirm the number that waits, by the code of the text message."""
    phones.verify(session, actor, **body)
    return _phone(session, _me(actor))


@rest.delete("/me/phone", signed_in=True, step_up=True)
@without_two_factor
@rest.response(204)
def remove_my_phone(session: Session, actor: Actor) -> Response:
    """Remove your phone number. Turn codes by text message off first, where they are your second factor."""
    _me(actor)
    phones.remove(session, actor)
    return Response(status=204)


@rest.post("/me/two-factor/code", signed_in=True)
@without_two_factor
@rest.arguments(MethodBody)
@rest.response(200, CodeAskedSchema)
def send_my_second_factor(session: Session, actor: Actor, body: dict[str, Any]) -> one_time.Asked:
    """Have a code sent that is the second factor of /auth/step-up."""
    actor.require_own()
    return factors.send_second(session, actor, _me(actor), body["method"])


@rest.post("/me/two-factor/<method>/code", signed_in=True, step_up=True)
@without_two_factor
@rest.response(200, CodeAskedSchema)
def begin_my_second_factor(session: Session, actor: Actor, method: str) -> one_time.Asked:
    """Begin to use codes that are sent by `sms` or `mail` as a second factor: the first one is on its way."""
    return factors.begin(session, actor, _me(actor), _sent(method))


@rest.post("/me/two-factor/<method>/enable", signed_in=True, step_up=True)
@without_two_factor
@rest.arguments(MailedCodeBody)
@rest.response(200, RecoveryCodesSchema)
def enable_my_second_factor(session: Session, actor: Actor, body: dict[str, Any], method: str) -> dict[str, Any]:
    """Turn it on with that code; all your other sessions end. Only the first second factor brings recovery codes."""
    return {"recovery_codes": two_factor.enable_sent(session, actor, _me(actor), _sent(method), **body)}


@rest.delete("/me/two-factor/<method>", signed_in=True, step_up=True)
@rest.response(204)
def disable_my_second_factor(session: Session, actor: Actor, method: str) -> Response:
    """Turn one second factor off: `totp`, `sms` or `mail`. The recovery codes go with the last one."""
    kind = next((one for one in factors.KINDS if one == method), None)
    if kind is None:
        raise NotFound()
    two_factor.turn_off(session, actor, _me(actor), kind)
    return Response(status=204)


def _phone(session: Session, member_id: UUID) -> dict[str, Any]:
    proved, waiting = phones.of_member(session, member_id)
    return {
        "number": proved and proved.e164,
        "verified_at": proved and proved.verified_at,
        "waiting": waiting and waiting.e164,
    }


def _sent(method: str) -> Literal["sms", "mail"]:
    if method == "sms":
        return "sms"
    if method == "mail":
        return "mail"
    raise NotFound()


def _me(actor: Actor) -> UUID:
    actor.require_session()
    assert actor.member_id is not None
    return actor.member_id
