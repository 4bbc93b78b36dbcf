"""Roles as data: admins make, change and give them. Everything is audited and holds in every process at once."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import access, generation
from core.actor import Actor
from core.audit.trail import record
from core.db import locks
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.i18n import _

LONGEST_NAME = 64


class LastAdmin(Conflict):
    code = "LAST_ADMIN"
    sentence = _("This is the last active admin. Make somebody else an admin first.")


class AdminsOnly(Forbidden):
    code = "ADMINS_ONLY"
    sentence = _("Only an admin may do this to an admin.")


class RoleBuiltIn(Conflict):
    code = "ROLE_BUILT_IN"
    sentence = _("The role {role} is built in, and cannot be renamed or deleted.")


class AdminHoldsAll(Conflict):
    code = "ADMIN_HOLDS_ALL"
    sentence = _("The role Admin holds every permission.")


class RoleInUse(Conflict):
    code = "ROLE_IN_USE"
    sentence = _("{count} members have the role {role}. Take it from them first.")


class RoleExists(Conflict):
    code = "ROLE_EXISTS"
    sentence = _("There is already a role called {role}.")


class NotYours(Forbidden):
    code = "NOT_YOURS_TO_GIVE"
    sentence = _("You can only give what you hold yourself: {permissions}.")


class NoAccount(Conflict):
    code = "NO_ACCOUNT"
    sentence = _("This member has no account yet, and so no roles.")


def built_in(session: Session) -> frozenset[str]:
    """Names of the roles that the platform and the plugins declare."""
    return frozenset({*access.ROLES, *session.info["registry"].roles})


def members_of(session: Session) -> dict[str, int]:
    """How many members have each role, by its name."""
    joined = access.user_role.c.role_id == access.role.c.id
    query = select(access.role.c.name, func.count(access.user_role.c.user_id)).outerjoin(access.user_role, joined)
    return dict(session.execute(query.group_by(access.role.c.name)).tuples().all())


def create(session: Session, actor: Actor, name: str) -> None:
    """Make a role that grants nothing yet. Raises Invalid, RoleExists."""
    actor.require_own()
    name = _checked(name)
    _write_name(session, name, insert(access.role).values(name=name))
    _changed(session, actor, "created", name)


def rename(session: Session, actor: Actor, name: str, new: str) -> None:
    """Give a role of one's own another name. Raises NotFound, RoleBuiltIn, Invalid, RoleExists."""
    actor.require_own()
    key, new = _own(session, name), _checked(new)
    if new == name:
        return
    _write_name(session, new, update(access.role).where(access.role.c.id == key).values(name=new))
    _changed(session, actor, "renamed", new, {"name": [name, new]})


def remove(session: Session, actor: Actor, name: str) -> None:
    """Delete a role that nobody has. Raises NotFound, RoleBuiltIn, RoleInUse."""
    actor.require_own()
    key = _own(session, name)
    if count := members_of(session)[name]:
        raise RoleInUse(role=name, count=count)
    held = sorted(access.grants(session).get(name, ()))
    session.execute(delete(access.permission_view_role).where(access.permission_view_role.c.role_id == key))
    session.execute(delete(access.role).where(access.role.c.id == key))
    _changed(session, actor, "deleted", name, {"permissions": [held, None]})


def grant(session: Session, actor: Actor, name: str, permissions: Iterable[str]) -> None:
    """Let a role grant these permissions and no others. What the registry does not know is left as it is.

    Raises NotFound, AdminHoldsAll, Invalid for an unknown permission, NotYours.
    """
    actor.require_own()
    key, wanted, known = _key(session, name), set(permissions), set(session.info["registry"].permissions)
    if name == "Admin":
        raise AdminHoldsAll()
    if unknown := sorted(wanted - known):
        raise Invalid({"permissions": [_("There is no such permission.") + f" {' '.join(unknown)}"]})
    locks.advisory(session, "core.access.sync")
    held = access.grants(session).get(name, frozenset()) & known
    added, taken = wanted - held, held - wanted
    _may_give(actor, added)
    ids = access._permission_ids(session)
    table = access.permission_view_role
    if taken:
        rows = [ids[one] for one in taken]
        session.execute(delete(table).where(table.c.role_id == key, table.c.permission_view_id.in_(rows)))
    if added:
        session.execute(insert(table).values([{"role_id": key, "permission_view_id": ids[one]} for one in added]))
    if added or taken:
        _changed(session, actor, "granted", name, {"permissions": [sorted(taken), sorted(added)]})


