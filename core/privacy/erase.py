"""Erase a member: what is personal goes, what the books and scores rest on stays under a pseudonym.

One transaction erases one member, so that a lost worker leaves it undone or done, and the next turn goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import hooks, roles, settings
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.comments.service import files_about
from core.crypto import members as member_keys
from core.db import locks
from core.db.base import metadata
from core.db.personal import erased, holdings
from core.errors import Invalid, NotFound
from core.events.publish import publish
from core.files.models import StoredFile
from core.files.sweep import forget_content
from core.i18n import _
from core.ids import new_id
from core.jobs.job import JobContext
from core.jobs.queue import enqueue
from core.members import standing
from core.members.events import MemberErased
from core.members.models import Member
from core.platform_settings import PlatformSettings
from core.privacy.errors import AlreadyErased, ErasureOver, ErasuresFailed, ErasureWaiting
from core.privacy.models import Erasure

JOB = "core.erase"
log = structlog.get_logger("privacy")
_TRACES = (
    "UPDATE ab_user SET active = false, first_name = '', last_name = '', password = NULL, username = :member, "
    "email = :member WHERE id = :user_id",
    "DELETE FROM ab_user_role WHERE user_id = :user_id",
    "DELETE FROM core_idempotency WHERE position(:member IN scope) > 0",
    "UPDATE core_job SET actor_name = :pseudonym WHERE member_id = CAST(:member AS uuid)",
    "UPDATE core_job SET params = '{}', checkpoint = '{}', result = NULL, error = NULL "
    "WHERE member_id = CAST(:member AS uuid) AND state IN ('done', 'failed', 'cancelled')",
)
_PRESENT = text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")
_REFERRING = text(
    "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'core_member'::regclass"
)


def ask(session: Session, actor: Actor) -> Erasure:
    """A member asks to be erased; it happens after the days of grace, until when it can be withdrawn. Audited.

    Raises ErasureWaiting, LastAdmin, StepUpRequired.
    """
    actor.require_session()
    actor.require_step_up()
    assert actor.member_id is not None
    days = settings.read(session, PlatformSettings).erasure_grace_days
    return _ask(session, actor, actor.member_id, timedelta(days=days), None)


def order(session: Session, actor: Actor, member_id: UUID, *, reason: str, typed: str) -> Erasure:
    """An admin has a member erased at once: the account is closed now, a worker does the rest. Audited.

    ``typed`` is the member's name, as a proof that this one is meant. Raises NotFound, PermissionMissing, Invalid,
    ErasureWaiting, AlreadyErased, LastAdmin, AdminsOnly, StepUpRequired.
    """
    actor.require("core:member:erase")
    actor.require_step_up()
    reason = standing.reason_given(reason)
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound()
    if " ".join(typed.split()) != " ".join(member.display_name.split()):
        raise Invalid({"typed": [_("This is not the member's name. Type it as it stands above.")]})
    waiting = session.scalar(select(Erasure).where(Erasure.member_id == member_id, Erasure.state == "waiting"))
    if waiting is not None:
        waiting.due_at = now()
    else:
        waiting = _ask(session, actor, member_id, timedelta(0), reason)
    if member.status != "closed":
        standing.close(session, actor, member_id, reason=reason)
    return waiting


def withdraw(session: Session, actor: Actor, member_id: UUID) -> None:
    """Take an erasure back that has not begun. Raises ErasureOver, PermissionMissing for another's. Audited."""
    actor.require_own()
    if actor.member_id != member_id:
        actor.require("core:member:erase")
    statement = update(Erasure).where(Erasure.member_id == member_id, Erasure.state == "waiting")
    if session.scalar(statement.values(state="withdrawn", ended_at=now()).returning(Erasure.id)) is None:
        raise ErasureOver()
    record(session, actor, "core.member.erasure_withdrawn", subject_type="core.member", subject_id=member_id)


def waiting(session: Session, member_id: UUID) -> Erasure | None:
    """The erasure of a member that is asked for and not done."""
    return session.scalar(select(Erasure).where(Erasure.member_id == member_id, Erasure.state == "waiting"))


def is_erased(session: Session, member_id: UUID) -> bool:
    done = select(Erasure.id).where(Erasure.member_id == member_id, Erasure.state == "done").limit(1)
    return session.scalar(done) is not None


