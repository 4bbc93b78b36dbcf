"""Personal data for clients: a copy of it, and its erasure. One's own, and any member's for admins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import NotFound
from core.members.models import Member
from core.privacy import erase, export
from core.privacy.models import Erasure, Export
from core.rest import fields
from core.rest.auth import rest
from core.rest.files import LinkSchema
from core.rest.members import MemberReasonBody
from core.rest.schema import Schema


class CopySchema(Schema):
    id = fields.UUID()
    state = fields.String(metadata={"enum": ["waiting", "ready", "expired"]})
    created_at = fields.Instant()
    expires_at = fields.Instant(allow_none=True)


class ErasureSchema(Schema):
    id = fields.UUID()
    asked_at = fields.Instant()
    due_at = fields.Instant(metadata={"description": "When it happens; until then it can be withdrawn."})


class PersonalDataSchema(Schema):
    copy = fields.Nested(CopySchema, allow_none=True, metadata={"description": "The newest one."})
    erasure = fields.Nested(ErasureSchema, allow_none=True, metadata={"description": "One that waits."})
    erased = fields.Boolean()


class ErasureOrderBody(MemberReasonBody):
    typed = fields.String(
        required=True,
        validate=validate.Length(max=200),
        metadata={"example": "Ada", "description": "The member's name, as a proof that this one is meant."},
    )


@rest.get("/me/data", signed_in=True)
@rest.response(200, PersonalDataSchema)
def my_data(session: Session, actor: Actor) -> dict[str, Any]:
    """The newest copy of your data, and whether you wait to be erased."""
    return _standing(session, _me(actor))


@rest.post("/me/data/copies", signed_in=True, step_up=True)
@rest.response(202, CopySchema)
def ask_for_my_data(session: Session, actor: Actor) -> Export:
    """Ask for a copy of everything that is held about you; a worker makes it, one at a time (`EXPORT_WAITING`)."""
    return export.ask(session, actor, _me(actor))


@rest.get("/me/data/copies/<uuid:key>/url", signed_in=True, step_up=True)
@rest.response(200, LinkSchema)
def my_data_url(session: Session, actor: Actor, key: UUID) -> dict[str, str]:
    """A signed link to your copy once it is ready (`EXPORT_NOT_READY` before); it ends soon."""
    return _link(session, actor, _me(actor), key)


@rest.post("/me/data/erasure", signed_in=True, step_up=True)
@rest.response(202, ErasureSchema)
def ask_for_my_erasure(session: Session, actor: Actor) -> Erasure:
    """Ask to be erased; it happens after the days of grace. The last admin stays (`LAST_ADMIN`)."""
    _me(actor)
    return erase.ask(session, actor)


@rest.delete("/me/data/erasure", signed_in=True)
@rest.response(204)
def withdraw_my_erasure(session: Session, actor: Actor) -> Response:
    """Withdraw the wish to be erased (`ERASURE_OVER` when none waits)."""
    erase.withdraw(session, actor, _me(actor))
    return Response(status=204)


@rest.get("/members/<uuid:key>/data", permission="core:member:export")
@rest.response(200, PersonalDataSchema)
def member_data(session: Session, actor: Actor, key: UUID) -> dict[str, Any]:
    """The newest copy of a member's data, and whether they wait to be erased."""
    return _standing(session, key)


@rest.post("/members/<uuid:key>/data/copies", permission="core:member:export", step_up=True)
@rest.response(202, CopySchema)
def ask_for_member_data(session: Session, actor: Actor, key: UUID) -> Export:
    """Have a copy made of everything that is held about a member."""
    return export.ask(session, actor, key)


@rest.get("/members/<uuid:key>/data/copies/<uuid:one>/url", permission="core:member:export", step_up=True)
@rest.response(200, LinkSchema)
def member_data_url(session: Session, actor: Actor, key: UUID, one: UUID) -> dict[str, str]:
    """A signed link to the copy of a member's data once it is ready; it ends soon."""
    return _link(session, actor, key, one)


@rest.post("/members/<uuid:key>/data/erasure", permission="core:member:erase", step_up=True)
@rest.arguments(ErasureOrderBody)
@rest.response(202, ErasureSchema)
def erase_member(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Erasure:
    """Close an account at once and have a worker erase the member; nothing brings it back."""
    return erase.order(session, actor, key, reason=body["reason"], typed=body["typed"])


@rest.delete("/members/<uuid:key>/data/erasure", permission="core:member:erase")
@rest.response(204)
def withdraw_erasure(session: Session, actor: Actor, key: UUID) -> Response:
    """Withdraw an erasure that has not begun; an account that was closed stays closed."""
    erase.withdraw(session, actor, key)
    return Response(status=204)


def _standing(session: Session, member_id: UUID) -> dict[str, Any]:
    if session.get(Member, member_id) is None:
        raise NotFound()
    return {
        "copy": export.latest(session, member_id),
        "erasure": erase.waiting(session, member_id),
        "erased": erase.is_erased(session, member_id),
    }


def _link(session: Session, actor: Actor, member_id: UUID, key: UUID) -> dict[str, str]:
    row = session.get(Export, key)
    if row is None or row.member_id != member_id:
        raise NotFound()
    return {"url": export.link(session, actor, key)}


def _me(actor: Actor) -> UUID:
    actor.require_session()  # what is here is a person's own affair, and no key's
    assert actor.member_id is not None
    return actor.member_id
