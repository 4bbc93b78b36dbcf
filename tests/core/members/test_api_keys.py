"""API keys: what they may do, when they end, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from core import access
from core.actor import Actor
from core.clock import frozen, now
from core.members.models import ApiKey, Member
from core.platform import Platform
from tests.core.doors import Person

KEYS, MEMBERS = "/api/v1/core/api-keys", "/api/v1/core/members"


def make(person: Person, *scopes: str, **more: Any) -> Any:
    return person.post(KEYS, {"name": "Robot", "scopes": list(scopes), **more})


def key_of(person: Person, *scopes: str, **more: Any) -> str:
    answer = make(person, *scopes, **more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["data"]["key"])


def ask(people: Callable[..., Person], key: str, path: str = MEMBERS, header: str = "Authorization") -> Any:
    value = f"Bearer {key}" if header == "Authorization" else key
    return people().get(path, headers={header: value})


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_opens_what_its_scopes_name_and_nothing_else(people: Callable[..., Person], header: str) -> None:
    key = key_of(people("Admin"), "core:member:list")
    answer = ask(people, key, header=header)
    assert answer.status_code == 200, answer.json
    refused = ask(people, key, KEYS, header)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "PERMISSION_MISSING")


@pytest.mark.parametrize("scope", ["core:*:list", "core:read", "*:member:*"])
def test_a_scope_may_stand_for_many(people: Callable[..., Person], scope: str) -> None:
    assert ask(people, key_of(people("Admin"), scope)).status_code == 200


def test_a_key_may_no_more_than_its_owner_may_now(site: Platform, people: Callable[..., Person]) -> None:
    admin = people("Admin")
    key = key_of(admin, "core:member:list")
    assert admin.member is not None
    with site.unit_of_work() as session:
        access.assign(session, admin.member.user_id or 0, ["User"])
    assert ask(people, key).status_code == 403
    with site.unit_of_work() as session:
        session.execute(update(Member).where(Member.id == admin.member.id).values(status="suspended"))
    assert ask(people, key).status_code == 401


def test_a_key_does_not_stand_for_the_person(people: Callable[..., Person]) -> None:
    key = key_of(people("Admin"), "core:*:*")
    for path in ("/api/v1/core/me/sessions", "/profile"):
        assert ask(people, key, path).status_code == 403
    headers = {"Authorization": f"Bearer {key}"}
    another = people().post(KEYS, {"name": "x", "scopes": ["core:member:list"]}, headers=headers)
    assert (another.status_code, another.json["error"]["code"]) == (403, "STEP_UP_REQUIRED")


def test_a_revoked_key_ends_at_once(people: Callable[..., Person]) -> None:
    admin = people("Admin")
    made = make(admin, "core:member:list").json["data"]
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert ask(people, made["key"]).json["error"]["code"] == "TOKEN_INVALID"
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 404


def test_a_key_ends_when_its_time_is_over(people: Callable[..., Person]) -> None:
    ends = (now() + timedelta(days=1)).isoformat()
    key = key_of(people("Admin"), "core:member:list", expires_at=ends)
    assert ask(people, key).status_code == 200
    with frozen(now() + timedelta(days=2)):
        assert ask(people, key).status_code == 401


@pytest.mark.parametrize("key", ["gh_", "gh_00000000_nonsense", "gh_é", "gh_" + "x" * 10_000])
def test_a_key_that_never_was(people: Callable[..., Person], key: str) -> None:
    assert ask(people, key.encode("latin-1", "replace").decode("latin-1")).status_code == 401


@pytest.mark.parametrize("scopes", [[], ["nonsense"], ["core"], ["wallet:unknown:list"], ["core:member:list:x"], ["*"]])
def test_scopes_that_mean_nothing_are_refused(people: Callable[..., Person], scopes: list[str]) -> None:
    assert make(people("Admin"), *scopes).json["error"]["details"].keys() == {"scopes"}


def test_making_one_takes_a_fresh_proof(people: Callable[..., Person]) -> None:
    admin = people("Admin")
    with frozen(now() + timedelta(minutes=11)):
        assert make(admin, "core:member:list").json["error"]["code"] == "STEP_UP_REQUIRED"


def test_the_table_holds_a_hash_and_the_last_use_to_the_minute(site: Platform, people: Callable[..., Person]) -> None:
    made = make(people("Admin"), "core:member:list").json["data"]
    at, uses = now(), []
    for seconds in (0, 30, 70):
        with frozen(at + timedelta(seconds=seconds)):
            ask(people, made["key"])
        with site.unit_of_work() as session:
            uses.append(session.get_one(ApiKey, made["id"]).last_used_at)
    assert uses == [at, at, at + timedelta(seconds=70)]
    with site.unit_of_work() as session:
        kept = session.scalar(text("SELECT row(k.*)::text FROM core_api_key k WHERE id = :id"), {"id": made["id"]})
    assert made["prefix"] in kept and made["key"].split("_", 2)[2] not in kept


def test_the_page_makes_shows_once_and_ends(people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    assert admin.send("/admin/api-keys", name="", scopes="").status_code == 422
    page = admin.send("/admin/api-keys", name="Grafana", scopes="core:member:list\ncore:event:list", days="30").text
    assert "Grafana" in page and page.count("gh_") > 2
    assert "shown this once" not in admin.get("/admin/api-keys").text
    assert people("User", browser=True).get("/admin/api-keys").status_code == 403


def test_a_cookie_beside_a_key_does_not_count(people: Callable[..., Person]) -> None:
    key = key_of(people("Admin"), "core:event:list")
    browser = people("Admin", browser=True)
    assert browser.get(MEMBERS, headers={"X-API-Key": key}).status_code == 403


def test_what_scopes_leave_of_permissions() -> None:
    held = {"wallet:account:list", "wallet:account:create", "core:member:show"}
    assert access.within(held, ["wallet:read"]) == {"wallet:account:list"}
    assert access.within(held, ["wallet:write", "core:*:*"]) == {"wallet:account:create", "core:member:show"}
    assert access.within(held, ["core:member:delete"]) == frozenset()
    assert Actor.system("test").session_id is None
