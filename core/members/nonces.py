"""Numbers that a wallet signs once: issued signed and kept nowhere, a row when they are spent.

Asking for one costs the database nothing, so strangers may ask as often as the limits let them. A number is good for
one purpose and one subject; which of several that spend it at once is the first, the table decides.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.members.models import SpentNonce

LIFETIME = timedelta(minutes=5)
_HEAD, _SEAL = 5 + 10, 20


def issue(session: Session, purpose: str, subject: str) -> str:
    """A new number of 56 letters and digits, good for five minutes."""
    head = int((now() + LIFETIME).timestamp()).to_bytes(5, "big") + secrets.token_bytes(10)
    return base64.b32encode(head + _seal(session, purpose, subject, head)).decode().lower()


def spend(session: Session, purpose: str, subject: str, nonce: str) -> bool:
    """Use up a number; false for one that was not issued for this, has expired, or was spent before."""
    try:
        raw = base64.b32decode(nonce.encode("ascii"), casefold=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    head, expires = raw[:_HEAD], int.from_bytes(raw[:5], "big")
    if len(raw) != _HEAD + _SEAL or not hmac.compare_digest(_seal(session, purpose, subject, head), raw[_HEAD:]):
        return False
    at = now()
    if expires <= at.timestamp():
        return False
    row = {"nonce_hash": hashlib.sha256(raw).digest(), "expires_at": at + LIFETIME}
    statement = insert(SpentNonce).values(row).on_conflict_do_nothing().returning(SpentNonce.nonce_hash)
    spent = session.scalar(statement)
    old = select(SpentNonce.nonce_hash).where(SpentNonce.expires_at < at).limit(20).with_for_update(skip_locked=True)
    session.execute(delete(SpentNonce).where(SpentNonce.nonce_hash.in_(old)))
    return spent is not None


def _seal(session: Session, purpose: str, subject: str, head: bytes) -> bytes:
    secret: str = session.info["config"].secret_key
    message = f"guildhall:nonce|{purpose}|{subject}|".encode() + head
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()[:_SEAL]
