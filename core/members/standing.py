"""Whether a member may come in: suspended, let back in, closed; each with a reason that is kept."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import roles
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import Conflict, Invalid, NotFound
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.members import sessions, two_factor
from core.members.events import ImpersonationEnded, MemberClosed, MemberReactivated, MemberSuspended
from core.members.models import ApiKey, Impersonation, Member, StatusChange

LONGEST_REASON = 500
Why = Literal["ended", "suspended", "closed", "erased"]
ENDS: dict[str, Why] = {"suspended": "suspended", "closed": "closed"}
EVENTS: dict[str, type[MemberReactivated | MemberSuspended | MemberClosed]] = {
    "active": MemberReactivated,
    "suspended": MemberSuspended,
    "closed": MemberClosed,
}


class StatusUnchanged(Conflict):
    code = "STATUS_UNCHANGED"
    sentence = _("This member is {status} already.")


def suspend(session: Session, actor: Actor, member_id: UUID, *, reason: str) -> Member:
    """Shut a member out for the time being. Every session, refresh token and API key ends at once, for good.

    Raises NotFound, Invalid without a reason, StatusUnchanged, LastAdmin, AdminsOnly, WhileImpersonating. Audited.
    """
    return _change(session, actor, member_id, "suspended", reason)


def close(session: Session, actor: Actor, member_id: UUID, *, reason: str) -> Member:
    """End an account; what the member did stays. Raises and does what ``suspend`` does."""
    return _change(session, actor, member_id, "closed", reason)


def reactivate(session: Session, actor: Actor, member_id: UUID, *, reason: str) -> Member:
    """Let a suspended or closed member in again; they sign in anew. Raises as ``suspend`` does. Audited."""
    return _change(session, actor, member_id, "active", reason)


def history(session: Session, member_id: UUID) -> list[tuple[StatusChange, str | None]]:
    """The changes of a member's status, the newest first, each with the name of who made it."""
    query = select(StatusChange, Member.display_name).outerjoin(Member, Member.id == StatusChange.by_member_id)
    query = query.where(StatusChange.member_id == member_id).order_by(StatusChange.at.desc(), StatusChange.id.desc())
    return list(session.execute(query.limit(50)).tuples())


def reason_given(reason: str) -> str:
    """A reason as it is kept. Raises Invalid for none, and for one of more than 500 characters."""
    reason = " ".join(reason.split())
    if not reason:
        raise Invalid({"reason": [_("Say why; it stands in the audit trail.")]})
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise Invalid({"reason": [_("Give a reason of 1 to 500 characters.")]})
    return reason


def end_sessions(session: Session, actor: Actor, member_id: UUID, *, only: UUID | None = None) -> None:
    """End every session of a member, or ``only`` one of them, with its cookie and tokens. Audited.

    Raises NotFound, AdminsOnly, WhileImpersonating.
    """
    actor.require_own()
    if session.get(Member, member_id) is None:
        raise NotFound()
    roles.require_authority_over(session, actor, member_id)
    if only is None:
        sessions.revoke_all(session, member_id)
    else:
        sessions.revoke_own(session, member_id, only)
    act = "core.member.sessions_revoked" if only is None else "core.member.session_revoked"
    record(session, actor, act, subject_type="core.member", subject_id=member_id)


def reset_two_factor(session: Session, actor: Actor, member_id: UUID, *, reason: str) -> None:
    """Take the second factor off a member who has lost it; their sessions end. Audited.

    Raises Invalid without a reason, NotFound, NotSetUp, AdminsOnly, WhileImpersonating.
    """
    reason = reason_given(reason)
    roles.require_authority_over(session, actor, member_id)
    two_factor.disable(session, actor, member_id, reason)
    sessions.revoke_all(session, member_id)


def shut_out(session: Session, actor: Actor, member_id: UUID, why: Why) -> None:
    """End every session, refresh token, API key and impersonation of a member, and those that act as them.

    Each impersonation that ends so is audited, and published with ``why``.
    """
    at = now()
    sessions.revoke_all(session, member_id)
    keys = update(ApiKey).where(ApiKey.member_id == member_id, ApiKey.revoked_at.is_(None))
    session.execute(keys.values(revoked_at=at))
    concerned = (Impersonation.member_id == member_id) | (Impersonation.by_member_id == member_id)
    ended = update(Impersonation).where(concerned, Impersonation.ended_at.is_(None)).values(ended_at=at)
    rows = session.execute(ended.returning(Impersonation.id, Impersonation.member_id)).tuples().all()
    for key, acted_as in sorted(rows):
        about: dict[str, Any] = {"subject_type": "core.member", "subject_id": acted_as}
        record(session, actor, "core.impersonation.ended", changes={"why": [None, why]}, **about)
        publish(session, actor, ImpersonationEnded(impersonation_id=key, member_id=acted_as, why=why))


def _change(session: Session, actor: Actor, member_id: UUID, status: str, reason: str) -> Member:
    actor.require_own()
    reason = reason_given(reason)
    roles.lock_admins(session)
    if not locks.members(session, [member_id]):
        raise NotFound()
    roles.require_authority_over(session, actor, member_id)
    member = session.get_one(Member, member_id, populate_existing=True)
    before = str(member.status)
    if before == status:
        raise StatusUnchanged(status=status)
    session.execute(update(Member).where(Member.id == member_id).values(status=status))  # the trail says it below
    session.add(
        StatusChange(id=new_id(), member_id=member_id, status=status, reason=reason, by_member_id=actor.member_id)
    )
    session.flush()
    if before == "active" and roles.is_admin(session, member_id):
        roles.require_admin_left(session)
    shut_out(session, actor, member_id, ENDS.get(status, "ended"))
    record(
        session,
        actor,
        EVENTS[status].event_name,
        subject_type="core.member",
        subject_id=member_id,
        changes={"status": [before, status]},
        reason=reason,
    )
    publish(session, actor, EVENTS[status](member_id=member_id))
    return member
