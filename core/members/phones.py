"""A member's phone number: proved by a code in a text message, sealed under the member's key, found by a keyed hash.

A new number waits beside the old one until its code was given, so that nobody loses a second factor by a typing error.
Numbers are kept in E.164. Which plugin sends text messages is nothing that the core knows: hook ``send_sms``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import hooks
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.crypto import members as member_keys
from core.crypto.errors import KeyMissing
from core.db import locks
from core.errors import Conflict, Invalid, NotFound
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members import one_time, throttle
from core.members.events import CredentialChanged, SignInFailed
from core.members.models import Member, Phone, SecondFactor
from core.platform_settings import PlatformSettings
from core.settings import read

PLACE = "core_phone.number"
# Numbers that cost whoever calls them, or that ring nowhere one reads a message.
REFUSED = {
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.UAN,
    PhoneNumberType.VOICEMAIL,
    PhoneNumberType.PAGER,
}


class TextsOff(Conflict):
    code = "TEXTS_OFF"
    sentence = _("No text messages are sent here.")


class PhoneTaken(Conflict):
    """Said to who has proved to read the number's messages, so it tells a stranger nothing."""

    code = "PHONE_TAKEN"
    sentence = _("This number belongs to another account. Remove it there first, or ask an admin.")


class PhoneKnown(Conflict):
    code = "PHONE_KNOWN"
    sentence = _("This number is confirmed already.")


class PhoneNeeded(Conflict):
    code = "PHONE_NEEDED"
    sentence = _("Your second step is a code by text message. Turn that off before you remove the number.")


class NoPhone(NotFound):
    code = "NO_PHONE"
    sentence = _("There is no phone number that waits for a code. Give the number again.")


@dataclass(frozen=True)
class Number:
    """A number as its member sees it: ``e164`` such as ``+33612345678``, ``shown`` with blanks."""

    id: UUID
    e164: str
    verified_at: datetime | None

    @property
    def shown(self) -> str:
        parsed = phonenumbers.parse(self.e164)
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    @property
    def masked(self) -> str:
        return masked(self.e164)


def offered(session: Session) -> bool:
    """Whether codes go out by text message here: the setting says so, and a plugin that is on sends them."""
    return read(session, PlatformSettings).sms_codes and hooks.implemented(session, "send_sms")


def of_member(session: Session, member_id: UUID) -> tuple[Number | None, Number | None]:
    """The number that a member has proved, and the one that waits for its code."""
    rows = session.scalars(select(Phone).where(Phone.member_id == member_id).order_by(Phone.created_at)).all()
    numbers = [_opened(session, row) for row in rows]
    proved = next((one for one in numbers if one.verified_at), None)
    return proved, next((one for one in numbers if not one.verified_at), None)


def opened(session: Session, phone_id: UUID) -> str:
    """The number of a row, in E.164. Raises NotFound."""
    row = session.get(Phone, phone_id)
    if row is None:
        raise NotFound()
    return _opened(session, row).e164


def owner(session: Session, e164: str) -> tuple[UUID, UUID] | None:
    """Who has proved this number: the member and the number's row."""
    query = select(Phone.member_id, Phone.id).where(Phone.number_hash == _hash(session, e164))
    return session.execute(query.where(Phone.verified_at.is_not(None))).tuples().first()


def parsed(given: str) -> str:
    """A number in E.164. Raises Invalid for what no text message reaches."""
    try:
        number = phonenumbers.parse(given)
    except NumberParseException:
        raise Invalid({"number": [_("Give the number with its country code, such as +33 6 12 34 56 78.")]}) from None
    if not phonenumbers.is_valid_number(number):
        raise Invalid({"number": [_("There is no such phone number. Look at the digits and the country code again.")]})
    if phonenumbers.number_type(number) in REFUSED:
        raise Invalid({"number": [_("Text messages do not reach this kind of number. Give that of a mobile phone.")]})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(e164: str) -> str:
    """Enough of a number to know it by."""
    return f"{e164[:3]} ••• {e164[-2:]}"


