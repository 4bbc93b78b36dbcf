"""The roles pages: which roles there are, what each grants, who has them; and the access card of a member."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import access, lifecycle, roles
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.errors import NotFound
from core.gateway.request import platform
from core.i18n import _
from core.members import standing
from core.plugin import ACTIONS

HOME = "/admin/access"
pages = PageBlueprint("core_access", url_prefix=HOME)


@pages.get("", permission="core:role:list")
def overview(session: Session, actor: Actor) -> Any:
    counts, granted, own = roles.members_of(session), access.grants(session), roles.built_in(session)
    keys = dict(session.execute(select(access.role.c.name, access.role.c.id)).tuples().all())
    order = {name: place for place, name in enumerate(access.ROLES)}
    rows = [
        {
            "name": name,
            "url": f"{HOME}/{keys[name]}",
            "built_in": name in own,
            "members": counts.get(name, 0),
            "permissions": len(granted[name]),
        }
        for name in sorted(granted, key=lambda name: (order.get(name, len(order)), name))
    ]
    return render("guildhall/roles.html", rows=rows)


@pages.post("", permission="core:role:update")
def create(session: Session, actor: Actor) -> Any:
    name = request.form.get("name", "").strip()
    if not tried(session, lambda: roles.create(session, actor, name)):
        return redirect(HOME)
    flash(_("The role {role} is there. Say now what it grants."), role=name)
    return redirect(f"{HOME}/{session.scalar(select(access.role.c.id).where(access.role.c.name == name))}")


@pages.get("/<int:key>", permission="core:role:list")
def show(session: Session, actor: Actor, key: int) -> Any:
    name = _name(session, key)
    held, off = access.grants(session)[name], lifecycle.disabled(session)
    return render(
        "guildhall/role.html",
        name=name,
        url=f"{HOME}/{key}",
        built_in=name in roles.built_in(session),
        members=roles.members_of(session)[name],
        groups=_groups(held, off),
        held=len(held),
    )


@pages.post("/<int:key>", permission="core:role:update")
def grant(session: Session, actor: Actor, key: int) -> Any:
    name = _name(session, key)
    if not tried(session, lambda: roles.grant(session, actor, name, request.form.getlist("permission"))):
        return redirect(f"{HOME}/{key}")
    flash(_("Saved. It holds in every process from the next request on."))
    return redirect(f"{HOME}/{key}")


@pages.post("/<int:key>/rename", permission="core:role:update")
def rename(session: Session, actor: Actor, key: int) -> Any:
    name = _name(session, key)
    if not tried(session, lambda: roles.rename(session, actor, name, request.form.get("name", ""))):
        return redirect(f"{HOME}/{key}")
    flash(_("Saved."))
    return redirect(f"{HOME}/{key}")


@pages.post("/<int:key>/delete", permission="core:role:update")
def delete(session: Session, actor: Actor, key: int) -> Any:
    name = _name(session, key)
    if not tried(session, lambda: roles.remove(session, actor, name)):
        return redirect(f"{HOME}/{key}")
    flash(_("The role {role} is gone."), role=name)
    return redirect(HOME)


@pages.post("/members/<uuid:key>", permission="core:role:assign")
def assign(session: Session, actor: Actor, key: UUID) -> Any:
    """Give a member the ticked roles and no others, with a reason."""
    wanted, reason = request.form.getlist("role"), request.form.get("reason", "")
    if not tried(session, lambda: roles.assign(session, actor, key, wanted, reason=standing.reason_given(reason))):
        return redirect(f"/admin/members/{key}/access")
    flash(_("Saved. It holds in every process from the next request on."))
    return redirect(f"/admin/members/{key}/access")


def card(session: Session, actor: Actor, member_id: UUID, has: tuple[str, ...]) -> dict[str, Any]:
    """What ``guildhall/member_access.html`` shows on the member page."""
    labels = {one.name: gettext(one.label) for one in platform().registry.permissions.values()}
    by_role = access.grants(session)
    explained = [one for one in access.explain_each(session, member_id, by_role=by_role) if one.allowed or one.roles]
    return {
        "roles": [(name, name in has) for name in sorted(by_role)],
        "explained": [
            {"name": one.permission, "label": labels[one.permission], "why": one, "sentence": access.sentence(one)}
            for one in explained
        ],
        "allowed": sum(one.allowed for one in explained),
    }


def _name(session: Session, key: int) -> str:
    name = session.scalar(select(access.role.c.name).where(access.role.c.id == key)) if key < 2**31 else None
    if name is None:
        raise NotFound()
    return str(name)


def _groups(held: frozenset[str], off: frozenset[str]) -> list[dict[str, Any]]:
    """Every permission by plugin and resource: what the role grants of it."""
    registry = platform().registry
    groups = []
    for plugin in registry.plugins.values():
        rows: dict[str, list[dict[str, Any]]] = {}
        for one in registry.permissions.values():
            owner, resource, action = one.name.split(":")
            if owner == plugin.name:
                about = {"name": one.name, "action": action, "label": gettext(one.label), "held": one.name in held}
                rows.setdefault(resource, []).append(about)
        for found in rows.values():
            found.sort(key=lambda about: ACTIONS.index(about["action"]) if about["action"] in ACTIONS else 9)
        if rows:
            groups.append({"plugin": plugin, "off": plugin.name in off, "rows": sorted(rows.items())})
    return groups
