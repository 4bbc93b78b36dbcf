"""Access: permission names, roles as data, and what a member may do.

A permission is called ``plugin:resource:action`` everywhere; in the role tables it is kept as
(``can_<action>``, ``<plugin>.<resource>``), the form that the admin's generated views check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy import Select, column, insert, select, table
from sqlalchemy.orm import Session

from core import generation, lifecycle
from core.actor import bundle_of
from core.db import locks
from core.errors import NotFound
from core.i18n import _

ROLES = ("User", "Moderator", "Admin", "Service")

user_role = table("ab_user_role", column("id"), column("user_id"), column("role_id"))
role = table("ab_role", column("id"), column("name"))
permission_view_role = table("ab_permission_view_role", column("id"), column("permission_view_id"), column("role_id"))
permission_view = table("ab_permission_view", column("id"), column("permission_id"), column("view_menu_id"))
permission = table("ab_permission", column("id"), column("name"))
view_menu = table("ab_view_menu", column("id"), column("name"))
member = table("core_member", column("id"), column("user_id"), column("status"))
OWN = ("list", "show")  # what owners may do with their own records without a permission


def fab_name(name: str) -> tuple[str, str]:
    """``wallet:transfer:create`` as ``("can_create", "wallet.transfer")``."""
    plugin, resource, action = name.split(":")
    return f"can_{action}", f"{plugin}.{resource}"


@lru_cache(maxsize=4096)  # the declared names, again and again
def permission_name(fab_permission: str, view: str) -> str:
    """``("can_create", "wallet.transfer")`` as ``wallet:transfer:create``."""
    return f"{view.replace('.', ':', 1)}:{fab_permission.removeprefix('can_')}"


def bundles(permissions: Iterable[str]) -> list[str]:
    """The two-part bundles of tokens: ``wallet:read`` where any reading is allowed, ``wallet:write`` where more is."""
    return sorted({bundle_of(name) for name in permissions})


def role_grants(patterns: Iterable[str], known: Mapping[str, Any]) -> set[str]:
    """Permission names meant by ``patterns``; ``wallet:transfer:*`` and ``wallet:*:show`` stand for many."""
    granted: set[str] = set()
    for pattern in patterns:
        wanted = pattern.split(":")
        for name in known:
            if all(want in ("*", part) for want, part in zip(wanted, name.split(":"), strict=True)):
                granted.add(name)
    return granted


def within(permissions: Iterable[str], scopes: Iterable[str]) -> frozenset[str]:
    """Those of ``permissions`` that a scope names: in full, with ``*`` for a part, or by its two-part bundle."""
    named = {scope for scope in scopes if "*" not in scope}
    patterns = [scope.split(":") for scope in scopes if "*" in scope]
    return frozenset(
        name
        for name in permissions
        if name in named
        or bundle_of(name) in named
        or any(all(w in ("*", p) for w, p in zip(wanted, name.split(":"), strict=False)) for wanted in patterns)
    )


# The names of the roles of the user ``m.user_id``, as a column of any query that has such an ``m``.
ROLE_NAMES = """ARRAY(SELECT r.name FROM ab_user_role ur JOIN ab_role r ON r.id = ur.role_id
    WHERE ur.user_id = m.user_id ORDER BY r.name)"""
# The generation, as a column of any query: what is kept for it is then not older than what the query reads.
GENERATION = "(SELECT value FROM core_generation WHERE id = 1)"


def granted_by(session: Session, roles: Iterable[str]) -> frozenset[str]:
    """Every permission that one of these roles grants; kept for the present generation."""
    key = ("granted", tuple(roles))
    found: frozenset[str] | None = generation.cached(session, key)
    if found is None:
        by_role = grants(session)
        found = frozenset().union(*(by_role.get(name, frozenset()) for name in key[1]))
        generation.keep(session, key, found)
    return found


def permissions_of(session: Session, user_id: int) -> frozenset[str]:
    """Every permission that the roles of a user grant, read anew."""
    by_role = grants(session)
    return frozenset().union(*(by_role.get(name, frozenset()) for name in roles_of(session, user_id)))


def roles_of(session: Session, user_id: int) -> tuple[str, ...]:
    query = select(role.c.name).join(user_role, user_role.c.role_id == role.c.id)
    return tuple(session.scalars(query.where(user_role.c.user_id == user_id).order_by(role.c.name)))


def role_names(session: Session) -> set[str]:
    """Every role there is."""
    return set(session.scalars(select(role.c.name)))


def assign(session: Session, user_id: int, names: Iterable[str]) -> None:
    """Give a user these roles and no others. Unknown names raise LookupError."""
    ids = dict(session.execute(select(role.c.name, role.c.id)).tuples().all())
    wanted = set(names)
    if unknown := wanted - ids.keys():
        raise LookupError(f"no role is called {', '.join(sorted(unknown))}")
    session.execute(user_role.delete().where(user_role.c.user_id == user_id))
    rows = [{"user_id": user_id, "role_id": ids[name]} for name in sorted(wanted)]
    _insert(session, user_role, rows)


def sync(session: Session, known: Iterable[str], grants: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Write permissions and default grants that are missing, in bulk; takes nothing away from a role.

    Default grants are given once, when the permission or the role first appears, so that what an admin took away
    stays away. Admin holds everything. Returns counts of what was added.
    """
    locks.advisory(session, "core.access.sync")
    before = _permission_ids(session)
    fresh = {name: fab_name(name) for name in known if name not in before}
    old_roles = set(session.scalars(select(role.c.name)))
    roles = _ids_by_name(session, role, {*ROLES, *grants})
    if fresh:
        permissions = _ids_by_name(session, permission, {pair[0] for pair in fresh.values()})
        views = _ids_by_name(session, view_menu, {pair[1] for pair in fresh.values()})
        pairs = [{"permission_id": permissions[p], "view_menu_id": views[v]} for p, v in fresh.values()]
        _insert(session, permission_view, pairs)
    ids = _permission_ids(session) if fresh else before
    granted = [
        {"permission_view_id": ids[name], "role_id": roles[holder]}
        for holder, names in {**grants, "Admin": list(fresh)}.items()
        for name in names
        if name in fresh or (holder not in old_roles and name in ids)
    ]
    _insert(session, permission_view_role, granted)
    if granted:
        generation.advance(session)
    return {"permissions": len(fresh)}


