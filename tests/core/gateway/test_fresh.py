"""What changed in one process shows in every other at the next request of who is signed in, though much is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from core import generation, lifecycle, roles, settings
from core.actor import Actor
from core.members import api_keys, language, sessions
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.conftest import test_config
from tests.core import library
from tests.core.doors import Person

SYSTEM = Actor.system("test")
BOOKS = "/api/v1/library/books"
LIST = "/admin/library/book/list/"


@pytest.fixture(scope="module")
def other(site: Platform) -> Iterator[Flask]:
    """Another process of the same platform: it shares the database, and nothing that is kept."""
    from app import create_app

    platform = Platform(test_config(), site.database.url, site.redis_url, extra=[library.plugin])
    yield create_app(platform)
    platform.database.dispose()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the generation by itself here: what is seen at once is seen by the request's own statement."""
    monkeypatch.setattr(generation, "LOOK_EVERY_SECONDS", 3600.0)


def beside(person: Person, other: Flask) -> Person:
    """The same person at the other process."""
    made = Person(other, person.member)
    made.headers = person.headers
    if not person.headers:
        with person.http.session_transaction() as cookie, made.http.session_transaction() as copy:
            copy.update(cookie)
    return made


@pytest.mark.parametrize("browser", [False, True])
def test_a_role_that_is_given_or_taken_counts_at_once(
    site: Platform, other: Flask, people: Callable[..., Person], browser: bool
) -> None:
    here = people("User", browser=browser)
    there = beside(here, other)
    path = "/api/v1/core/members"
    for names, status in ((("User",), 403), (("User", "Moderator"), 200), (("User",), 403)):
        with site.unit_of_work(SYSTEM) as session:
            roles.assign(session, SYSTEM, here.member.id, names)  # type: ignore[union-attr]
        assert (there.get(path).status_code, here.get(path).status_code) == (status, status)


def test_what_a_role_grants_counts_at_once_for_all_who_have_it(
    site: Platform, other: Flask, people: Callable[..., Person]
) -> None:
    with site.unit_of_work(SYSTEM) as session:
        roles.create(session, SYSTEM, "Librarian")
    here = people("Librarian", browser=True)
    there = beside(here, other)
    for granted in ((), ("library:book:list",), ()):
        with site.unit_of_work(SYSTEM) as session:
            roles.grant(session, SYSTEM, "Librarian", granted)
        for person in (there, here):
            assert (LIST in person.get("/profile").text) == bool(granted)  # in the sidebar


def test_an_api_key_loses_with_its_owner_at_once(site: Platform, other: Flask, people: Callable[..., Person]) -> None:
    owner = people("Moderator")
    assert owner.member is not None
    with site.unit_of_work(SYSTEM) as session:
        actor = sessions.actor_of(session, session_id=sessions.living(session, owner.member.id)[0].id)
        _row, key = api_keys.create(session, actor, name="reader", scopes=["core:member:list"])
    there = Person(other)
    there.headers = {"X-API-Key": key}
    assert there.get("/api/v1/core/members").status_code == 200
    with site.unit_of_work(SYSTEM) as session:
        roles.assign(session, SYSTEM, owner.member.id, ("User",))
    assert there.get("/api/v1/core/members").status_code == 403


def test_a_plugin_leaves_and_returns_at_once(site: Platform, other: Flask, people: Callable[..., Person]) -> None:
    here = people("Admin", browser=True)
    there = beside(here, other)
    for on in (True, False, True):
        with site.unit_of_work(SYSTEM) as session:
            lifecycle.set_enabled(session, SYSTEM, "library", on)
        for person in (there, here):
            assert person.get(LIST).status_code == (200 if on else 404)
            assert (LIST in person.get("/profile").text) == on


def test_a_setting_and_a_language_are_followed_at_once(
    site: Platform, other: Flask, people: Callable[..., Person]
) -> None:
    here = people("User", browser=True)
    there = beside(here, other)
    assert here.member is not None
    for code in ("ar", "fr", "en"):
        with site.unit_of_work(SYSTEM) as session:
            language.choose(session, SYSTEM, here.member.id, code, site.catalogues)
        assert f'lang="{code}"' in there.get("/profile").text
        assert f'lang="{code}"' in here.get("/profile").text
    admin = beside(people("Admin"), other)
    answered = []
    for addresses in ("203.0.113.0/24", ""):  # whatever is answered, nobody is locked out afterwards
        with site.unit_of_work(SYSTEM) as session:
            settings.write(session, SYSTEM, PlatformSettings, {"admin_addresses": addresses})
        answered.append(admin.get(BOOKS).status_code)
    assert answered == [403, 200]


def test_two_people_of_different_roles_share_nothing(other: Flask, people: Callable[..., Person]) -> None:
    admin, member = (beside(people(role, browser=True), other) for role in ("Admin", "User"))
    for _again in range(2):
        assert "/admin/plugins" in admin.get("/profile").text
        assert 'href="/admin/plugins"' not in member.get("/profile").text
