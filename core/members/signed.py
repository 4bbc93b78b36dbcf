"""Signed tokens for one purpose, kept nowhere: a link in a mail, the step between password and code.

A token names a member, its purpose and its end, and is signed together with the state it is to change. So using it
once makes it void, and so does anything else that changes that state.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import Forbidden
from core.i18n import _

Purpose = Literal["verify", "reset", "second-factor", "second-factor-after-mail", "second-factor-after-sms"]
LIFETIMES: dict[Purpose, timedelta] = {
    "verify": timedelta(days=3),
    "reset": timedelta(hours=1),
    "second-factor": timedelta(minutes=5),
    "second-factor-after-mail": timedelta(minutes=5),
    "second-factor-after-sms": timedelta(minutes=5),
}
_HEAD, _SIGNATURE = 16 + 6, 32
_STATE = text(
    "SELECT concat_ws('|', m.email, m.status, m.email_verified_at, c.password_hash, c.changed_at, t.enabled_at, "
    "t.last_step, (SELECT count(*) FROM core_recovery_code r WHERE r.member_id = m.id AND r.used_at IS NULL), "
    "(SELECT string_agg(f.kind || f.enabled_at, ',' ORDER BY f.kind) FROM core_second_factor f "
    "WHERE f.member_id = m.id), (SELECT max(o.used_at) FROM core_one_time_code o "
    "WHERE o.member_id = m.id AND o.purpose = 'second_factor')) "
    "FROM core_member m LEFT JOIN core_credential c ON c.member_id = m.id "
    "LEFT JOIN core_two_factor t ON t.member_id = m.id WHERE m.id = :id AND m.status = 'active'"
)


class TokenUnusable(Forbidden):
    code = "LINK_INVALID"
    sentence = _("This link was used before, or it has expired. Ask for a new one.")


def make(session: Session, purpose: Purpose, member_id: UUID) -> str:
    """A token of this purpose for a member. Raises TokenUnusable for one who is suspended or is not."""
    expires = int((now() + LIFETIMES[purpose]).timestamp())
    head = member_id.bytes + expires.to_bytes(6, "big")
    return base64.urlsafe_b64encode(head + _signature(session, purpose, member_id, head)).decode().rstrip("=")


def read(session: Session, purpose: Purpose, token: str) -> UUID:
    """The member a token of this purpose was made for. Raises TokenUnusable."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise TokenUnusable() from None
    if len(raw) != _HEAD + _SIGNATURE:
        raise TokenUnusable()
    head, member_id = raw[:_HEAD], UUID(bytes=raw[:16])
    good = hmac.compare_digest(_signature(session, purpose, member_id, head), raw[_HEAD:])
    if not good or int.from_bytes(raw[16:_HEAD], "big") <= now().timestamp():
        raise TokenUnusable()
    return member_id


def _signature(session: Session, purpose: Purpose, member_id: UUID, head: bytes) -> bytes:
    state = session.scalar(_STATE, {"id": member_id})
    if state is None:
        raise TokenUnusable()
    secret: str = session.info["config"].secret_key
    message = f"guildhall:{purpose}|{state}|".encode() + head
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
