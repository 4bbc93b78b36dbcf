"""Permissions as data: names, patterns of roles, and what the start writes once and never again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import access
from core.platform import Platform

part = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
KNOWN = {"wallet:transfer:create", "wallet:transfer:list", "wallet:account:list", "badges:badge:list"}


@given(part, part, part)
def test_names_are_kept_in_the_role_tables_and_come_back(plugin: str, resource: str, action: str) -> None:
    name = f"{plugin}:{resource}:{action}"
    assert access.permission_name(*access.fab_name(name)) == name


def test_a_permission_in_the_role_tables() -> None:
    assert access.fab_name("wallet:transfer:create") == ("can_create", "wallet.transfer")


@pytest.mark.parametrize(
    ("patterns", "granted"),
    [
        (["wallet:transfer:create"], {"wallet:transfer:create"}),
        (["wallet:transfer:*"], {"wallet:transfer:create", "wallet:transfer:list"}),
        (["wallet:*:list"], {"wallet:transfer:list", "wallet:account:list"}),
        (["*:*:list"], {"wallet:transfer:list", "wallet:account:list", "badges:badge:list"}),
        (["*:*:*"], KNOWN),
        (["wallet:trans*:create", "wallet:loan:create", "wall:*:*"], set()),
        ([], set()),
    ],
)
def test_patterns_of_a_role(patterns: list[str], granted: set[str]) -> None:
    assert access.role_grants(patterns, dict.fromkeys(KNOWN)) == granted


def test_bundles_are_read_and_write() -> None:
    names = ["wallet:account:list", "wallet:account:show", "badges:badge:list", "badges:badge:preview"]
    assert access.bundles(names) == ["badges:read", "badges:write", "wallet:read"]
    assert access.bundles([]) == []


def held(session: Session, role: str) -> set[str]:
    query = text(
        "SELECT p.name, v.name FROM ab_permission_view_role pvr JOIN ab_role r ON r.id = pvr.role_id "
        "JOIN ab_permission_view pv ON pv.id = pvr.permission_view_id "
        "JOIN ab_permission p ON p.id = pv.permission_id JOIN ab_view_menu v ON v.id = pv.view_menu_id "
        "WHERE r.name = :role"
    )
    return {access.permission_name(*row) for row in session.execute(query, {"role": role})}


def take(session: Session, role: str, name: str) -> None:
    """An admin takes a permission from a role."""
    query = text(
        "DELETE FROM ab_permission_view_role WHERE role_id = (SELECT id FROM ab_role WHERE name = :role) "
        "AND permission_view_id = (SELECT pv.id FROM ab_permission_view pv "
        "JOIN ab_permission p ON p.id = pv.permission_id JOIN ab_view_menu v ON v.id = pv.view_menu_id "
        "WHERE p.name = :permission AND v.name = :view)"
    )
    permission, view = access.fab_name(name)
    session.execute(query, {"role": role, "permission": permission, "view": view})


NEW = {"zoo:animal:list", "zoo:animal:feed"}
GRANTS = {"Moderator": {"zoo:animal:list"}, "Keeper": NEW}


def test_new_permissions_go_to_the_roles_that_ask_and_to_admin(session: Session) -> None:
    assert access.sync(session, NEW, GRANTS) == {"permissions": 2}
    assert {role: held(session, role) & NEW for role in ("User", "Moderator", "Keeper", "Admin")} == {
        "User": set(), "Moderator": {"zoo:animal:list"}, "Keeper": NEW, "Admin": NEW,
    }  # fmt: skip


def test_a_second_time_adds_nothing(session: Session) -> None:
    access.sync(session, NEW, GRANTS)
    tables = ("ab_permission_view", "ab_permission_view_role", "ab_role", "ab_permission", "ab_view_menu")
    counts = [session.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables]
    assert access.sync(session, NEW, GRANTS) == {"permissions": 0}
    assert [session.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables] == counts


def test_what_an_admin_took_away_stays_away(session: Session) -> None:
    access.sync(session, NEW, GRANTS)
    take(session, "Keeper", "zoo:animal:feed")
    access.sync(session, {*NEW, "zoo:animal:wash"}, {"Keeper": {*NEW, "zoo:animal:wash"}})
    assert held(session, "Keeper") == {"zoo:animal:list", "zoo:animal:wash"}


def test_what_an_admin_gave_stays(session: Session) -> None:
    access.sync(session, NEW, GRANTS)
    access.sync(session, NEW, {})
    assert held(session, "Keeper") == NEW


def test_a_role_that_comes_later_gets_what_it_asks_for(session: Session) -> None:
    access.sync(session, NEW, {})
    access.sync(session, NEW, {"Keeper": NEW})
    assert held(session, "Keeper") == NEW


def user(session: Session, name: str) -> int:
    row = {"name": name}
    query = "INSERT INTO ab_user (id, first_name, last_name, username, email, active) "
    query += "VALUES (nextval(pg_get_serial_sequence('ab_user', 'id')), '', '', :name, :name, true) RETURNING id"
    return int(session.scalar(text(query), row) or 0)


def test_a_user_may_do_what_any_of_the_roles_may(session: Session) -> None:
    access.sync(session, NEW, GRANTS)
    amina = user(session, "amina")
    access.assign(session, amina, ["Keeper", "Keeper"])
    assert access.roles_of(session, amina) == ("Keeper",)
    assert access.permissions_of(session, amina) == NEW
    access.assign(session, amina, [])
    assert access.permissions_of(session, amina) == frozenset()


def test_an_unknown_role_is_refused_and_changes_nothing(session: Session) -> None:
    amina = user(session, "amina")
    access.assign(session, amina, ["User"])
    with pytest.raises(LookupError, match="no role is called Emperor"):
        access.assign(session, amina, ["Admin", "Emperor"])
    assert access.roles_of(session, amina) == ("User",)


def test_every_declared_permission_is_in_the_tables_and_admin_holds_it(
    clean_platform: Platform, session: Session
) -> None:
    assert held(session, "Admin") >= set(clean_platform.registry.permissions)


def test_starts_at_once_write_each_permission_once(shop: Any) -> None:
    platform = shop.open()

    def start(_: int) -> int:
        with platform.unit_of_work() as session:
            return access.sync(session, NEW, GRANTS)["permissions"]

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(start, range(2))) == [0, 2]
