"""The keys that sign access tokens: ES256, kept sealed, known by their ``kid``, published as JWKS (RFC 7517).

After a rotation the old key signs nothing more, and is accepted until the last token it signed has expired.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.members.models import SigningKey

ALGORITHM = "ES256"
# As long as an access token lives, and a little more for processes that have not seen the rotation yet.
ACCEPTED_AFTER = timedelta(minutes=16)


@dataclass(frozen=True, eq=False)
class Key:
    """One key, opened. ``private`` signs, ``public`` checks. Equal only to itself, so that it can be looked up by."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    retired_at: datetime | None

    @cached_property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()

    @property
    def accepted(self) -> bool:
        return self.retired_at is None or self.retired_at + ACCEPTED_AFTER > now()


def current(session: Session) -> Key:
    """The key that signs now; the first one is made when it is first needed."""
    for key in _known(session):
        if key.retired_at is None:
            return key
    locks.advisory(session, "core.members.signing_key")
    if not any(key.retired_at is None for key in _stored(session)):
        _make(session)
    return next(key for key in _stored(session) if key.retired_at is None)


def accepted(session: Session, kid: str) -> Key | None:
    """The key called ``kid``, while tokens signed by it are accepted."""
    found = next((key for key in _known(session) if key.kid == kid), None)
    if found is None:  # made by another process a moment ago
        found = next((key for key in _stored(session, kid)), None)
    return found if found is not None and found.accepted else None


def jwks(session: Session) -> dict[str, Any]:
    """The public keys by which others can check our access tokens."""
    current(session)
    shown = [key for key in _stored(session) if key.accepted]
    return {
        "keys": [
            {**ECAlgorithm.to_jwk(key.public, as_dict=True), "kid": key.kid, "alg": ALGORITHM, "use": "sig"}
            for key in shown
        ]
    }


def rotate(session: Session, actor: Actor) -> str:
    """Sign with a new key from now on; returns its ``kid``. Every process follows within a second. Audited."""
    locks.advisory(session, "core.members.signing_key")
    session.execute(update(SigningKey).where(SigningKey.retired_at.is_(None)).values(retired_at=now()))
    kid = _make(session)
    record(session, actor, "core.signing_key.rotated", subject_type="core.signing_key", subject_id=kid)
    return kid


def _make(session: Session) -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    row = SigningKey(kid=secrets.token_urlsafe(12), private_key=pem.decode())
    session.add(row)
    session.flush()
    generation.advance(session)
    return row.kid


def _known(session: Session) -> list[Key]:
    keys: list[Key] | None = generation.cached(session, "signing_keys")
    if keys is None:
        keys = _stored(session)
        generation.keep(session, "signing_keys", keys)
    return keys


def _stored(session: Session, kid: str | None = None) -> list[Key]:
    query = select(SigningKey.kid, SigningKey.private_key, SigningKey.retired_at).order_by(SigningKey.created_at.desc())
    if kid is not None:
        query = query.where(SigningKey.kid == kid[:40])
    return [Key(row.kid, _open(row.private_key), row.retired_at) for row in session.execute(query.limit(5))]


def _open(pem: str) -> ec.EllipticCurvePrivateKey:
    private = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private
