"""Sessions: a signed-in browser or client. The table holds only the hash of its token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from core import access, generation
from core.actor import Actor
from core.clock import now
from core.errors import NotFound, Unauthenticated
from core.ids import new_id
from core.members import factors, signals
from core.members.models import Member, MemberSession
from core.switches import service as switches

COOKIE_LIFETIME = timedelta(days=14)

_WHO = """
    SELECT s.id AS session_id, m.id AS member_id, m.display_name, m.user_id, m.email, m.locale, s.stepped_up_at,
        i.id AS impersonation, i.member_id AS other_id, i.may_write,
        {factors} AS second_factors,
        {roles} AS roles, {generation} AS generation
    FROM core_session s JOIN core_member m ON m.id = s.member_id
    LEFT JOIN core_impersonation i ON i.session_id = s.id AND i.ended_at IS NULL AND i.expires_at > :at
    WHERE {which} AND s.revoked_at IS NULL AND s.expires_at > :at AND m.status = 'active'
"""
_OTHER = text(f"""
    SELECT m.id AS member_id, m.display_name, m.user_id, m.locale,
        {access.ROLE_NAMES} AS roles
    FROM core_member m WHERE m.id = :id AND m.status = 'active' AND m.user_id IS NOT NULL
""")
IMPERSONATE, IMPERSONATE_WRITING = "core:member:impersonate", "core:member:impersonate_write"
_ALSO = {"roles": access.ROLE_NAMES, "generation": access.GENERATION, "factors": factors.COLUMN}
_BY_TOKEN = text(_WHO.format(which="s.token_hash = :token", **_ALSO))
_BY_ID = text(_WHO.format(which="s.id = :id", **_ALSO))


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
    device_key: str | None = None,
) -> tuple[MemberSession, str]:
    """Begin a session of a member who has just proved who they are; returns its row and the token, kept nowhere.

    ``device`` is what the client calls itself; ``device_key`` the number of the browser, kept as a hash alone.
    Raises SwitchedOff for who is no admin while an admin has stopped sign-in.
    """
    if "Admin" not in (access.roles_of(session, member.user_id) if member.user_id else ()):
        switches.require(session, "core.sign_in")
    token = secrets.token_urlsafe(32)
    row = MemberSession(
        id=new_id(),
        member_id=member.id,
        kind=kind,
        token_hash=token_hash(token),
        ip=ip,
        device=(device or "")[:200] or None,
        expires_at=now() + lifetime,
        stepped_up_at=now(),
    )
    session.add(row)
    session.flush()
    signals.note_seen(session, member.id, address=ip, device=device_key)
    return row, token


def actor_of(session: Session, *, token: str | None = None, session_id: UUID | None = None, **about: Any) -> Actor:
    """Who holds this session, with all permissions, or whom they act as. Raises Unauthenticated when it has ended.

    ``about`` is what is known of the request: ``ip``, ``request_id``.
    """
    if token is not None:
        found = session.execute(_BY_TOKEN, {"token": token_hash(token), "at": now()}).mappings().first()
    else:
        found = session.execute(_BY_ID, {"id": session_id, "at": now()}).mappings().first()
    if found is None:
        raise Unauthenticated()
    generation.saw(session, found["generation"] or 0)
    roles = tuple(found["roles"])
    holder = Actor(
        kind="service" if "Service" in roles else "member",
        name=found["display_name"],
        member_id=found["member_id"],
        permissions=access.granted_by(session, roles),
        roles=roles,
        session_id=found["session_id"],
        locale=found["locale"],
        stepped_up_at=found["stepped_up_at"],
        second_factors=frozenset(found["second_factors"]),
        is_admin="Admin" in roles,
        **about,
    )
    if found["impersonation"] is None:
        return holder
    return acting_as(session, holder, found["other_id"], found["impersonation"], may_write=found["may_write"]) or holder


def acting_as(
    session: Session, holder: Actor, member_id: UUID, impersonation: UUID | None, *, may_write: bool
) -> Actor | None:
    """``holder`` as another member, or None where that may not be, or no longer.

    It takes an active member with an account and the holder's permission, and none but an admin sees what goes beyond
    both the holder's own permissions and those of the role User. The language stays the holder's.
    """
    found = session.execute(_OTHER, {"id": member_id}).mappings().first()
    wanted = IMPERSONATE_WRITING if may_write else IMPERSONATE
    if found is None or member_id == holder.member_id or not holder.can(wanted):
        return None
    roles = tuple(found["roles"])
    granted = access.granted_by(session, roles)
    if not holder.is_admin and (
        "Admin" in roles or granted - holder.permissions - access.granted_by(session, ("User",))
    ):
        return None
    return replace(
        holder,
        kind="service" if "Service" in roles else "member",
        name=found["display_name"],
        member_id=found["member_id"],
        permissions=granted,
        roles=roles,
        stepped_up_at=None,
        impersonator=holder.member_id,
        impersonation=impersonation,
        read_only=not may_write,
    )


def revoke(session: Session, session_id: UUID) -> None:
    """End a session at once: its cookie, its access tokens and its refresh tokens."""
    statement = update(MemberSession).where(MemberSession.id == session_id, MemberSession.revoked_at.is_(None))
    session.execute(statement.values(revoked_at=now()))


def step_up(session: Session, session_id: UUID) -> None:
    """Note that the holder of the session has just proved again who they are."""
    session.execute(update(MemberSession).where(MemberSession.id == session_id).values(stepped_up_at=now()))


def living(session: Session, member_id: UUID) -> list[MemberSession]:
    """The sessions of a member that have not ended, the newest first."""
    query = select(MemberSession).where(MemberSession.member_id == member_id, MemberSession.revoked_at.is_(None))
    query = query.where(MemberSession.expires_at > now()).order_by(MemberSession.created_at.desc(), MemberSession.id)
    return list(session.scalars(query))


def revoke_own(session: Session, member_id: UUID, session_id: UUID) -> None:
    """End one session of this member. Raises NotFound for another's and for one that has ended."""
    if session_id not in {row.id for row in living(session, member_id)}:
        raise NotFound()
    revoke(session, session_id)


def revoke_all(session: Session, member_id: UUID, *, but: UUID | None = None) -> None:
    """End every session of a member; ``but`` names one that goes on."""
    statement = update(MemberSession).where(MemberSession.member_id == member_id, MemberSession.revoked_at.is_(None))
    if but is not None:
        statement = statement.where(MemberSession.id != but)
    session.execute(statement.values(revoked_at=now()))


def device_token(session: Session, email: str) -> str:
    """What a browser keeps to be known as one from which this person has signed in."""
    number = secrets.token_urlsafe(16)
    return f"{number}.{_device_seal(session, email, number)}"


def known_device(session: Session, email: str, token: str | None) -> str | None:
    """The browser's own name when ``token`` says that this person signed in from it, else None."""
    number, _dot, seal = (token or "").partition(".")
    good = hmac.compare_digest(_device_seal(session, email, number).encode(), seal.encode("utf-8", "replace"))
    return number if good else None


def _device_seal(session: Session, email: str, number: str) -> str:
    secret: str = session.info["config"].secret_key
    message = f"guildhall:device|{email.strip().lower()}|{number}".encode("utf-8", "replace")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