def _permission_ids(session: Session) -> dict[str, int]:
    """The id in the role tables of every permission there, by its name."""
    query = (
        select(permission.c.name, view_menu.c.name, permission_view.c.id)
        .select_from(permission_view)
        .join(permission, permission.c.id == permission_view.c.permission_id)
        .join(view_menu, view_menu.c.id == permission_view.c.view_menu_id)
    )
    return {permission_name(name, view): key for name, view, key in session.execute(query)}


def _ids_by_name(session: Session, named: Any, names: set[str]) -> dict[str, int]:
    ids: dict[str, int] = dict(session.execute(select(named.c.name, named.c.id)).tuples().all())
    if missing := sorted(names - ids.keys()):
        _insert(session, named, [{"name": name} for name in missing])
        ids = dict(session.execute(select(named.c.name, named.c.id)).tuples().all())
    return ids


def _insert(session: Session, into: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(into).values(rows))


def member_permissions(session: Session, member_id: UUID) -> frozenset[str]:
    """Every permission of a member; none without an account."""
    user_id = session.scalar(select(member.c.user_id).where(member.c.id == member_id))
    return permissions_of(session, user_id) if user_id else frozenset()


def holders_of(name: str) -> Select[Any]:
    """A query of the users whose roles grant the permission ``name``."""
    fab_permission, view = fab_name(name)
    return (
        select(user_role.c.user_id)
        .join(permission_view_role, permission_view_role.c.role_id == user_role.c.role_id)
        .join(permission_view, permission_view.c.id == permission_view_role.c.permission_view_id)
        .join(permission, permission.c.id == permission_view.c.permission_id)
        .join(view_menu, view_menu.c.id == permission_view.c.view_menu_id)
        .where(permission.c.name == fab_permission, view_menu.c.name == view)
    )