def give(session: Session, actor: Actor, number: str) -> one_time.Asked:
    """Note a number and have a code sent to it; a further call replaces one that waits. Audited without the number.

    Raises TextsOff, Invalid, PhoneKnown, TooManyAttempts, TooManyMessages, StepUpRequired, KeyMissing where the
    installation has no encryption keys.
    """
    member_id = _myself(actor)
    if not offered(session):
        raise TextsOff()
    e164 = parsed(number)
    locks.members(session, [member_id])
    member = session.get_one(Member, member_id)
    proved, _waiting = of_member(session, member_id)
    if proved is not None and proved.e164 == e164:
        raise PhoneKnown()
    _slow_down(session, actor, member_id, e164)
    key = member_keys.key_for(session, member_id)
    if key is None:
        raise KeyMissing(key="core.member_key")
    sealed, phone_id = member_keys.seal(key, member_id, e164, PLACE), new_id()
    session.execute(delete(Phone).where(Phone.member_id == member_id, Phone.verified_at.is_(None)))
    session.add(Phone(id=phone_id, member_id=member_id, number=sealed, number_hash=_hash(session, e164)))
    session.flush()
    record(session, actor, "core.member.phone_given", subject_type="core.member", subject_id=member_id)
    return one_time.make(session, actor, "verify_phone", "sms", member, e164, phone_id)


def ask_again(session: Session, actor: Actor) -> one_time.Asked:
    """Have another code sent to the number that waits. Raises NoPhone, and what ``give`` raises."""
    member_id = _myself(actor)
    if not offered(session):
        raise TextsOff()
    _proved, waiting = of_member(session, member_id)
    if waiting is None:
        raise NoPhone()
    _slow_down(session, actor, member_id, waiting.e164)
    member = session.get_one(Member, member_id)
    return one_time.make(session, actor, "verify_phone", "sms", member, waiting.e164, waiting.id)


def verify(session: Session, actor: Actor, *, code_id: UUID, code: str) -> Number:
    """Prove the number that waits by its code; it takes the place of the one before. Audited.

    Raises CodeUnusable, which keeps the failure that it counted; PhoneTaken; TooManyAttempts; StepUpRequired.
    """
    member_id = _myself(actor)
    attempt = throttle.attempt(session, one_time.account_of(session, code_id), ip=actor.ip)
    locks.members(session, [member_id])
    taken = one_time.take(session, "verify_phone", code_id, code, member_id=member_id)
    if taken is None:
        attempt.failed()
        publish(session, actor, SignInFailed(member_id=member_id, factor="code"))
        raise one_time.CodeUnusable()
    attempt.succeeded()
    try:
        with session.begin_nested():
            mine = (Phone.member_id == member_id, Phone.verified_at.is_not(None))
            session.execute(delete(Phone).where(*mine))
            session.execute(update(Phone).where(Phone.id == taken.phone_id).values(verified_at=now()))
    except IntegrityError:
        raise PhoneTaken() from None
    _told(session, actor, member_id, "phone_verified")
    row = session.get_one(Phone, taken.phone_id, populate_existing=True)
    return _opened(session, row)


def remove(session: Session, actor: Actor) -> None:
    """Forget the number, and one that waits. Audited. Raises NoPhone, PhoneNeeded, StepUpRequired."""
    member_id = _myself(actor)
    locks.members(session, [member_id])
    factor = select(SecondFactor.member_id).where(SecondFactor.member_id == member_id, SecondFactor.kind == "sms")
    if session.scalar(factor) is not None:
        raise PhoneNeeded()
    gone = session.execute(delete(Phone).where(Phone.member_id == member_id).returning(Phone.verified_at)).all()
    if not gone:
        raise NoPhone()
    if any(row.verified_at for row in gone):
        _told(session, actor, member_id, "phone_removed")


def _told(session: Session, actor: Actor, member_id: UUID, change: Any) -> None:
    record(session, actor, f"core.member.{change}", subject_type="core.member", subject_id=member_id)
    publish(session, actor, CredentialChanged(member_id=member_id, change=change))


def _slow_down(session: Session, actor: Actor, member_id: UUID, e164: str) -> None:
    """Nobody's phone is filled, and nobody has a bill run up: by number, and by who asks."""
    throttle.attempt(session, f"sms:{e164}", ip=actor.ip).failed()
    throttle.attempt(session, f"sms by:{member_id}").failed()


def _myself(actor: Actor) -> UUID:
    actor.require_session()
    actor.require_step_up()
    assert actor.member_id is not None
    return actor.member_id


def _opened(session: Session, row: Phone) -> Number:
    keys = member_keys.keys_of(session, [row.member_id])
    return Number(row.id, str(member_keys.opened(keys, row.number, PLACE)), row.verified_at)


def _hash(session: Session, e164: str) -> bytes:
    return one_time.keyed(session, "phone", e164.encode())
