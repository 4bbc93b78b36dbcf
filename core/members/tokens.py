"""Tokens for clients: a short access token (JWT) and a refresh token that is used once.

Using a refresh token a second time means that somebody copied it: the whole session ends.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from jwt.types import Options
from sqlalchemy import update
from sqlalchemy.orm import Session

from core import access, generation
from core.actor import Actor
from core.clock import now
from core.errors import Unauthenticated
from core.i18n import _
from core.ids import new_id
from core.members import sessions, signing
from core.members.models import MemberSession, RefreshToken

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
KNOWN_TOKENS = 2048  # a process remembers the latest


class TokenInvalid(Unauthenticated):
    code = "TOKEN_INVALID"
    sentence = _("The token is not valid or has expired. Sign in again.")


class TokenReused(TokenInvalid):
    """The same answer; but that the session has ended must stay."""

    keeps = True


def issue(session: Session, actor: Actor) -> dict[str, Any]:
    """An access token and a refresh token for the actor's session."""
    at, key = now(), signing.current(session)
    claims = {
        "sub": str(actor.member_id),
        "sid": str(actor.session_id),
        "role": list(actor.roles),
        "permissions": access.bundles(actor.permissions),
        "perm_version": generation.version(session),
        "iat": int(at.timestamp()),
        "exp": int((at + ACCESS_LIFETIME).timestamp()),
        "jti": str(new_id()),
    }
    refresh = secrets.token_urlsafe(32)
    session.add(RefreshToken(token_hash=sessions.token_hash(refresh), session_id=actor.session_id))
    return {
        "access_token": jwt.encode(claims, key.private, signing.ALGORITHM, headers={"kid": key.kid}),
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
    }


def session_of(session: Session, token: str) -> UUID:
    """The session an access token speaks for. Raises TokenInvalid."""
    try:
        key = signing.accepted(session, _key_of(token))
        if key is None:
            raise TokenInvalid()
        session_id, expires_at = _claims(token, key)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise TokenInvalid() from None
    if expires_at <= now().timestamp():
        raise TokenInvalid()
    return session_id


# A client shows the same token for a quarter of an hour: what it says, and whether the key signed it, never changes.
# What can change is asked each time: whether the key is still accepted, the time, and the session itself.
@lru_cache(maxsize=KNOWN_TOKENS)
def _key_of(token: str) -> str:
    """The ``kid`` that the token names."""
    kid = str(jwt.get_unverified_header(token).get("kid"))
    if not kid.isprintable():  # no key of ours, and no text that the database takes
        raise ValueError
    return kid


@lru_cache(maxsize=KNOWN_TOKENS)
def _claims(token: str, key: signing.Key) -> tuple[UUID, float]:
    """The session and the expiry (seconds since 1970) that ``key`` has signed. Raises PyJWTError, ValueError."""
    # Expiry is checked by our own clock; the clocks of two servers differ a little.
    options: Options = {"require": ["sub", "sid", "exp", "iat"], "verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key.public, [signing.ALGORITHM], options=options)
    return UUID(str(claims["sid"])), float(claims["exp"])


def rotate(session: Session, refresh: str) -> UUID | None:
    """Use a refresh token; returns its session, or None when it was used before: then the session has ended.

    Raises TokenInvalid for a token that never was. The caller then raises TokenReused, which keeps that.
    """
    digest = sessions.token_hash(refresh)
    statement = update(RefreshToken).where(RefreshToken.token_hash == digest, RefreshToken.used_at.is_(None))
    session_id: UUID | None = session.scalar(statement.values(used_at=now()).returning(RefreshToken.session_id))
    if session_id is not None:
        return session_id
    known = session.get(RefreshToken, digest)
    if known is None:
        raise TokenInvalid()
    sessions.revoke(session, known.session_id)
    return None


def extend(session: Session, session_id: UUID) -> None:
    """Let a client's session live on for another refresh lifetime."""
    statement = update(MemberSession).where(MemberSession.id == session_id)
    session.execute(statement.values(expires_at=now() + REFRESH_LIFETIME))