def grants(session: Session) -> dict[str, frozenset[str]]:
    """What each role grants, by its name; a role that grants nothing is there too."""
    query = (
        select(role.c.name, permission.c.name, view_menu.c.name)
        .select_from(role)
        .outerjoin(permission_view_role, permission_view_role.c.role_id == role.c.id)
        .outerjoin(permission_view, permission_view.c.id == permission_view_role.c.permission_view_id)
        .outerjoin(permission, permission.c.id == permission_view.c.permission_id)
        .outerjoin(view_menu, view_menu.c.id == permission_view.c.view_menu_id)
    )
    held: dict[str, set[str]] = {}
    for name, fab_permission, view in session.execute(query):
        held.setdefault(name, set())
        if fab_permission:
            held[name].add(permission_name(fab_permission, view))
    return {name: frozenset(names) for name, names in held.items()}


@dataclass(frozen=True)
class Explanation:
    """Whether a member may do something, and why: ``reason`` is one of

    - ``granted``: by ``roles``, which the member has;
    - ``own``: only with records that belong to the member;
    - ``disabled``: the plugin is off, whatever the roles grant;
    - ``inactive``: the member is suspended or closed;
    - ``no_account``: the member has no account, and so no roles;
    - ``missing``: no role of the member grants it; ``roles`` are those that would;
    - ``unknown``: no plugin declares such a permission.
    """

    permission: str
    allowed: bool
    reason: str
    roles: tuple[str, ...] = ()


def explain(session: Session, member_id: UUID, name: str) -> Explanation:
    """Why a member may do what ``name`` stands for, or may not. Raises NotFound for an unknown member."""
    return explain_each(session, member_id, [name])[0]


def explain_each(
    session: Session,
    member_id: UUID,
    names: Iterable[str] | None = None,
    by_role: Mapping[str, frozenset[str]] | None = None,
) -> list[Explanation]:
    """``explain`` for every permission there is, or for these; ``by_role`` is ``grants``, where it is known.

    Raises NotFound.
    """
    registry = session.info["registry"]
    found = session.execute(select(member.c.user_id, member.c.status).where(member.c.id == member_id)).first()
    if found is None:
        raise NotFound()
    has = set(roles_of(session, found.user_id)) if found.user_id else set()
    by_role, off = by_role or grants(session), lifecycle.disabled(session)
    owned = {
        bound.permission(action)
        for bound in registry.resources.values()
        if bound.resource.owner
        for action in OWN
        if action in bound.resource.actions
    }

    def one(name: str) -> Explanation:
        granting = tuple(sorted(role for role, held in by_role.items() if name in held))
        mine = tuple(role for role in granting if role in has)
        if name not in registry.permissions:
            return Explanation(name, False, "unknown")
        if name.split(":")[0] in off:
            return Explanation(name, False, "disabled", mine)
        if found.status != "active":
            return Explanation(name, False, "inactive", mine)
        if mine:
            return Explanation(name, True, "granted", mine)
        if found.user_id is None:
            return Explanation(name, False, "no_account", granting)
        return Explanation(name, name in owned, "own" if name in owned else "missing", granting)

    return [one(name) for name in (sorted(registry.permissions) if names is None else names)]


REASONS = {
    "granted": _("By the role {roles}."),
    "own": _("Only for their own records."),
    "disabled": _("The plugin is off."),
    "inactive": _("The member is not active."),
    "no_account": _("The member has no account."),
    "missing": _("None of the member's roles grants it."),
    "unknown": _("There is no such permission."),
}


def sentence(why: Explanation) -> str:
    """The reason in the reader's language."""
    text: str = gettext(REASONS[why.reason])
    return text.format(roles=", ".join(why.roles))