def assign(session: Session, actor: Actor, member_id: UUID, names: Iterable[str], *, reason: str | None = None) -> None:
    """Give a member these roles and no others; ``reason`` stands in the audit trail.

    Raises NotFound, NoAccount, Invalid for an unknown role, NotYours (only an admin makes an admin), AdminsOnly for who
    is no admin and would change the roles of one, LastAdmin where no active admin would be left, WhileImpersonating.
    """
    actor.require_own()
    wanted = set(names)
    lock_admins(session)
    query = select(access.member.c.user_id).where(access.member.c.id == member_id)
    found = session.execute(query).first()
    if found is None:
        raise NotFound()
    if found[0] is None:
        raise NoAccount()
    before = set(access.roles_of(session, found[0]))
    if before == wanted:
        return
    by_role = access.grants(session)
    _may_give(actor, {one for role in wanted - before for one in by_role.get(role, ())})
    if "Admin" in before:
        require_authority_over(session, actor, member_id)
    elif "Admin" in wanted and actor.kind != "system" and "Admin" not in actor.roles:
        raise NotYours(permissions="Admin")
    try:
        access.assign(session, found[0], wanted)
    except LookupError as problem:
        raise Invalid({"roles": [str(problem)]}) from None
    if "Admin" in before - wanted:
        require_admin_left(session)
    record(
        session,
        actor,
        "core.member.roles_changed",
        subject_type="core.member",
        subject_id=member_id,
        changes={"roles": [sorted(before), sorted(wanted)]},
        reason=reason,
    )
    generation.advance(session)


def lock_admins(session: Session) -> None:
    """Hold who is an admin until the transaction ends; take it before any change that may leave fewer."""
    locks.advisory(session, "core.access.admins")


def require_admin_left(session: Session) -> None:
    """Raise LastAdmin unless an active admin is left. Call it after the change, under ``lock_admins``."""
    if not _active_admins(session):
        raise LastAdmin()


def require_authority_over(session: Session, actor: Actor, member_id: UUID) -> None:
    """Raise AdminsOnly where the member is an admin and ``actor`` is not: nobody locks out who stands above them."""
    if actor.kind == "system" or "Admin" in actor.roles:
        return
    if is_admin(session, member_id):
        raise AdminsOnly()


def is_admin(session: Session, member_id: UUID) -> bool:
    """Whether this member has the role Admin, active or not."""
    user_id = session.scalar(select(access.member.c.user_id).where(access.member.c.id == member_id))
    return user_id is not None and "Admin" in access.roles_of(session, user_id)


def _active_admins(session: Session) -> int:
    query = (
        select(func.count())
        .select_from(access.user_role)
        .join(access.role, access.role.c.id == access.user_role.c.role_id)
        .join(access.member, access.member.c.user_id == access.user_role.c.user_id)
        .where(access.role.c.name == "Admin", access.member.c.status == "active")
    )
    return session.scalar(query) or 0


def _may_give(actor: Actor, permissions: Iterable[str]) -> None:
    if lacking := sorted(one for one in permissions if not actor.can(one)):
        raise NotYours(permissions=", ".join(lacking[:5]))


def _checked(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid({"name": [_("Give a name of 1 to 64 characters.")]})
    return name


def _key(session: Session, name: str) -> int:
    key = session.scalar(select(access.role.c.id).where(access.role.c.name == name))
    if key is None:
        raise NotFound()
    return int(key)


def _own(session: Session, name: str) -> int:
    key = _key(session, name)
    if name in built_in(session):
        raise RoleBuiltIn(role=name)
    return key


def _write_name(session: Session, name: str, statement: object) -> None:
    try:
        with session.begin_nested():
            session.execute(statement)  # type: ignore[call-overload]
    except IntegrityError:
        raise RoleExists(role=name) from None


def _changed(
    session: Session, actor: Actor, what: str, name: str, changes: dict[str, list[object]] | None = None
) -> None:
    record(session, actor, f"core.role.{what}", subject_type="core.role", subject_id=name, changes=changes)
    generation.advance(session)
