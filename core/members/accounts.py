"""Coming in by oneself: registration, a confirmed e-mail address, a forgotten password.

No answer tells whether an address is known. A link in a mail is what proves an address, so the password is chosen
behind the link: whoever registers somebody else's address gets nowhere. Links are made when the mail is sent.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.audit.trail import record
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.events.publish import publish
from core.i18n import _
from core.members import service, sessions, signed, throttle
from core.members.email import folded, is_same
from core.members.events import PasswordResetRequested, VerificationRequested
from core.members.models import Credential, Member
from core.platform_settings import PlatformSettings
from core.settings import read
from core.switches import service as switches


class RegistrationClosed(Forbidden):
    code = "REGISTRATION_CLOSED"
    sentence = _("Nobody can register by themselves here. Ask an admin for an account.")


class CannotBeMailed(Conflict):
    code = "CANNOT_BE_MAILED"
    sentence = _("This member is not active, or has no account or no e-mail address, so no link can be sent.")


class RolesForbidden(Forbidden):
    code = "ROLES_FORBIDDEN"
    sentence = _("Only an admin may give roles.")


def sign_up(session: Session, actor: Actor, *, email: str, display_name: str) -> None:
    """Register, or ask for the mail again; who has an account already is mailed a way in instead.

    Raises RegistrationClosed, Invalid, TooManyAttempts; nothing tells whether the address is known.
    """
    switches.require(session, "core.registration")
    if not read(session, PlatformSettings).registration:
        raise RegistrationClosed()
    _count(session, actor, email)
    member = _by_email(session, email)
    if member is None:
        member = service.register(session, actor, email=email, password=None, display_name=display_name)
    else:
        service.check_profile(email, display_name)
    _mail_a_way_in(session, actor, member)


def invite(session: Session, actor: Actor, *, email: str | None, display_name: str, roles: tuple[str, ...]) -> Member:
    """An admin makes an account; its owner chooses the password behind the link of a mail, if there is an address.

    Only an admin gives roles but User. Raises Invalid, EmailTaken, RolesForbidden, WhileImpersonating. Audited.
    """
    actor.require_own()
    if set(roles) - {"User"} and "Admin" not in actor.roles and actor.kind != "system":
        raise RolesForbidden()
    if unknown := set(roles) - access.role_names(session):
        raise Invalid({"roles": [_("There is no such role: {names}").format(names=", ".join(sorted(unknown)))]})
    member = service.register(session, actor, email=email, password=None, display_name=display_name, roles=roles)
    changes = {"roles": [[], list(roles)]}
    record(session, actor, "core.member.created", subject_type="core.member", subject_id=member.id, changes=changes)
    if member.email is not None:
        publish(session, actor, VerificationRequested(member_id=member.id))
    return member


def send_way_in(session: Session, actor: Actor, member_id: UUID) -> None:
    """An admin has a member mailed a link to a new password, or to the first one. Audited.

    Raises NotFound, CannotBeMailed, WhileImpersonating.
    """
    actor.require_own()
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound()
    if member.email is None or member.user_id is None or member.status != "active":
        raise CannotBeMailed()
    record(session, actor, "core.member.link_sent", subject_type="core.member", subject_id=member_id)
    _mail_a_way_in(session, actor, member)


def forgot_password(session: Session, actor: Actor, *, email: str) -> None:
    """Ask for a link to a new password. Raises TooManyAttempts; nothing tells whether the address is known."""
    _count(session, actor, email)
    if member := _by_email(session, email):
        _mail_a_way_in(session, actor, member)


def verify(session: Session, actor: Actor, *, token: str, password: str | None = None) -> Member:
    """Confirm an e-mail address by its link; an account without a password takes one now.

    Raises TokenUnusable, Invalid.
    """
    member = session.get_one(Member, signed.read(session, "verify", token))
    if session.get(Credential, member.id) is None:
        if not password:
            raise Invalid({"password": [_("Choose a password.")]})
        service.set_password(session, actor, member.id, password)
    service.mark_verified(session, actor, member)
    return member


def reset_password(session: Session, actor: Actor, *, token: str, password: str) -> Member:
    """Choose a new password by the link; every session ends. Raises TokenUnusable, Invalid."""
    member = session.get_one(Member, signed.read(session, "reset", token))
    service.set_password(session, actor, member.id, password)
    service.mark_verified(session, actor, member)
    sessions.revoke_all(session, member.id)
    return member


def needs_password(session: Session, token: str) -> bool:
    """Whether the link of ``token`` is to take a first password. Raises TokenUnusable."""
    return session.get(Credential, signed.read(session, "verify", token)) is None


def _mail_a_way_in(session: Session, actor: Actor, member: Member) -> None:
    if member.status != "active" or member.user_id is None or member.email is None:
        return
    first = session.get(Credential, member.id) is None
    event = VerificationRequested if first else PasswordResetRequested
    publish(session, actor, event(member_id=member.id))


def _by_email(session: Session, email: str) -> Member | None:
    return session.scalar(select(Member).where(is_same(Member.email, email)))


def _count(session: Session, actor: Actor, email: str) -> None:
    """Nobody's letter box is filled: mails to an address, and from one machine, are slowed down as guesses are."""
    throttle.attempt(session, f"mail:{folded(email)}", ip=actor.ip).failed()
