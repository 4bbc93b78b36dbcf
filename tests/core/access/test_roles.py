"""Roles as data: made, changed and given by admins; and why a member may do something."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import access, lifecycle, roles
from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import Invalid, NotFound
from core.members.models import Member
from core.members.service import register

SHOW = "core:member:show"


def member(session: Session, name: str, *given: str) -> Member:
    system = Actor.system("test")
    return register(
        session, system, email=f"{name}@example.org", password=None, display_name=name, roles=given or ("User",)
    )


def trail(session: Session, action: str) -> list[dict[str, Any]]:
    session.flush()
    return [
        row.changes for row in session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.id))
    ]


def generation(session: Session) -> int:
    return int(session.scalar(text("SELECT value FROM core_generation")) or 0)


def limited(*permissions: str) -> Actor:
    return Actor(kind="member", name="Amina", permissions=frozenset(permissions))


def test_a_role_is_made_filled_given_renamed_and_deleted(session: Session, system: Actor) -> None:
    amina = member(session, "amina")
    before = generation(session)
    roles.create(session, system, " Auditor ")
    roles.grant(session, system, "Auditor", ["core:audit:list", SHOW])
    roles.assign(session, system, amina.id, ["User", "Auditor"])
    assert {"core:audit:list", SHOW} <= access.member_permissions(session, amina.id)
    assert roles.members_of(session)["Auditor"] == 1
    roles.rename(session, system, "Auditor", "Reviewer")
    assert access.roles_of(session, amina.user_id or 0) == ("Reviewer", "User")
    with pytest.raises(roles.RoleInUse, match="1 members have the role Reviewer"):
        roles.remove(session, system, "Reviewer")
    roles.assign(session, system, amina.id, ["User"])
    roles.remove(session, system, "Reviewer")
    assert "Reviewer" not in access.grants(session)
    assert generation(session) == before + 6


def test_every_change_is_in_the_trail(session: Session, system: Actor) -> None:
    amina = member(session, "amina")
    roles.create(session, system, "Auditor")
    roles.grant(session, system, "Auditor", ["core:audit:list", SHOW])
    roles.grant(session, system, "Auditor", [SHOW])
    roles.assign(session, system, amina.id, ["Auditor"])
    assert trail(session, "core.role.created") == [{}]
    assert trail(session, "core.role.granted")[-2:] == [
        {"permissions": [[], ["core:audit:list", SHOW]]},
        {"permissions": [["core:audit:list"], []]},
    ]
    assert trail(session, "core.member.roles_changed")[-1] == {"roles": [["User"], ["Auditor"]]}


def test_what_changes_nothing_is_not_in_the_trail(session: Session, system: Actor) -> None:
    amina = member(session, "amina")
    roles.assign(session, system, amina.id, ["User"])
    roles.grant(session, system, "Service", access.grants(session)["Service"])
    assert trail(session, "core.member.roles_changed") == trail(session, "core.role.granted") == []


@pytest.mark.parametrize("name", ["User", "Moderator", "Admin", "Service"])
def test_built_in_roles_stay(session: Session, system: Actor, name: str) -> None:
    with pytest.raises(roles.RoleBuiltIn):
        roles.remove(session, system, name)
    with pytest.raises(roles.RoleBuiltIn):
        roles.rename(session, system, name, "Other")


def test_admin_holds_everything(session: Session, system: Actor) -> None:
    with pytest.raises(roles.AdminHoldsAll):
        roles.grant(session, system, "Admin", [])


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x00b", "a\nb"])
def test_a_name_that_cannot_be(session: Session, system: Actor, name: str) -> None:
    with pytest.raises(Invalid):
        roles.create(session, system, name)


def test_a_name_is_there_once(session: Session, system: Actor) -> None:
    roles.create(session, system, "Auditor")
    for twice in (
        lambda: roles.create(session, system, "Auditor"),
        lambda: roles.create(session, system, "User"),
        lambda: roles.rename(session, system, "Auditor", "User"),
    ):
        with pytest.raises(roles.RoleExists):
            twice()


def test_what_is_not_there(session: Session, system: Actor) -> None:
    amina = member(session, "amina")
    for missing in (
        lambda: roles.grant(session, system, "Nobody", []),
        lambda: roles.remove(session, system, "Nobody"),
        lambda: roles.assign(session, system, UUID(int=1), ["User"]),
    ):
        with pytest.raises(NotFound):
            missing()
    with pytest.raises(Invalid):
        roles.grant(session, system, "User", ["core:member:fly"])
    with pytest.raises(Invalid):
        roles.assign(session, system, amina.id, ["Emperor"])


def test_nobody_gives_what_they_do_not_hold(session: Session, system: Actor) -> None:
    amina, moderator = member(session, "amina"), limited("core:role:assign", "core:role:update", SHOW)
    with pytest.raises(roles.NotYours):
        roles.assign(session, moderator, amina.id, ["User", "Admin"])
    with pytest.raises(roles.NotYours, match="core:audit:list"):
        roles.grant(session, moderator, "User", ["core:audit:list"])
    roles.create(session, system, "Looker")
    roles.grant(session, moderator, "Looker", [SHOW])
    roles.assign(session, moderator, amina.id, ["User", "Looker"])
    assert SHOW in access.member_permissions(session, amina.id)


def test_only_an_admin_makes_or_unmakes_an_admin(session: Session, system: Actor) -> None:
    amina, admin = member(session, "amina"), member(session, "admin", "Admin", "User")
    everything = limited(*session.info["registry"].permissions)
    with pytest.raises(roles.NotYours, match="Admin"):
        roles.assign(session, everything, amina.id, ["User", "Admin"])
    for fewer in (["User"], ["Admin"]):
        with pytest.raises(roles.AdminsOnly):
            roles.assign(session, everything, admin.id, fewer)
    assert access.roles_of(session, admin.user_id or 0) == ("Admin", "User")


def test_the_last_active_admin_stays_one(session: Session, system: Actor) -> None:
    first, second = member(session, "first", "Admin"), member(session, "second", "Admin", "User")
    roles.assign(session, system, second.id, ["User"])
    with pytest.raises(roles.LastAdmin):
        roles.assign(session, system, first.id, ["User"])
    session.rollback()


def test_a_suspended_admin_does_not_count(session: Session, system: Actor) -> None:
    first, second = member(session, "first", "Admin"), member(session, "second", "Admin")
    second.status = "suspended"
    session.flush()
    with pytest.raises(roles.LastAdmin):
        roles.assign(session, system, first.id, ["User"])


def test_two_admins_who_demote_each_other_at_once_leave_one(shop: Any, system: Actor) -> None:
    platform = shop.open()
    with platform.unit_of_work(system) as session:
        both = [member(session, f"race{n}", "Admin").id for n in range(2)]

    def demote(key: UUID) -> str:
        try:
            with platform.unit_of_work(system) as session:
                roles.assign(session, system, key, ["User"])
        except roles.LastAdmin as problem:
            return problem.code
        return "done"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(demote, both)) == ["LAST_ADMIN", "done"]


def test_why_a_member_may(session: Session, system: Actor) -> None:
    amina = member(session, "amina", "Moderator")
    why = access.explain(session, amina.id, SHOW)
    assert (why.allowed, why.reason, why.roles) == (True, "granted", ("Moderator",))
    assert access.sentence(why) == "By the role Moderator."


@pytest.mark.parametrize(
    ("permission", "allowed", "reason"),
    [
        ("core:audit:list", False, "missing"),
        ("suggestions:suggestion:list", True, "own"),
        ("suggestions:suggestion:delete", False, "missing"),
        ("core:member:fly", False, "unknown"),
    ],
)
def test_why_a_member_may_not(session: Session, permission: str, allowed: bool, reason: str) -> None:
    bilal = member(session, "bilal", "Service")
    why = access.explain(session, bilal.id, permission)
    assert (why.allowed, why.reason) == (allowed, reason)
    if reason == "missing":
        assert "Admin" in why.roles


def test_a_suspended_member_may_nothing(session: Session) -> None:
    amina = member(session, "amina", "Admin")
    amina.status = "suspended"
    session.flush()
    assert {one.reason for one in access.explain_each(session, amina.id)} == {"inactive"}


def test_a_member_without_account_has_no_roles(session: Session, system: Actor) -> None:
    session.add(shadow := Member(display_name="Shadow", source="import"))
    session.flush()
    assert {one.reason for one in access.explain_each(session, shadow.id)} == {"no_account"}
    with pytest.raises(roles.NoAccount):
        roles.assign(session, system, shadow.id, ["User"])
    with pytest.raises(NotFound):
        access.explain(session, UUID(int=1), SHOW)


def test_a_plugin_that_is_off_lets_nobody(session: Session, system: Actor) -> None:
    amina = member(session, "amina", "Admin")
    for name in ("demo", "suggestions"):
        lifecycle.set_enabled(session, system, name, False)
    why = access.explain(session, amina.id, "suggestions:suggestion:list")
    assert (why.allowed, why.reason, why.roles) == (False, "disabled", ("Admin",))
