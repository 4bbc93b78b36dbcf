"""Acting as another member: an admin's session shows and does what that member sees and may, for a while.

Every audit row, event and job carries both. The session stays the admin's: it ends with it, and with the permission.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import Conflict, Forbidden, NotFound, SessionRequired
from core.events.publish import publish
from core.i18n import _
from core.ids import new_id
from core.jobs.job import JobContext
from core.members import sessions
from core.members.events import ImpersonationEnded, ImpersonationStarted
from core.members.models import Impersonation, Member, MemberSession
from core.members.standing import reason_given
from core.platform_settings import PlatformSettings
from core.settings import read

PERMISSION, WRITING = sessions.IMPERSONATE, sessions.IMPERSONATE_WRITING


class NotToBeImpersonated(Forbidden):
    code = "NOT_TO_BE_IMPERSONATED"
    sentence = _(
        "You cannot act as this member: it is yourself, is not active, has no account, or may do more than you."
    )


class AlreadyImpersonating(Conflict):
    code = "ALREADY_IMPERSONATING"
    sentence = _("This session acts as another member already. End that first.")


@dataclass(frozen=True)
class Shown:
    """An impersonation with the names of both."""

    row: Impersonation
    by: str
    member: str


def start(session: Session, actor: Actor, member_id: UUID, *, reason: str, may_write: bool = False) -> Impersonation:
    """Let the actor's browser session act as a member; read-only unless ``may_write``, which has its own permission.

    Raises PermissionMissing, NotFound, Invalid without a reason, NotToBeImpersonated, AlreadyImpersonating,
    WhileImpersonating (never nested), and SessionRequired but in a browser. Audited.
    """
    actor.require_own()
    actor.require(PERMISSION)
    if may_write:
        actor.require(WRITING)
    reason = reason_given(reason)
    held = session.get(MemberSession, actor.session_id) if actor.session_id else None
    if held is None or held.kind != "cookie":
        raise SessionRequired()
    if session.get(Member, member_id) is None:
        raise NotFound()
    if sessions.acting_as(session, actor, member_id, None, may_write=may_write) is None:
        raise NotToBeImpersonated()
    at = now()
    _end_expired(session, actor, Impersonation.session_id == held.id)
    row = {
        "id": new_id(),
        "session_id": held.id,
        "by_member_id": actor.member_id,
        "member_id": member_id,
        "reason": reason,
        "may_write": may_write,
        "started_at": at,
        "expires_at": at + timedelta(minutes=read(session, PlatformSettings).impersonation_minutes),
    }
    made: Impersonation | None = session.scalar(
        insert(Impersonation).values(row).on_conflict_do_nothing().returning(Impersonation)
    )
    if made is None:
        raise AlreadyImpersonating()
    changes = {"may_write": [None, may_write], "expires_at": [None, made.expires_at]}
    record(
        session,
        actor,
        "core.impersonation.started",
        subject_type="core.member",
        subject_id=member_id,
        changes=changes,
        reason=reason,
    )
    publish(session, actor, ImpersonationStarted(impersonation_id=made.id, member_id=member_id))
    return made


def end(session: Session, actor: Actor, key: UUID) -> None:
    """End an impersonation: one's own, or any with the permission to impersonate. Audited.

    Raises NotFound for what has ended or is not the actor's to end.
    """
    row = session.get(Impersonation, key, with_for_update=True)
    mine = row is not None and (actor.impersonator or actor.member_id) == row.by_member_id
    if row is None or row.ended_at is not None or not (mine or actor.can(PERMISSION)):
        raise NotFound()
    row.ended_at = now()
    session.flush()
    record(session, actor, "core.impersonation.ended", subject_type="core.member", subject_id=row.member_id)
    publish(session, actor, ImpersonationEnded(impersonation_id=row.id, member_id=row.member_id, why="ended"))


def sweep(context: JobContext) -> dict[str, Any]:
    """The job ``core.end_impersonations``: those whose time ran out are written down as ended, and told of."""
    with context.unit_of_work() as session:
        return {"ended": _end_expired(session, context.actor)}


def _end_expired(session: Session, actor: Actor, *of: ColumnElement[bool]) -> int:
    """End what ran out, each once, at the time that it did; audited and published. Returns how many."""
    over = select(Impersonation).where(Impersonation.ended_at.is_(None), Impersonation.expires_at <= now(), *of)
    rows = session.scalars(over.order_by(Impersonation.id).with_for_update(skip_locked=not of)).all()
    for row in rows:
        row.ended_at = row.expires_at
        record(session, actor, "core.impersonation.expired", subject_type="core.member", subject_id=row.member_id)
        publish(session, actor, ImpersonationEnded(impersonation_id=row.id, member_id=row.member_id, why="expired"))
    session.flush()
    return len(rows)


def find(session: Session, key: UUID) -> Shown | None:
    """One impersonation, for the banner."""
    return next(iter(_shown(session, key)), None)


def listed(session: Session) -> list[Shown]:
    """The latest impersonations, those that go on first."""
    return _shown(session)


def living(row: Impersonation) -> bool:
    return row.ended_at is None and row.expires_at > now()


def _shown(session: Session, key: UUID | None = None) -> list[Shown]:
    by, member = aliased(Member), aliased(Member)
    query = (
        select(Impersonation, by.display_name, member.display_name)
        .join(by, by.id == Impersonation.by_member_id)
        .join(member, member.id == Impersonation.member_id)
        .order_by(Impersonation.started_at.desc())
        .limit(200)
    )
    rows = session.execute(query if key is None else query.where(Impersonation.id == key)).tuples()
    return sorted((Shown(*row) for row in rows), key=lambda one: not living(one.row))
