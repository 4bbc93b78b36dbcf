"""Sessions: a signed-in browser or client. The table holds only the hash of its token."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.clock import now
from core.errors import Unauthenticated
from core.ids import new_id
from core.members.models import Member, MemberSession

COOKIE_LIFETIME = timedelta(days=14)

_WHO = """
    SELECT s.id AS session_id, m.id AS member_id, m.display_name, m.user_id, m.email, m.locale,
        ARRAY(SELECT r.name FROM ab_user_role ur JOIN ab_role r ON r.id = ur.role_id
              WHERE ur.user_id = m.user_id ORDER BY r.name) AS roles
    FROM core_session s JOIN core_member m ON m.id = s.member_id
    WHERE {which} AND s.revoked_at IS NULL AND s.expires_at > :at AND m.status = 'active'
"""
_BY_TOKEN = text(_WHO.format(which="s.token_hash = :token"))
_BY_ID = text(_WHO.format(which="s.id = :id"))


def token_hash(token: str) -> bytes:
    """What the tables keep of a token: tokens are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()


def start(
    session: Session,
    member: Member,
    *,
    kind: str,
    ip: str | None,
    device: str | None,
    lifetime: timedelta = COOKIE_LIFETIME,
) -> tuple[MemberSession, str]:
    """Begin a session of a member; returns its row and the token, which is shown nowhere else."""
    token = secrets.token_urlsafe(32)
    row = MemberSession(
        id=new_id(),
        member_id=member.id,
        kind=kind,
        token_hash=token_hash(token),
        ip=ip,
        device=(device or "")[:200] or None,
        expires_at=now() + lifetime,
    )
    session.add(row)
    session.flush()
    return row, token


def actor_of(session: Session, *, token: str | None = None, session_id: UUID | None = None, **about: Any) -> Actor:
    """Who holds this session, with all permissions. Raises Unauthenticated when it has ended.

    ``about`` is what is known of the request: ``ip``, ``request_id``.
    """
    if token is not None:
        found = session.execute(_BY_TOKEN, {"token": token_hash(token), "at": now()}).mappings().first()
    else:
        found = session.execute(_BY_ID, {"id": session_id, "at": now()}).mappings().first()
    if found is None:
        raise Unauthenticated()
    granted = access.permissions_of(session, found["user_id"]) if found["user_id"] else frozenset()
    roles = tuple(found["roles"])
    return Actor(
        kind="service" if "Service" in roles else "member",
        name=found["display_name"],
        member_id=found["member_id"],
        permissions=granted,
        roles=roles,
        session_id=found["session_id"],
        locale=found["locale"],
        **about,
    )


def revoke(session: Session, session_id: UUID) -> None:
    """End a session at once: its cookie, its access tokens and its refresh tokens."""
    statement = update(MemberSession).where(MemberSession.id == session_id, MemberSession.revoked_at.is_(None))
    session.execute(statement.values(revoked_at=now()))


def revoke_all(session: Session, member_id: UUID) -> None:
    """End every session of a member."""
    statement = update(MemberSession).where(MemberSession.member_id == member_id, MemberSession.revoked_at.is_(None))
    session.execute(statement.values(revoked_at=now()))
