"""Which second factors a member has, which of them count, and codes that are sent as one.

``totp`` are the codes of an app (``two_factor``), ``mail`` and ``sms`` codes that are sent. What was given as the first
proof is no second one: who signs in by a mailed code is not asked for another mailed code.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy import delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import roles
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import Conflict
from core.events.publish import publish
from core.i18n import _
from core.members import one_time, phones, throttle
from core.members.events import SignInFailed
from core.members.models import Credential, Member, SecondFactor, Wallet
from core.members.one_time import Asked, Channel
from core.platform_settings import PlatformSettings
from core.settings import read

Kind = Literal["totp", "sms", "mail"]
KINDS: tuple[Kind, ...] = ("totp", "sms", "mail")
# The kinds a member ``m`` has turned on, as a column of any query that has such an ``m``.
COLUMN = """ARRAY(SELECT 'totp' FROM core_two_factor t WHERE t.member_id = m.id AND t.enabled_at IS NOT NULL
    UNION ALL SELECT f.kind FROM core_second_factor f WHERE f.member_id = m.id)"""
_OF = text(f"SELECT {COLUMN} FROM (SELECT CAST(:id AS uuid) AS id) m")


class FactorUnusable(Conflict):
    code = "FACTOR_UNUSABLE"
    sentence = _("A code cannot be sent to you this way. Give a code of another kind, or a recovery code.")


class FactorOn(Conflict):
    code = "FACTOR_ON"
    sentence = _("Such codes are a second step of yours already.")


class FactorNotPossible(Conflict):
    """No confirmed address or number, or nothing that would send the code."""

    code = "FACTOR_NOT_POSSIBLE"
    sentence = _("Confirm your e-mail address or phone number first; codes must be able to reach you here.")


class NoFirstFactor(Conflict):
    code = "NO_FIRST_FACTOR"
    sentence = _(
        "Such a code is your only way to sign in, so that it cannot be the second step as well. Choose a password "
        "first."
    )


def mails(session: Session) -> bool:
    """Whether there is a mail server."""
    return bool(session.info["config"].smtp_url)


def of(session: Session, member_id: UUID) -> list[Kind]:
    """The second factors that a member has turned on."""
    found = set(session.scalar(_OF, {"id": member_id}) or ())
    return [kind for kind in KINDS if kind in found]


def enough_for_admins(session: Session) -> frozenset[str] | None:
    """The kinds of which admins must have one; None where they need none."""
    settings = read(session, PlatformSettings)
    rule = settings.require_admin_two_factor
    if rule == "no" or (rule == "auto" and session.info["config"].load_demo):
        return None
    return frozenset(settings.admin_second_factors.split("_"))


def accepted(session: Session, member_id: UUID, besides: str = "") -> list[Kind]:
    """The kinds that are taken from a member who has given ``besides`` as the first proof.

    Of an admin those that the settings find enough; where there is none of them the others let in, to set up one.
    """
    kinds = of(session, member_id)
    enough = enough_for_admins(session)
    if kinds and enough is not None and roles.is_admin(session, member_id):
        kinds = [kind for kind in kinds if kind in enough] or kinds
    return [kind for kind in kinds if kind != besides]


def possible(session: Session, member: Member) -> list[Channel]:
    """The kinds of sent codes that this member could turn on: something sends them, to a proved address or number."""
    found: list[Channel] = []
    if phones.offered(session) and phones.of_member(session, member.id)[0]:
        found.append("sms")
    if mails(session) and member.email and member.email_verified_at:
        found.append("mail")
    on = of(session, member.id)
    return [kind for kind in found if kind not in on]


def send(session: Session, actor: Actor, purpose: one_time.Purpose, channel: Channel, member: Member) -> Asked:
    """Have a code sent to a member who is known. Raises FactorUnusable, TooManyAttempts, TooManyMessages."""
    if channel == "mail":
        if not mails(session) or not member.email:
            raise FactorUnusable()
        _slow_down(session, actor, channel, member)
        return one_time.make(session, actor, purpose, "mail", member, member.email.lower())
    proved, _waiting = phones.of_member(session, member.id)
    if proved is None or not phones.offered(session):
        raise FactorUnusable()
    _slow_down(session, actor, channel, member)
    return one_time.make(session, actor, purpose, "sms", member, proved.e164, proved.id)


def _slow_down(session: Session, actor: Actor, channel: Channel, member: Member) -> None:
    """Counted apart from what strangers ask for with an address or a number: they keep nobody from the second step."""
    throttle.attempt(session, f"{channel} to:{member.id}", ip=actor.ip).failed()


def send_second(session: Session, actor: Actor, member_id: UUID, channel: Channel, besides: str = "") -> Asked:
    """Have a code sent that is the second step of signing in or confirming. Raises as ``send``.

    Raises FactorUnusable where such a code is no second factor of theirs, or was the first proof.
    """
    if channel not in accepted(session, member_id, besides):
        raise FactorUnusable()
    return send(session, actor, "second_factor", channel, session.get_one(Member, member_id))


def begin(session: Session, actor: Actor, member_id: UUID, channel: Channel) -> Asked:
    """Have a code sent that turns such codes on as a second factor.

    Raises FactorOn, FactorNotPossible, NoFirstFactor, StepUpRequired, TooManyAttempts, TooManyMessages.
    """
    actor.require_step_up()
    return send(session, actor, "enrol", channel, _may_turn_on(session, member_id, channel))


def turn_on(session: Session, actor: Actor, member_id: UUID, channel: Channel, *, code_id: UUID, code: str) -> None:
    """Turn it on with the code of ``begin``. Raises what ``begin`` raises, and CodeUnusable. Audited."""
    actor.require_step_up()
    attempt = throttle.attempt(session, one_time.account_of(session, code_id), ip=actor.ip)
    locks.members(session, [member_id])
    _may_turn_on(session, member_id, channel)
    if one_time.take(session, "enrol", code_id, code, member_id=member_id, channels=(channel,)) is None:
        attempt.failed()
        publish(session, actor, SignInFailed(member_id=member_id, factor="code"))
        raise one_time.CodeUnusable()
    attempt.succeeded()
    row = {"member_id": member_id, "kind": channel, "enabled_at": now()}
    session.execute(insert(SecondFactor).values(row).on_conflict_do_nothing())
    changes = {"kind": [None, channel]}
    about = "core.member.two_factor_enabled"
    record(session, actor, about, subject_type="core.member", subject_id=member_id, changes=changes)


def forget(session: Session, member_id: UUID, channel: Channel | None = None) -> None:
    """Take one kind of sent codes, or all, out of a member's second factors. Not audited."""
    gone = delete(SecondFactor).where(SecondFactor.member_id == member_id)
    session.execute(gone if channel is None else gone.where(SecondFactor.kind == channel))


def _may_turn_on(session: Session, member_id: UUID, channel: Channel) -> Member:
    member = session.get_one(Member, member_id)
    if channel in of(session, member_id):
        raise FactorOn()
    if channel not in possible(session, member):
        raise FactorNotPossible()
    if not _other_first(session, member, channel):
        raise NoFirstFactor()
    return member


def _other_first(session: Session, member: Member, channel: Channel) -> bool:
    """Whether this member signs in by something else than such a code."""
    known = select(exists().where(Credential.member_id == member.id) | exists().where(Wallet.member_id == member.id))
    mailed = channel == "sms" and bool(member.email) and mails(session) and read(session, PlatformSettings).mail_codes
    return mailed or bool(session.scalar(known))
