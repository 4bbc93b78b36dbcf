"""The second step of signing in: codes of an app, codes that are sent, recovery codes for the day those are lost."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any, Literal, NoReturn
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import Conflict, Forbidden, NotFound
from core.events.publish import publish
from core.i18n import _
from core.members import factors, one_time, sessions, signed, throttle, totp
from core.members.events import CredentialChanged, SignInFailed
from core.members.factors import Kind
from core.members.models import Member, RecoveryCode, TwoFactor
from core.members.one_time import Channel

RECOVERY_CODES = 10
ISSUER = "Guildhall"
CHALLENGES: dict[str, signed.Purpose] = {
    "": "second-factor",
    "mail": "second-factor-after-mail",
    "sms": "second-factor-after-sms",
}


class CodeRefused(Forbidden):
    code = "INVALID_CODE"
    status = 401
    keeps = True
    sentence = _("The code is wrong or was used before. Give the newest one, or a recovery code.")


class AlreadyOn(Conflict):
    code = "TWO_FACTOR_ON"
    sentence = _("Two-factor sign-in is on already.")


class NotSetUp(Conflict):
    code = "TWO_FACTOR_OFF"
    sentence = _("Two-factor sign-in is not on, and its set-up has not begun.")


@dataclass(frozen=True)
class SetUp:
    """What an app needs; shown to the member alone."""

    secret: str
    address: str


def is_on(session: Session, member_id: UUID) -> bool:
    """Whether signing in takes a code besides the password."""
    return bool(factors.of(session, member_id))


def challenge(session: Session, member_id: UUID, besides: str = "") -> str:
    """The token between the first proof and the second step; ``besides`` is the kind of code that was the first."""
    return signed.make(session, CHALLENGES[besides], member_id)


def challenged(session: Session, token: str) -> tuple[UUID, str]:
    """Who stands at the second step, and ``besides`` as ``challenge`` was given it. Raises TokenUnusable."""
    for besides, purpose in CHALLENGES.items():
        try:
            return signed.read(session, purpose, token), besides
        except signed.TokenUnusable:
            continue
    raise signed.TokenUnusable()


def recovery_codes_left(session: Session, member_id: UUID) -> int:
    query = select(func.count()).where(RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def begin(session: Session, member_id: UUID) -> SetUp:
    """Begin the set-up, or show again one that waits for its first code. Raises AlreadyOn."""
    locks.members(session, [member_id])
    member = session.get_one(Member, member_id)
    row = session.get(TwoFactor, member_id)
    if row is not None and row.enabled_at is not None:
        raise AlreadyOn()
    if row is None:
        row = TwoFactor(member_id=member_id, totp_secret=totp.new_secret())
        session.add(row)
        session.flush()
    return SetUp(row.totp_secret, totp.address(row.totp_secret, ISSUER, member.email or member.display_name))


def enable(session: Session, actor: Actor, member_id: UUID, code: str) -> list[str]:
    """End the set-up with the first code; returns new recovery codes, which are kept nowhere. Audited.

    None where the member has some already, of another second factor. Every other session of the member ends. Raises
    CodeRefused, TooManyAttempts, AlreadyOn, NotSetUp, WhileImpersonating.
    """
    actor.require_own()
    locks.members(session, [member_id])
    row = session.get(TwoFactor, member_id)
    if row is None:
        raise NotSetUp()
    if row.enabled_at is not None:
        raise AlreadyOn()
    attempt = _attempt(session, actor, member_id)
    step = totp.matching_step(row.totp_secret, _plain(code), now())
    if step is None:
        _refuse(session, actor, attempt, member_id)
    attempt.succeeded()
    row.enabled_at, row.last_step = now(), step
    sessions.revoke_all(session, member_id, but=actor.session_id)
    changes = {"kind": [None, "totp"]}
    about = "core.member.two_factor_enabled"
    record(session, actor, about, subject_type="core.member", subject_id=member_id, changes=changes)
    return _recovery_codes(session, member_id)


def enable_sent(
    session: Session, actor: Actor, member_id: UUID, channel: Channel, *, code_id: UUID, code: str
) -> list[str]:
    """Turn codes that are sent on as a second factor, by the code of ``factors.begin``; as ``enable``.

    Raises what ``factors.turn_on`` raises.
    """
    actor.require_own()
    factors.turn_on(session, actor, member_id, channel, code_id=code_id, code=code)
    sessions.revoke_all(session, member_id, but=actor.session_id)
    return _recovery_codes(session, member_id)


def check(
    session: Session, actor: Actor, member_id: UUID, code: str, *, code_id: UUID | None = None, besides: str = ""
) -> None:
    """Take a code of the app, one that was sent (``code_id``), or a recovery code; each is good once.

    ``besides`` is the kind of sent code that was the first proof, and is no second one. Raises CodeRefused,
    TooManyAttempts.
    """
    attempt = _attempt(session, actor, member_id)
    kinds = factors.accepted(session, member_id, besides)
    right = "totp" in kinds and _takes_totp(session, member_id, code)
    if not right and code_id is not None:
        taken = one_time.take(session, "second_factor", code_id, code, member_id=member_id, channels=kinds)
        right = taken is not None
    if not (right or _takes_recovery(session, actor, member_id, code)):
        _refuse(session, actor, attempt, member_id)
    attempt.succeeded()


def renew_recovery_codes(session: Session, actor: Actor, member_id: UUID) -> list[str]:
    """New recovery codes, kept nowhere; the old ones are void. Audited. Raises NotSetUp, WhileImpersonating."""
    actor.require_own()
    locks.members(session, [member_id])
    if not is_on(session, member_id):
        raise NotSetUp()
    record(session, actor, "core.member.recovery_codes_renewed", subject_type="core.member", subject_id=member_id)
    return _new_recovery_codes(session, member_id)


def disable(session: Session, actor: Actor, member_id: UUID, reason: str | None = None) -> None:
    """Go back to the password alone: the member's own wish after a step-up, or an admin's reset. Audited.

    Raises NotSetUp, WhileImpersonating, and NotFound for a member that is not.
    """
    actor.require_own()
    if not locks.members(session, [member_id]):
        raise NotFound()
    if not is_on(session, member_id):
        raise NotSetUp()
    session.execute(delete(RecoveryCode).where(RecoveryCode.member_id == member_id))
    session.execute(delete(TwoFactor).where(TwoFactor.member_id == member_id))
    factors.forget(session, member_id)
    change: Literal["two_factor_disabled", "two_factor_reset"]
    change = "two_factor_disabled" if actor.member_id == member_id else "two_factor_reset"
    about: dict[str, Any] = {"subject_type": "core.member", "subject_id": member_id}
    record(session, actor, f"core.member.{change}", reason=reason, **about)
    publish(session, actor, CredentialChanged(member_id=member_id, change=change))


def turn_off(session: Session, actor: Actor, member_id: UUID, kind: Kind) -> None:
    """Turn one of one's own second factors off; with the last one it is as ``disable``. Audited.

    Raises NotSetUp, WhileImpersonating.
    """
    actor.require_own()
    locks.members(session, [member_id])
    on = factors.of(session, member_id)
    if kind not in on:
        raise NotSetUp()
    if on == [kind]:
        return disable(session, actor, member_id)
    if kind == "totp":
        session.execute(delete(TwoFactor).where(TwoFactor.member_id == member_id))
    else:
        factors.forget(session, member_id, kind)
    changes = {"kind": [kind, None]}
    about = "core.member.second_factor_removed"
    record(session, actor, about, subject_type="core.member", subject_id=member_id, changes=changes)
    publish(session, actor, CredentialChanged(member_id=member_id, change="second_factor_removed"))


def _takes_totp(session: Session, member_id: UUID, code: str) -> bool:
    row = session.get(TwoFactor, member_id)
    if row is None or row.enabled_at is None:
        return False
    step = totp.matching_step(row.totp_secret, _plain(code), now())
    if step is None:
        return False
    newer = or_(TwoFactor.last_step.is_(None), TwoFactor.last_step < step)
    statement = update(TwoFactor).where(TwoFactor.member_id == member_id, newer).values(last_step=step)
    return _changed(session.execute(statement))


def _takes_recovery(session: Session, actor: Actor, member_id: UUID, code: str) -> bool:
    digest = sessions.token_hash(_plain(code))
    mine = (RecoveryCode.member_id == member_id, RecoveryCode.code_hash == digest, RecoveryCode.used_at.is_(None))
    if not _changed(session.execute(update(RecoveryCode).where(*mine).values(used_at=now()))):
        return False
    record(session, actor, "core.member.recovery_code_used", subject_type="core.member", subject_id=member_id)
    return True


def _recovery_codes(session: Session, member_id: UUID) -> list[str]:
    """New recovery codes for who has none left."""
    return [] if recovery_codes_left(session, member_id) else _new_recovery_codes(session, member_id)


def _new_recovery_codes(session: Session, member_id: UUID) -> list[str]:
    """Codes of 80 random bits: too many to try, so that a plain hash of each is enough."""
    plain = [base64.b32encode(secrets.token_bytes(10)).decode() for _number in range(RECOVERY_CODES)]
    session.execute(delete(RecoveryCode).where(RecoveryCode.member_id == member_id))
    rows = [{"member_id": member_id, "code_hash": sessions.token_hash(code)} for code in plain]
    session.execute(insert(RecoveryCode), rows)
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in plain]


def _attempt(session: Session, actor: Actor, member_id: UUID) -> throttle.Attempt:
    return throttle.attempt(session, f"code:{member_id}", ip=actor.ip)


def _refuse(session: Session, actor: Actor, attempt: throttle.Attempt, member_id: UUID) -> NoReturn:
    attempt.failed()
    publish(session, actor, SignInFailed(member_id=member_id, factor="code"))
    raise CodeRefused()


def _plain(code: str) -> str:
    """A code as it is kept: people write blanks, dashes and small letters."""
    return "".join(code.split()).replace("-", "").upper()


def _changed(result: object) -> bool:
    return isinstance(result, CursorResult) and result.rowcount == 1
