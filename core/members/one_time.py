"""Codes that are sent by mail or text message: made when they are sent, kept nowhere, good for ten minutes and once.

A code follows from the row that was asked for and the secret key, so it is the same however often the sending is
tried: neither table, event nor job holds what opens an account. Five wrong tries void it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.db import locks
from core.errors import Forbidden, Limit
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members.events import OneTimeCodeRequested, SmsCodeRequested
from core.members.models import CHANNELS, Member, OneTimeCode
from core.platform_settings import PlatformSettings
from core.settings import read

Purpose = Literal["sign_in", "step_up", "second_factor", "enrol", "verify_phone"]
Channel = Literal["mail", "sms"]
LIFETIME = timedelta(minutes=10)
TRIES, DIGITS = 5, 8
STALE = timedelta(days=1)  # as long as text messages are counted


class CodeUnusable(Forbidden):
    """Wrong, used, expired, tried too often, or never given: nobody is told which."""

    code = "CODE_UNUSABLE"
    status = 401
    keeps = True
    sentence = _("The code is wrong, was used before, or has expired. Look again, or ask for a new one.")


class TooManyMessages(Limit):
    code = "TOO_MANY_MESSAGES"
    sentence = _("You were sent {most} text messages within a day. Use another way, or try again tomorrow.")


@dataclass(frozen=True)
class Asked:
    """A code that is on its way, if there is somebody to send it to; ``expires_in`` in seconds."""

    code_id: UUID
    expires_in: int = int(LIFETIME.total_seconds())


def make(
    session: Session,
    actor: Actor,
    purpose: Purpose,
    channel: Channel,
    member: Member | None,
    account: str,
    phone_id: UUID | None = None,
) -> Asked:
    """Have a code sent to ``member``, or to nobody. ``account`` is what was typed: failures are counted by it.

    Raises TooManyMessages for a known member who was sent enough text messages within a day.
    """
    at = now()
    if channel == "sms" and member is not None:
        _within_a_day(session, member.id, purpose)
    row = OneTimeCode(
        id=new_id(),
        member_id=member.id if member else None,
        purpose=purpose,
        channel=channel,
        phone_id=phone_id,
        account=keyed(session, "account", account.encode("utf-8", "replace")),
        created_at=at,
        expires_at=at + LIFETIME,
    )
    session.add(row)
    session.flush()
    old = select(OneTimeCode.id).where(OneTimeCode.expires_at < at - STALE).limit(20)
    session.execute(delete(OneTimeCode).where(OneTimeCode.id.in_(old.with_for_update(skip_locked=True))))
    if member is not None:
        event = OneTimeCodeRequested if channel == "mail" else SmsCodeRequested
        publish(session, actor, event(member_id=member.id, code_id=row.id))
    return Asked(row.id)


def _within_a_day(session: Session, member_id: UUID, purpose: Purpose) -> None:
    """What strangers may ask for, to sign in, is counted apart, so that it keeps nobody from the second step."""
    most = read(session, PlatformSettings).sms_per_day
    locks.members(session, [member_id])
    sent = select(func.count()).where(OneTimeCode.member_id == member_id, OneTimeCode.channel == "sms")
    sent = sent.where((OneTimeCode.purpose == "sign_in") == (purpose == "sign_in"))
    if (session.scalar(sent.where(OneTimeCode.created_at > now() - timedelta(days=1))) or 0) >= most:
        raise TooManyMessages(most=most)


def take(
    session: Session,
    purpose: Purpose,
    code_id: UUID,
    code: str,
    *,
    member_id: UUID | None = None,
    channels: Collection[str] = CHANNELS,
) -> OneTimeCode | None:
    """Use a code up; None when it is no good, which counts as one of its tries.

    It must be ``member_id``'s where that is given, and have come by one of ``channels``.
    """
    at, table = now(), OneTimeCode
    living = (table.id == code_id, table.purpose == purpose, table.used_at.is_(None), table.expires_at > at)
    statement = update(table).where(*living, table.tries < TRIES).values(tries=table.tries + 1)
    found = session.execute(statement.returning(table.member_id, table.channel)).first()  # others wait for us here
    given = "".join(code.split()).replace("-", "").encode("utf-8", "replace")
    right = hmac.compare_digest(_digits(session, code_id).encode(), given)
    if not right or found is None or found.member_id is None or found.channel not in channels:
        return None
    if member_id not in (None, found.member_id):
        return None
    session.execute(update(table).where(table.id == code_id).values(used_at=at))
    return session.get_one(table, code_id, populate_existing=True)


def member_of(session: Session, purpose: Purpose, code_id: UUID) -> UUID | None:
    """Whose code of this purpose it is, if it could still be used."""
    living = (OneTimeCode.id == code_id, OneTimeCode.purpose == purpose, OneTimeCode.used_at.is_(None))
    return session.scalar(select(OneTimeCode.member_id).where(*living, OneTimeCode.expires_at > now()))


def account_of(session: Session, code_id: UUID) -> str:
    """What failures with this code are counted by: a new code gives no further tries."""
    account = session.scalar(select(OneTimeCode.account).where(OneTimeCode.id == code_id))
    return f"mailed:{account.hex() if account else code_id}"


def one_time_code(session: Session, code_id: UUID) -> str:
    """The eight digits to send. Make them when they are sent and keep them nowhere.

    Raises CodeUnusable when they would come too late: used, expired, or the member is suspended.
    """
    query = select(OneTimeCode.id).join(Member, Member.id == OneTimeCode.member_id)
    query = query.where(OneTimeCode.id == code_id, OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > now())
    if session.scalar(query.where(Member.status == "active")) is None:
        raise CodeUnusable()
    return _digits(session, code_id)


def _digits(session: Session, code_id: UUID) -> str:
    number = int.from_bytes(keyed(session, "digits", code_id.bytes)[:16], "big")
    return f"{number % 10**DIGITS:0{DIGITS}}"


def keyed(session: Session, what: str, message: bytes) -> bytes:
    """A hash under the secret key: nobody finds ``message`` by trying, not even with the tables at hand."""
    secret: str = session.info["config"].secret_key
    return hmac.new(secret.encode(), f"guildhall:code:{what}|".encode() + message, hashlib.sha256).digest()
