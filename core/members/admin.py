"""The first admin, and what to do when a password is lost."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.db import locks
from core.errors import NotFound
from core.i18n import _
from core.members import service, sessions
from core.members.email import is_same
from core.members.models import Member


class MemberUnknown(NotFound):
    code = "MEMBER_UNKNOWN"
    sentence = _("No account has the e-mail address {email}.")


def create_first_admin(session: Session, email: str) -> str | None:
    """Create the first admin if there is none; returns the random password, which is kept nowhere."""
    locks.advisory(session, "core.members.first_admin")
    query = select(access.user_role.c.id).join(access.role, access.role.c.id == access.user_role.c.role_id)
    if session.execute(query.where(access.role.c.name == "Admin").limit(1)).first():
        return None
    password = secrets.token_urlsafe(12)
    system = Actor.system("first start")
    service.register(session, system, email=email, password=password, display_name="Admin", roles=("Admin", "User"))
    return password


def reset_password(session: Session, actor: Actor, email: str, password: str) -> None:
    """Give the account with this e-mail a new password and end all its sessions. Raises MemberUnknown."""
    member = session.scalar(select(Member).where(is_same(Member.email, email)))
    if member is None or member.user_id is None:
        raise MemberUnknown(email=email)
    service.set_password(session, actor, member.id, password)
    sessions.revoke_all(session, member.id)
