"""Members for admins: suspension, sessions, roles, two-factor; and who acted as whom."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import validate
from sqlalchemy.orm import Session

from core import access, roles
from core.actor import Actor
from core.errors import NotFound
from core.members import accounts, impersonation, sessions, standing
from core.members.models import STATUSES, Member
from core.rest import fields
from core.rest.auth import rest
from core.rest.me import SessionSchema
from core.rest.schema import Schema


class MemberReasonBody(Schema):
    reason = fields.String(
        required=True, validate=validate.Length(1, 500), metadata={"example": "Asked for it by telephone."}
    )


class MemberStatusSchema(Schema):
    id = fields.UUID()
    status = fields.String(metadata={"enum": list(STATUSES)})


class RolesBody(MemberReasonBody):
    roles = fields.List(fields.String(), required=True, metadata={"description": "These and no others."})


class RolesSchema(Schema):
    roles = fields.List(fields.String())


class ImpersonationSchema(Schema):
    id = fields.UUID()
    by_member_id = fields.UUID()
    member_id = fields.UUID()
    reason = fields.String()
    may_write = fields.Boolean()
    started_at = fields.Instant()
    expires_at = fields.Instant()
    ended_at = fields.Instant(allow_none=True)


@rest.post("/members/<uuid:key>/suspend", permission="core:member:suspend")
@rest.arguments(MemberReasonBody)
@rest.response(200, MemberStatusSchema)
def suspend_member(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Member:
    """Shut a member out: sessions, tokens and API keys end at once. The last active admin stays (`LAST_ADMIN`)."""
    return standing.suspend(session, actor, key, reason=body["reason"])


@rest.post("/members/<uuid:key>/reactivate", permission="core:member:suspend")
@rest.arguments(MemberReasonBody)
@rest.response(200, MemberStatusSchema)
def reactivate_member(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Member:
    """Let a suspended or closed member in again; they sign in anew."""
    return standing.reactivate(session, actor, key, reason=body["reason"])


@rest.post("/members/<uuid:key>/close", permission="core:member:suspend")
@rest.arguments(MemberReasonBody)
@rest.response(200, MemberStatusSchema)
def close_member(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Member:
    """Close an account: sessions, tokens and API keys end at once. The last active admin stays (`LAST_ADMIN`)."""
    return standing.close(session, actor, key, reason=body["reason"])


@rest.put("/members/<uuid:key>/roles", permission="core:role:assign")
@rest.arguments(RolesBody)
@rest.response(200, RolesSchema)
def set_member_roles(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> dict[str, Any]:
    """Give a member these roles and no others; only what one holds oneself. The last active admin stays one."""
    roles.assign(session, actor, key, body["roles"], reason=standing.reason_given(body["reason"]))
    return {"roles": access.roles_of(session, session.get_one(Member, key).user_id or 0)}


@rest.get("/members/<uuid:key>/sessions", permission="core:member:update")
@rest.response(200, SessionSchema(many=True))
def list_member_sessions(session: Session, actor: Actor, key: UUID) -> list[dict[str, Any]]:
    """Where a member is signed in, the newest first."""
    if session.get(Member, key) is None:
        raise NotFound()
    names = ("id", "kind", "ip", "device", "created_at", "expires_at")
    return [
        {**{name: getattr(row, name) for name in names}, "current": row.id == actor.session_id}
        for row in sessions.living(session, key)
    ]


@rest.delete("/members/<uuid:key>/sessions", permission="core:member:update")
@rest.response(204)
def end_member_sessions(session: Session, actor: Actor, key: UUID) -> Response:
    """End every session of a member at once, with cookies and tokens."""
    standing.end_sessions(session, actor, key)
    return Response(status=204)


@rest.delete("/members/<uuid:key>/sessions/<uuid:one>", permission="core:member:update")
@rest.response(204)
def end_member_session(session: Session, actor: Actor, key: UUID, one: UUID) -> Response:
    """End one session of a member at once."""
    standing.end_sessions(session, actor, key, only=one)
    return Response(status=204)


@rest.post("/members/<uuid:key>/reset-two-factor", permission="core:member:update")
@rest.arguments(MemberReasonBody)
@rest.response(204)
def reset_member_two_factor(session: Session, actor: Actor, body: dict[str, Any], key: UUID) -> Response:
    """Take the second factor off a member who has lost it; their sessions end."""
    standing.reset_two_factor(session, actor, key, reason=body["reason"])
    return Response(status=204)


@rest.post("/members/<uuid:key>/send-link", permission="core:member:update")
@rest.response(202)
def send_member_link(session: Session, actor: Actor, key: UUID) -> None:
    """Have a member mailed a link to a new password, or the invitation again."""
    accounts.send_way_in(session, actor, key)


@rest.get("/impersonations", permission=impersonation.PERMISSION)
@rest.response(200, ImpersonationSchema(many=True))
def list_impersonations(session: Session, actor: Actor) -> list[Any]:
    """Who acted as whom, those that go on first; the latest 200. One begins in a browser, on the member's page."""
    return [one.row for one in impersonation.listed(session)]


@rest.delete("/impersonations/<uuid:key>", permission=impersonation.PERMISSION)
@rest.response(204)
def end_impersonation(session: Session, actor: Actor, key: UUID) -> Response:
    """End an impersonation at once."""
    impersonation.end(session, actor, key)
    return Response(status=204)
