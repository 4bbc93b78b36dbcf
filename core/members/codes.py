"""One-time codes by mail: a way in for who has no password at hand, and a fresh proof of who one is.

A code follows from the row that was asked for and the secret key. It is made when the mail is sent, is the same
however often the mail is tried, and is kept nowhere: neither table, event nor job holds what opens an account. It is
good for ten minutes, five tries and once. Who asks for the code of an address that nobody has is answered the same.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NoReturn
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.errors import Conflict, Forbidden, Unauthenticated
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members import service, sessions, throttle, two_factor
from core.members.events import OneTimeCodeRequested, SignInFailed
from core.members.models import Member, OneTimeCode
from core.platform_settings import PlatformSettings
from core.settings import read

Purpose = Literal["sign_in", "step_up"]
LIFETIME = timedelta(minutes=10)
TRIES, DIGITS = 5, 8
STALE = timedelta(hours=1)


class CodesOff(Conflict):
    code = "CODES_OFF"
    sentence = _("No codes are mailed here. Sign in with your password.")


class CodeUnusable(Forbidden):
    """Wrong, used, expired, tried too often, or never given: nobody is told which."""

    code = "CODE_UNUSABLE"
    status = 401
    keeps = True
    sentence = _("The code is wrong, was used before, or has expired. Look again, or ask for a new one.")


@dataclass(frozen=True)
class Asked:
    """A code that is on its way, if there is somebody to send it to; ``expires_in`` in seconds."""

    code_id: UUID
    expires_in: int = int(LIFETIME.total_seconds())


def offered(session: Session) -> bool:
    """Whether codes are mailed here: the setting says so, and there is a mail server."""
    return bool(session.info["config"].smtp_url) and read(session, PlatformSettings).mail_codes


def ask(session: Session, actor: Actor, *, email: str) -> Asked:
    """Ask for a code to sign in with. Raises CodesOff, TooManyAttempts; nothing tells whether the address is known."""
    if not offered(session):
        raise CodesOff()
    name = email.strip().lower()
    throttle.attempt(session, f"mail:{name}", ip=actor.ip).failed()
    member = session.scalar(select(Member).where(func.lower(Member.email) == name))
    if member is not None and (member.status != "active" or member.user_id is None):
        member = None
    return _make(session, actor, "sign_in", member, name)


def ask_own(session: Session, actor: Actor) -> Asked:
    """Ask for a code that proves again who one is. Raises CodesOff, TooManyAttempts, Unauthenticated.

    A member without an e-mail address gets none: CodesOff.
    """
    actor.require_own()
    member = session.get(Member, actor.member_id)
    if member is None or actor.session_id is None:
        raise Unauthenticated()
    if not offered(session) or not member.email:
        raise CodesOff()
    name = member.email.lower()
    throttle.attempt(session, f"mail:{name}", ip=actor.ip).failed()
    return _make(session, actor, "step_up", member, name)


def sign_in(session: Session, actor: Actor, *, code_id: UUID, code: str) -> Member:
    """The member whose code this is; the mail has proved the address. A second factor is the caller's to ask for.

    Raises CodeUnusable, which keeps the failure that it counted; TooManyAttempts; MemberSuspended.
    """
    member = session.get_one(Member, _take(session, actor, "sign_in", code_id, code))
    if member.status != "active":
        raise service.MemberSuspended(status=member.status)
    service.mark_verified(session, actor, member)
    member.last_login_at = now()
    return member


def step_up(session: Session, actor: Actor, *, code_id: UUID, mailed_code: str, code: str = "") -> None:
    """Prove again who one is by a mailed code and, where it is on, the second factor.

    Raises what ``sign_in`` and ``two_factor.check`` raise.
    """
    actor.require_own()
    if actor.member_id is None or actor.session_id is None:
        raise Unauthenticated()
    _take(session, actor, "step_up", code_id, mailed_code, actor.member_id)
    if two_factor.is_on(session, actor.member_id):
        two_factor.check(session, actor, actor.member_id, code)
    sessions.step_up(session, actor.session_id)


def one_time_code(session: Session, code_id: UUID) -> str:
    """The eight digits to mail. Make them when the mail is sent and keep them nowhere.

    Raises CodeUnusable when they would come too late: used, expired, or the member is suspended.
    """
    query = select(OneTimeCode.id).join(Member, Member.id == OneTimeCode.member_id)
    query = query.where(OneTimeCode.id == code_id, OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > now())
    if session.scalar(query.where(Member.status == "active")) is None:
        raise CodeUnusable()
    return _digits(session, code_id)


def _make(session: Session, actor: Actor, purpose: Purpose, member: Member | None, name: str) -> Asked:
    at = now()
    row = OneTimeCode(
        id=new_id(),
        member_id=member.id if member else None,
        purpose=purpose,
        account=_keyed(session, "account", name.encode("utf-8", "replace")),
        expires_at=at + LIFETIME,
    )
    session.add(row)
    session.flush()
    old = select(OneTimeCode.id).where(OneTimeCode.expires_at < at - STALE).limit(20)
    session.execute(delete(OneTimeCode).where(OneTimeCode.id.in_(old.with_for_update(skip_locked=True))))
    if member is not None:
        publish(session, actor, OneTimeCodeRequested(member_id=member.id, code_id=row.id))
    return Asked(row.id)


def _take(
    session: Session, actor: Actor, purpose: Purpose, code_id: UUID, code: str, member_id: UUID | None = None
) -> UUID:
    """Use a code up; returns its member, who must be ``member_id`` where that is given.

    Failures are counted by the account that was typed, so that asking for a new code gives no further tries.
    """
    account = session.scalar(select(OneTimeCode.account).where(OneTimeCode.id == code_id))
    attempt = throttle.attempt(session, f"mailed:{account.hex() if account else code_id}", ip=actor.ip)
    at, table = now(), OneTimeCode
    living = (table.id == code_id, table.purpose == purpose, table.used_at.is_(None), table.expires_at > at)
    statement = update(table).where(*living, table.tries < TRIES).values(tries=table.tries + 1)
    found = session.execute(statement.returning(table.member_id)).first()  # whoever else tries it waits for us here
    given = "".join(code.split()).replace("-", "").encode("utf-8", "replace")
    right = hmac.compare_digest(_digits(session, code_id).encode(), given)
    owner = found[0] if found is not None else None
    if not right or owner is None or member_id not in (None, owner):
        _refuse(session, actor, attempt, owner)
    session.execute(update(table).where(table.id == code_id).values(used_at=at))
    attempt.succeeded()
    return UUID(str(owner))


def _refuse(session: Session, actor: Actor, attempt: throttle.Attempt, member_id: UUID | None) -> NoReturn:
    attempt.failed()
    publish(session, actor, SignInFailed(member_id=member_id, factor="code"))
    raise CodeUnusable()


def _digits(session: Session, code_id: UUID) -> str:
    number = int.from_bytes(_keyed(session, "digits", code_id.bytes)[:16], "big")
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _keyed(session: Session, what: str, message: bytes) -> bytes:
    secret: str = session.info["config"].secret_key
    return hmac.new(secret.encode(), f"guildhall:code:{what}|".encode() + message, hashlib.sha256).digest()
