"""Signed links: who holds one may fetch that one file until it expires, signed in or not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import now
from core.errors import NotFound
from core.files.errors import LinkExpired

SIGNATURE = 16


def token(secret_key: str, file_id: UUID, expires_at: datetime) -> str:
    """The last part of the link: file, moment, and a signature over both."""
    body = file_id.bytes + int(expires_at.timestamp()).to_bytes(6, "big")
    return base64.urlsafe_b64encode(body + _signature(secret_key, body)).decode().rstrip("=")


def read(secret_key: str, given: str) -> tuple[UUID, timedelta]:
    """The file that a token opens, and for how long yet. Raises NotFound, or LinkExpired when it was good once."""
    try:
        raw = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise NotFound() from None
    body, signature = raw[:-SIGNATURE], raw[-SIGNATURE:]
    if len(body) != 22 or not hmac.compare_digest(signature, _signature(secret_key, body)):
        raise NotFound()
    left = timedelta(seconds=int.from_bytes(body[16:], "big") - now().timestamp())
    if left <= timedelta(0):
        raise LinkExpired()
    return UUID(bytes=body[:16]), left


def _signature(secret_key: str, body: bytes) -> bytes:
    key = hashlib.sha256(b"guildhall file links\0" + secret_key.encode()).digest()
    return hmac.digest(key, body, "sha256")[:SIGNATURE]