def _ask(session: Session, actor: Actor, member_id: UUID, grace: timedelta, reason: str | None) -> Erasure:
    roles.lock_admins(session)
    locks.members(session, [member_id])
    if is_erased(session, member_id):
        raise AlreadyErased()
    _not_the_last_admin(session, member_id)
    row = {"id": new_id(), "member_id": member_id, "asked_by_id": actor.member_id, "due_at": now() + grace}
    statement = insert(Erasure).values(row).on_conflict_do_nothing().returning(Erasure)
    made: Erasure | None = session.scalar(statement)
    if made is None:
        raise ErasureWaiting()
    about = {"due_at": [None, made.due_at]}
    subject: dict[str, Any] = {"subject_type": "core.member", "subject_id": member_id}
    record(session, actor, "core.member.erasure_asked", changes=about, reason=reason, **subject)
    if not grace:
        enqueue(session, Actor.system("erasure"), JOB)
    return made


def _not_the_last_admin(session: Session, member_id: UUID) -> None:
    """Raise LastAdmin when no other active member is an admin. Call it under ``lock_admins``."""
    query = text(
        "SELECT m.id FROM core_member m JOIN ab_user_role ur ON ur.user_id = m.user_id "
        "JOIN ab_role r ON r.id = ur.role_id WHERE r.name = 'Admin' AND m.status = 'active'"
    )
    if set(session.scalars(query)) == {member_id}:
        raise roles.LastAdmin()


def run(context: JobContext) -> dict[str, Any]:
    """The job ``core.erase``: erases each member whose time has come. One that fails holds up no other."""
    with context.unit_of_work() as session:
        query = select(Erasure.id).where(Erasure.state == "waiting", Erasure.due_at <= now()).order_by(Erasure.due_at)
        due = session.scalars(query).all()
    failed: dict[str, str] = {}
    for done, key in enumerate(due, 1):
        try:
            with context.unit_of_work() as session:
                files = erase(session, context.actor, key)
        except Exception as problem:
            log.exception("a member could not be erased", erasure=str(key))
            failed[str(key)] = getattr(problem, "code", type(problem).__name__)
            continue
        for content in files:
            with context.unit_of_work() as session:
                forget_content(session, content)
        context.progress(done, len(due))
    if failed:
        raise ErasuresFailed(failed=", ".join(f"{key} ({why})" for key, why in failed.items()))
    return {"erased": len(due)}


def erase(session: Session, actor: Actor, erasure_id: UUID) -> list[str]:
    """Erase the member of a waiting erasure; returns the storage keys of files whose content may go.

    Raises LastAdmin, and what a plugin's ``member_erased`` raises.
    """
    row = session.get(Erasure, erasure_id, with_for_update=True)
    if row is None or row.state != "waiting":
        return []
    member_id = row.member_id
    roles.lock_admins(session)
    locks.members(session, [member_id])
    _not_the_last_admin(session, member_id)
    member = session.get_one(Member, member_id)
    standing.shut_out(session, actor, member_id, "erased")
    hooks.call(session, "member_erased", member_id=member_id)
    session.flush()
    theirs = or_(StoredFile.owner_id == member_id, StoredFile.id.in_(files_about(member_id)))
    files = list(session.scalars(select(StoredFile.storage_key).where(theirs)))
    gone = {"state": "deleted", "deleted_at": now()}
    session.execute(update(StoredFile).where(theirs).values(gone))
    unknown = erase_rows(session, member_id)
    pseudonym = f"erased-{member_id.hex[-8:]}"
    about = {"display_name": pseudonym, "email": None, "email_verified_at": None, "last_login_at": None}
    table = Member.__table__
    values = {**erased(table), **about, "status": "closed"}
    session.execute(update(table).where(table.c.id == member_id).values(values))
    for statement in _TRACES:
        named = {"member": str(member_id), "user_id": member.user_id, "pseudonym": pseudonym}
        used = {name: value for name, value in named.items() if f":{name}" in statement}
        session.execute(text(statement), used)
    member_keys.destroy(session, member_id)
    row.state, row.ended_at = "done", now()
    publish(session, actor, MemberErased(member_id=member_id))
    changes = {"tables_of_absent_plugins": [None, unknown]} if unknown else {}
    record(session, actor, "core.member.erased", subject_type="core.member", subject_id=member_id, changes=changes)
    session.flush()
    session.expire_all()
    return sorted({key for key in files if key})


def erase_rows(session: Session, member_id: UUID) -> list[str]:
    """Take out a member's rows, or what is personal of them, in every table; returns the tables nobody knows.

    Those belong to plugins that are not loaded; erase them when the plugin is back.
    """
    present = set(session.scalars(_PRESENT))
    for held in holdings(metadata, present):
        mine = held.member == member_id
        if held.goes:
            session.execute(delete(held.table).where(mine))
        elif values := erased(held.table):
            session.execute(update(held.table).where(mine).values(values))
    return sorted(set(session.scalars(_REFERRING)) - metadata.tables.keys())
