"""Members: how they come to be, sign in, and are known by other names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import column, insert, literal_column, select, table, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members import passwords, sessions, signed, throttle, two_factor
from core.members.email import folded, is_same, plausible
from core.members.events import CredentialChanged, EmailVerified, MemberRegistered, SignInFailed
from core.members.models import TIERS, Credential, Identity, Member, TierChange
from core.members.signals import KINDS as KINDS
from core.members.signals import SHARED as SHARED
from core.members.signals import note_seen as note_seen
from core.members.signals import pairs_sharing as pairs_sharing
from core.members.signals import sharing as sharing
from core.members.signals import sharing_window as sharing_window

user_table = table("ab_user", *(column(c) for c in ("id", "first_name", "last_name", "username", "email", "active")))


class EmailTaken(Conflict):
    code = "EMAIL_TAKEN"
    sentence = _("There is already an account with this e-mail address.")


class SignInRefused(Forbidden):
    code = "INVALID_CREDENTIALS"
    status = 401
    keeps = True
    sentence = _("The e-mail address or the password is wrong.")


class MemberSuspended(Forbidden):
    code = "MEMBER_SUSPENDED"
    sentence = _("This account is {status}.")


@dataclass(frozen=True, kw_only=True)
class KnownAs:
    """How an outside name is shown when it first becomes a member."""

    display_name: str
    time_zone: str = "UTC"
    joined_at: datetime | None = None


def register(
    session: Session,
    actor: Actor,
    *,
    email: str | None,
    password: str | None,
    display_name: str,
    roles: Iterable[str] = ("User",),
) -> Member:
    """Create a member with an account; one without a password cannot sign in yet. Raises Invalid, EmailTaken.

    A member without ``email`` can be mailed nothing, and comes in by another way or not at all.
    """
    problems = passwords.problems(password, (email or "").strip(), display_name) if password is not None else {}
    email, display_name = check_profile(email, display_name, problems)
    if email is not None:
        locks.advisory(session, f"core.members.email:{folded(email)}")
        if session.scalar(select(Member.id).where(is_same(Member.email, email))):
            raise EmailTaken()
    member = Member(id=new_id(), display_name=display_name, email=email, source="registration")
    member.user_id = _new_user(session, member.id)
    session.add(member)
    session.flush()
    if password is not None:
        session.add(Credential(member_id=member.id, password_hash=passwords.hasher.hash(password)))
    access.assign(session, member.user_id or 0, roles)
    publish(session, actor, MemberRegistered(member_id=member.id))
    return member


def open_account(session: Session, actor: Actor, member_id: UUID, *, roles: Iterable[str] = ("User",)) -> None:
    """Give a member of an import an account with these roles; without a password nobody signs in to it yet.

    Nothing happens where there is one. Raises NotFound, WhileImpersonating. Audited.
    """
    actor.require_own()
    if not locks.members(session, [member_id]):
        raise NotFound()
    member = session.get_one(Member, member_id, populate_existing=True)
    if member.user_id is not None:
        return
    given = tuple(roles)
    member.user_id = _new_user(session, member_id)
    session.flush()
    access.assign(session, member.user_id, given)
    about = {"roles": [[], list(given)]}
    record(session, actor, "core.member.created", subject_type="core.member", subject_id=member_id, changes=about)


def _new_user(session: Session, member_id: UUID) -> int:
    """The row that the role tables refer to."""
    user = {"first_name": "", "last_name": "", "username": str(member_id), "email": str(member_id), "active": True}
    return int(session.execute(insert(user_table).values(user).returning(user_table.c.id)).scalar_one())


def check_profile(
    email: str | None, display_name: str, problems: Mapping[str, list[str]] | None = None
) -> tuple[str | None, str]:
    """E-mail, if any, and name as they are kept. Raises Invalid, with ``problems`` found before."""
    found = dict(problems or {})
    email = None if email is None else email.strip()
    if email is not None and not plausible(email):
        found["email"] = [_("This is not an e-mail address.")]
    display_name = unicodedata.normalize("NFC", display_name).strip()
    if not 1 <= len(display_name) <= 120 or not display_name.isprintable():
        found["display_name"] = [_("Give a name of 1 to 120 characters.")]
    if found:
        raise Invalid(found)
    return email, display_name


def mark_verified(session: Session, actor: Actor, member: Member) -> None:
    """The member has proved their e-mail address. Audited and published the first time."""
    if member.email_verified_at is None:
        member.email_verified_at = now()
        record(session, actor, "core.member.email_verified", subject_type="core.member", subject_id=member.id)
        publish(session, actor, EmailVerified(member_id=member.id))


def set_password(session: Session, actor: Actor, member_id: UUID, password: str) -> None:
    """Give a member a new password. Raises Invalid, WhileImpersonating; audited without the password."""
    actor.require_own()
    member = session.get(Member, member_id)
    known = (member.email or "", member.display_name) if member else ()
    if problems := passwords.problems(password, *known):
        raise Invalid(problems)
    row = {"member_id": member_id, "password_hash": passwords.hasher.hash(password), "changed_at": now()}
    write = upsert(Credential).values(row).on_conflict_do_update(index_elements=["member_id"], set_=row)
    changed = session.scalar(write.returning(literal_column("xmax <> 0")))  # false for a row that was not there
    if changed:
        publish(session, actor, CredentialChanged(member_id=member_id, change="password_changed"))
    record(session, actor, "core.member.password_changed", subject_type="core.member", subject_id=member_id)


def authenticate(session: Session, actor: Actor, *, email: str, password: str, device: str | None = None) -> Member:
    """The member with this e-mail and password; ``device`` names a browser that is known to be that person's.

    Raises SignInRefused, which keeps the failure that it counted; TooManyAttempts; MemberSuspended. Takes as long
    for an unknown address as for a wrong password, and says the same.
    """
    attempt = throttle.attempt(session, email, ip=actor.ip, device=device)
    query = select(Member, Credential).join(Credential).where(is_same(Member.email, email))
    found = session.execute(query).tuples().first()
    if not passwords.matches(found[1].password_hash if found else None, password) or found is None:
        attempt.failed()
        publish(session, actor, SignInFailed(member_id=found[0].id if found else None, factor="password"))
        raise SignInRefused()
    member, credential = found
    if member.status != "active":
        raise MemberSuspended(status=member.status)
    attempt.succeeded()
    if passwords.hasher.check_needs_rehash(credential.password_hash):
        credential.password_hash = passwords.hasher.hash(password)
    member.last_login_at = now()
    return member


def step_up(
    session: Session,
    actor: Actor,
    *,
    password: str,
    code: str = "",
    device: str | None = None,
    factor_code_id: UUID | None = None,
) -> None:
    """Take password and, where it is on, second factor again, for acts that ask for it; see ``require_step_up``.

    ``factor_code_id`` is of ``factors.send_second`` where the code is one that was sent.

    Raises what ``authenticate`` and ``two_factor.check`` raise, and Unauthenticated for who holds no session.
    """
    actor.require_own()
    member = session.get(Member, actor.member_id)
    if member is None or actor.session_id is None:
        raise Unauthenticated()
    authenticate(session, actor, email=member.email or "", password=password, device=device)
    if two_factor.is_on(session, member.id):
        two_factor.check(session, actor, member.id, code, code_id=factor_code_id)
    sessions.step_up(session, actor.session_id)


def verification_link(session: Session, member_id: UUID) -> str:
    """The address that confirms a member's e-mail and takes the first password; good for three days, and once.

    Make it when the mail is sent and keep it nowhere. Raises TokenUnusable for a member who is suspended.
    """
    return _link(session, "verify", member_id)


def password_reset_link(session: Session, member_id: UUID) -> str:
    """The address that takes a new password; good for an hour, and once. As ``verification_link``."""
    return _link(session, "reset", member_id)


def _link(session: Session, purpose: signed.Purpose, member_id: UUID) -> str:
    return f"{session.info['config'].url}/{purpose}?token={signed.make(session, purpose, member_id)}"


def set_tier(session: Session, member_id: UUID, tier: str, since: datetime | None = None) -> None:
    """Put a member on a tier from ``since`` (now) on; what happened before keeps the tier of its time.

    Every door goes through here. A tier that was held without a history counts as held ever since. Audited as a change
    of the member. Raises Invalid for a tier that there is not, NotFound.
    """
    if tier not in TIERS:
        raise Invalid({"tier": [_("There is no such tier.")]})
    if not locks.members(session, [member_id]):
        raise NotFound()
    member = session.get_one(Member, member_id, populate_existing=True)
    kept = select(TierChange.tier).where(TierChange.member_id == member_id).order_by(TierChange.since.desc()).limit(1)
    if member.tier != TIERS[0] and session.scalar(kept) is None:
        ever = {"member_id": member_id, "since": datetime.fromtimestamp(0, UTC), "tier": member.tier}
        session.execute(insert(TierChange).values(ever))
    row = {"member_id": member_id, "since": since or now(), "tier": tier}
    keys = ["member_id", "since"]
    session.execute(upsert(TierChange).values(row).on_conflict_do_update(index_elements=keys, set_={"tier": tier}))
    member.tier = session.scalars(kept).one()
    session.flush()


def by_identity(session: Session, kind: str, known: Mapping[str, KnownAs]) -> dict[str, UUID]:
    """The member behind each outside name (``kind``, subject); unknown ones become members without account.

    Set-based and safe beside others: two imports at once make one member for a name. Publishes nothing.
    """
    if not known:
        return {}
    locks.advisory(session, f"core.members.identity:{kind}")
    found = _identities(session, kind, known)
    missing = [subject for subject in known if subject not in found]
    if missing:
        zones = available_timezones()
        people, names = [], []
        for subject in missing:
            who, member_id = known[subject], new_id()
            people.append(
                {
                    "id": member_id,
                    "display_name": who.display_name[:120],
                    "source": "import",
                    "time_zone": who.time_zone if who.time_zone in zones else "UTC",
                    "joined_at": who.joined_at or now(),
                }
            )
            names.append({"id": new_id(), "member_id": member_id, "kind": kind, "subject": subject})
            found[subject] = member_id
        session.execute(insert(Member), people)
        session.execute(insert(Identity), names)
    return found


def give_identity(session: Session, *, kind: str, subject: str, member_id: UUID) -> UUID | None:
    """Let an outside name be a member's from now on; returns whose it was, None when it was nobody's.

    Who calls it has made sure that it is theirs, and moves what hangs on the former member.
    """
    locks.advisory(session, f"core.members.identity:{kind}")
    before = _identities(session, kind, [subject]).get(subject)
    if before is None:
        row = {"id": new_id(), "member_id": member_id, "kind": kind, "subject": subject, "created_at": now()}
        session.execute(insert(Identity).values(row))
    elif before != member_id:
        mine = (Identity.kind == kind, Identity.subject == subject)
        session.execute(update(Identity).where(*mine).values(member_id=member_id))
    return before


def _identities(session: Session, kind: str, subjects: Iterable[str]) -> dict[str, UUID]:
    wanted = [(kind, subject) for subject in subjects]
    query = select(Identity.subject, Identity.member_id)
    return dict(session.execute(query.where(tuple_(Identity.kind, Identity.subject).in_(wanted))).tuples().all())
