"""Who acts in the background for somebody: with what they may do now, not with what they could when they began."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.members.models import Member


def later(session: Session, member_id: UUID | None, *, impersonator: UUID | None, correlation_id: UUID) -> Actor:
    """The member acting by a job, in bulk; without any permission where the account is not active any more."""
    member = session.get(Member, member_id) if member_id else None
    granted: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ()
    if member is not None and member.user_id is not None and member.status == "active":
        granted, roles = access.permissions_of(session, member.user_id), access.roles_of(session, member.user_id)
    return Actor(
        kind="member",
        name=member.display_name if member else "",
        member_id=member_id,
        permissions=granted,
        roles=roles,
        is_admin="Admin" in roles,
        impersonator=impersonator,
        correlation_id=correlation_id,
        bulk=True,
    )
