"""Signing in, and proving who one is, by a code that is sent: by mail, or by text message to a proved number.

Who asks for the code of an address or a number that nobody has is answered the same. How codes are made and used up is
in ``one_time``.
"""

from __future__ import annotations

from typing import NoReturn
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.errors import Conflict, Unauthenticated
from core.events.publish import publish
from core.i18n import _
from core.members import factors, one_time, phones, service, sessions, throttle, two_factor
from core.members.email import folded, is_same
from core.members.events import SignInFailed
from core.members.models import Member
from core.members.one_time import Asked, Channel, CodeUnusable, TooManyMessages, one_time_code
from core.platform_settings import PlatformSettings
from core.settings import read


class CodesOff(Conflict):
    code = "CODES_OFF"
    sentence = _("No codes are sent here. Sign in with your password.")


def offered(session: Session) -> bool:
    """Whether codes are mailed here to sign in with: the setting says so, and there is a mail server."""
    return factors.mails(session) and read(session, PlatformSettings).mail_codes


def texts_offered(session: Session) -> bool:
    """Whether a code by text message signs in here: the setting says so, and a plugin sends them."""
    return phones.offered(session) and read(session, PlatformSettings).sms_sign_in


def ask(session: Session, actor: Actor, *, email: str) -> Asked:
    """Ask for a code to sign in with. Raises CodesOff, TooManyAttempts; nothing tells whether the address is known."""
    if not offered(session):
        raise CodesOff()
    name = folded(email)
    throttle.attempt(session, f"mail:{name}", ip=actor.ip).failed()
    member = session.scalar(select(Member).where(is_same(Member.email, email)))
    return one_time.make(session, actor, "sign_in", "mail", _able(member), name)


def ask_by_text(session: Session, actor: Actor, *, number: str) -> Asked:
    """Ask for a code by text message to sign in with; as ``ask``. Raises Invalid for what is no number, too."""
    if not texts_offered(session):
        raise CodesOff()
    e164 = phones.parsed(number)
    throttle.attempt(session, f"sms:{e164}", ip=actor.ip).failed()
    found = phones.owner(session, e164)
    member = _able(session.get(Member, found[0])) if found else None
    phone_id = found[1] if found and member else None
    try:
        return one_time.make(session, actor, "sign_in", "sms", member, e164, phone_id)
    except TooManyMessages:
        return one_time.make(session, actor, "sign_in", "sms", None, e164)


def _able(member: Member | None) -> Member | None:
    """The member if they may sign in; the others are sent nothing."""
    return member if member is not None and member.status == "active" and member.user_id is not None else None


def ask_own(session: Session, actor: Actor, channel: Channel = "mail") -> Asked:
    """Ask for a code that proves again who one is. Raises CodesOff, TooManyAttempts, TooManyMessages, Unauthenticated.

    A member without an e-mail address, or without a proved number, gets none: CodesOff.
    """
    actor.require_own()
    member = session.get(Member, actor.member_id)
    if member is None or actor.session_id is None:
        raise Unauthenticated()
    if channel not in own_channels(session, member):
        raise CodesOff()
    return factors.send(session, actor, "step_up", channel, member)


def own_channels(session: Session, member: Member) -> list[Channel]:
    """By which ways a code can prove again who this member is."""
    found: list[Channel] = []
    if member.email and offered(session):
        found.append("mail")
    if phones.offered(session) and phones.of_member(session, member.id)[0]:
        found.append("sms")
    return found


def sign_in(session: Session, actor: Actor, *, code_id: UUID, code: str) -> tuple[Member, Channel]:
    """The member whose code this is, and how it came. A second factor is the caller's to ask for.

    A mailed code has proved the address. Raises CodeUnusable, which keeps the failure that it counted;
    TooManyAttempts; MemberSuspended.
    """
    member_id, channel = _take(session, actor, "sign_in", code_id, code)
    member = session.get_one(Member, member_id)
    if member.status != "active":
        raise service.MemberSuspended(status=member.status)
    if channel == "mail":
        service.mark_verified(session, actor, member)
    member.last_login_at = now()
    return member, channel


def step_up(
    session: Session,
    actor: Actor,
    *,
    code_id: UUID,
    mailed_code: str,
    code: str = "",
    factor_code_id: UUID | None = None,
) -> None:
    """Prove again who one is by a code that was sent and, where it is on, the second factor, which is another one.

    Raises what ``sign_in`` and ``two_factor.check`` raise.
    """
    actor.require_own()
    if actor.member_id is None or actor.session_id is None:
        raise Unauthenticated()
    _member_id, channel = _take(session, actor, "step_up", code_id, mailed_code, actor.member_id)
    if two_factor.is_on(session, actor.member_id):
        two_factor.check(session, actor, actor.member_id, code, code_id=factor_code_id, besides=channel)
    sessions.step_up(session, actor.session_id)


def _take(
    session: Session,
    actor: Actor,
    purpose: one_time.Purpose,
    code_id: UUID,
    code: str,
    member_id: UUID | None = None,
) -> tuple[UUID, Channel]:
    """Use a code up; returns its member, who must be ``member_id`` where that is given, and how it came."""
    attempt = throttle.attempt(session, one_time.account_of(session, code_id), ip=actor.ip)
    taken = one_time.take(session, purpose, code_id, code, member_id=member_id)
    if taken is None or taken.member_id is None:
        _refuse(session, actor, attempt, one_time.member_of(session, purpose, code_id))
    attempt.succeeded()
    channel: Channel = "sms" if taken.channel == "sms" else "mail"
    return taken.member_id, channel


def _refuse(session: Session, actor: Actor, attempt: throttle.Attempt, member_id: UUID | None) -> NoReturn:
    attempt.failed()
    publish(session, actor, SignInFailed(member_id=member_id, factor="code"))
    raise CodeUnusable()


__all__ = [
    "Asked",
    "CodeUnusable",
    "CodesOff",
    "ask",
    "ask_by_text",
    "ask_own",
    "offered",
    "one_time_code",
    "own_channels",
    "sign_in",
    "step_up",
    "texts_offered",
]
