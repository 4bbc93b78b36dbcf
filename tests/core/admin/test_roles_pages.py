"""Roles pages, the access card of a member, and what REST says of a member's permissions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from core.ids import new_id
from tests.core.doors import Person

HOME = "/admin/access"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    people("Admin")  # another one, so that nobody is the last
    return people("Admin", browser=True)


@pytest.fixture
def auditor(admin: Person) -> tuple[str, str]:
    """Name and address of a new role."""
    name = f"Auditor {new_id().hex[-8:]}"
    made = admin.send(HOME, name=name)
    assert made.status_code == 303
    return name, made.location


def ticked(page: str) -> set[str]:
    return set(re.findall(r'name="permission" value="([^"]+)"[^>]* checked', page))


def test_a_role_is_made_filled_and_given_with_the_mouse(
    admin: Person, auditor: tuple[str, str], people: Callable[..., Person]
) -> None:
    name, address = auditor
    assert name in admin.get(HOME).text
    assert ticked(admin.get(address).text) == set()
    admin.send(address, permission=["core:audit:list", "core:member:show"])
    assert ticked(admin.get(address).text) == {"core:audit:list", "core:member:show"}
    amina = people("User")
    assert amina.get("/admin/audit").status_code == 403
    assert admin.send(f"{HOME}/members/{amina.id}", reason="Helps", role=["User", name]).status_code == 303
    assert amina.get("/admin/audit").status_code == 200  # the same token, the next request
    admin.send(address, permission=["core:member:show"])
    assert amina.get("/admin/audit").status_code == 403
    page = admin.get(f"/admin/members/{amina.id}/access").text
    assert f"By the role {name}." in page


def test_a_role_is_renamed_and_deleted(admin: Person, auditor: tuple[str, str]) -> None:
    name, address = auditor
    admin.send(f"{address}/rename", name=f"{name} 2")
    assert f"{name} 2" in admin.get(address).text
    assert admin.send(f"{address}/delete").location == HOME
    assert admin.get(address).status_code == 404


def test_a_refusal_is_said_on_the_page(admin: Person, auditor: tuple[str, str]) -> None:
    _name, address = auditor
    admin.send(f"{address}/rename", name="Admin")
    assert "There is already a role called Admin." in admin.get(address).text
    admin.send(HOME, name="")
    assert "Give a name of 1 to 64 characters." in admin.get(HOME).text


def test_built_in_roles_offer_neither_name_nor_end(admin: Person) -> None:
    found = re.search(r'href="(/admin/access/\d+)">Admin', admin.get(HOME).text)
    assert found
    page = admin.get(found[1]).text
    assert "/rename" not in page and "/delete" not in page
    assert re.findall(r'name="permission"(?![^>]*disabled)', page) == []
    admin.send(f"{found[1]}/delete")
    assert "is built in" in admin.get(found[1]).text


@pytest.mark.parametrize("path", [HOME, f"{HOME}/1", f"{HOME}/1/rename", f"{HOME}/1/delete"])
def test_who_may_not_does_not(people: Callable[..., Person], path: str) -> None:
    moderator = people("Moderator", browser=True)
    assert moderator.send(path).status_code == 403
    assert moderator.send(f"{HOME}/members/{moderator.id}", reason="Helps", role=["Admin"]).status_code == 403
    assert "Save roles" not in moderator.get(f"/admin/members/{moderator.id}/access").text


def test_rest_says_what_a_member_may_do_and_why(people: Callable[..., Person]) -> None:
    amina, moderator = people("User"), people("Moderator")
    address = f"/api/v1/core/members/{amina.id}/permissions"
    for asking in (amina, moderator):
        rows = {row["permission"]: row for row in asking.get(address).json["data"]}
        granted = rows["library:book:create"]
        assert (granted["allowed"], granted["reason"], granted["roles"]) == (True, "granted", ["User"])
        assert granted["explanation"] == "By the role User."
        assert rows["library:book:show"]["reason"] == "own"
    one = amina.get(address, query_string={"permission": "core:audit:list"}).json["data"]
    assert [(row["permission"], row["allowed"], row["reason"]) for row in one] == [
        ("core:audit:list", False, "missing")
    ]


def test_rest_tells_others_nothing(people: Callable[..., Person]) -> None:
    amina, bilal = people("User"), people("User")
    there, nowhere = (
        bilal.get(f"/api/v1/core/members/{key}/permissions").json["error"] for key in (amina.id, new_id())
    )
    assert there == nowhere and there["code"] == "PERMISSION_MISSING"
    assert people("Moderator").get(f"/api/v1/core/members/{new_id()}/permissions").status_code == 404
