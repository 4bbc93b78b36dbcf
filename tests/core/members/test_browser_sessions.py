"""Signing in by the form: cookies, forms, and what does not survive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app import create_app
from core.actor import Actor
from core.clock import frozen, now
from core.ids import new_id
from core.members import service, sessions
from core.members.models import Member
from core.platform import Platform
from tests.conftest import test_config
from tests.core.doors import Person

PASSWORD = "correct horse battery"
BOOKS = "/api/v1/library/books"


@pytest.fixture
def member(site: Platform) -> Member:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        email = f"{new_id()}@example.org"
        return service.register(session, actor, email=email, password=PASSWORD, display_name="Ben")


@pytest.fixture
def secure(site: Platform) -> Iterator[Any]:
    """The application as people reach it over TLS."""
    platform = Platform(test_config(public_url="https://guild.example.org"), site.database.url, None)
    yield create_app(platform)
    platform.database.dispose()


def sign_in(person: Person, member: Member, **values: str) -> Any:
    return person.send("/login", **{"email": member.email, "password": PASSWORD, **values})


def cookie_of(person: Person) -> Any:
    return person.http.get_cookie("guildhall")


def test_the_form_signs_in(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    answer = sign_in(browser, member)
    assert (answer.status_code, answer.location) == (303, "/")
    assert browser.get("/profile").status_code == 200


def test_a_wrong_password_shows_the_form_again_and_keeps_the_address(
    people: Callable[..., Person], member: Member
) -> None:
    answer = sign_in(people(), member, password="another password")
    assert answer.status_code == 401
    assert str(member.email) in answer.text and "another password" not in answer.text


@pytest.mark.parametrize("email", ["a\x00@example.org", "x" * 100_000, "'; --", "<script>alert(1)</script>"])
def test_a_hostile_address_is_just_wrong(people: Callable[..., Person], email: str) -> None:
    answer = people().send("/login", email=email, password=PASSWORD)
    assert 400 <= answer.status_code < 500
    assert "<script>alert" not in answer.text


def test_the_cookie_is_for_this_site_and_no_script(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    kept = sign_in(browser, member).headers["Set-Cookie"]
    assert "HttpOnly" in kept and "SameSite=Lax" in kept and "Path=/" in kept and "Domain" not in kept


def test_over_tls_the_cookie_is_bound_to_the_host(secure: Any) -> None:
    answer = secure.test_client().get("/login", base_url="https://guild.example.org")
    kept = answer.headers["Set-Cookie"]
    assert kept.startswith("__Host-guildhall=")
    assert "Secure" in kept and "HttpOnly" in kept and "SameSite=Lax" in kept
    assert "Path=/" in kept and "Domain" not in kept
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_nothing_from_before_the_sign_in_survives_it(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    with browser.http.session_transaction() as cookie:
        cookie["planted"] = "by somebody else"
    before = browser.csrf
    sign_in(browser, member)
    with browser.http.session_transaction() as cookie:
        assert set(cookie) == {"sid"}
    assert browser.post("/profile/password", data={"csrf_token": before}).status_code == 400


def test_signing_in_over_another_session_ends_that_one(people: Callable[..., Person], member: Member) -> None:
    browser = people("User", browser=True)
    before = cookie_of(browser).value
    sign_in(browser, member)
    other = people()
    other.http.set_cookie("guildhall", before)
    assert other.get("/profile").status_code == 302


def test_a_cookie_replayed_after_signing_out_gets_the_sign_in_page(people: Callable[..., Person]) -> None:
    browser = people("User", browser=True)
    before = cookie_of(browser).value
    assert browser.send("/logout").location == "/login"
    thief = people()
    thief.http.set_cookie("guildhall", before)
    answer = thief.get("/profile")
    assert (answer.status_code, answer.location) == (302, "/login?next=/profile")


def test_signing_out_takes_a_form(people: Callable[..., Person]) -> None:
    browser = people("User", browser=True)
    assert browser.get("/logout").status_code == 405
    assert browser.post("/logout").status_code == 400
    assert browser.get("/profile").status_code == 200


def test_a_session_ends_after_two_weeks(people: Callable[..., Person]) -> None:
    browser = people("User", browser=True)
    with frozen(now() + sessions.COOKIE_LIFETIME + timedelta(seconds=1)):
        assert browser.get("/profile").status_code == 302


@pytest.mark.parametrize("cookie", ["nonsense", "", "eyJzaWQiOiJ4In0.aaaaaa.bbbbbb", "é"])
def test_a_cookie_that_we_did_not_sign_is_nobodys(people: Callable[..., Person], cookie: str) -> None:
    browser = people()
    browser.http.set_cookie("guildhall", cookie)
    assert browser.get("/profile").status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "//[",
        "/\\[",
        "///evil.example",
        "javascript:alert(1)",
        " //evil.example",
        "http:evil.example",
        "evil.example",
        "/\n/evil.example",
        "\x00//evil.example",
    ],
)
def test_nobody_is_sent_to_another_site(people: Callable[..., Person], member: Member, target: str) -> None:
    assert people("User", browser=True).get("/login", query_string={"next": target}).location == "/"
    assert people().get("/login", query_string={"next": target}).status_code == 200


def test_no_form_sends_to_another_site(people: Callable[..., Person], member: Member) -> None:
    assert sign_in(people(), member, next="//evil.example").location == "/"


def test_one_is_sent_on_to_where_one_wanted(people: Callable[..., Person], member: Member) -> None:
    assert sign_in(people(), member, next="/profile?tab=1").location == "/profile?tab=1"


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/profile/password", "/admin/library/book/add", "/admin/settings/x"]
)
@pytest.mark.parametrize("token", [None, "", "nonsense"])
def test_a_form_without_its_token_is_refused_with_a_page(
    people: Callable[..., Person], path: str, token: str | None
) -> None:
    browser = people("Admin", browser=True)
    answer = browser.post(path, data={} if token is None else {"csrf_token": token})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "Reload the page" in answer.text


def test_a_token_of_another_browser_is_refused(people: Callable[..., Person]) -> None:
    mine, other = people("Admin", browser=True), people("Admin", browser=True)
    assert mine.post("/logout", data={"csrf_token": other.csrf}).status_code == 400


def test_rest_by_cookie_takes_the_token_in_a_header(people: Callable[..., Person]) -> None:
    browser = people("User", browser=True)
    refused = browser.post(BOOKS, {"title": "By cookie"})
    assert (refused.status_code, refused.json["error"]["code"]) == (400, "CSRF")
    assert browser.get(BOOKS).json["data"] == []
    assert browser.post(BOOKS, {"title": "By cookie"}, headers={"X-CSRFToken": browser.csrf}).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_every_writing_method_by_cookie_needs_the_token(people: Callable[..., Person], method: str) -> None:
    browser = people("Admin", browser=True)
    answer = browser.open(method, f"{BOOKS}/{new_id()}", {})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "CSRF")


def test_a_bearer_needs_no_token_of_a_form(people: Callable[..., Person]) -> None:
    assert people("User").post(BOOKS, {"title": "By token"}).status_code == 201


def test_a_bearer_speaks_for_itself_beside_a_cookie(people: Callable[..., Person]) -> None:
    browser, bearer = people("Admin", browser=True), people("User")
    answer = browser.get("/api/v1/core/me", headers=bearer.headers)
    assert answer.json["data"]["id"] == bearer.id


def test_another_authorization_does_not_stand_in_for_the_token(people: Callable[..., Person]) -> None:
    browser = people("User", browser=True)
    answer = browser.post(BOOKS, {"title": "t"}, headers={"Authorization": "Basic YTpi"})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "CSRF")


def test_a_new_password_ends_every_other_session(people: Callable[..., Person], member: Member) -> None:
    here, there = people(), people()
    for browser in (here, there):
        sign_in(browser, member)
        browser._csrf, browser.member = "", member
    here.send("/profile/password", current=PASSWORD, password="a quite new password")
    assert here.get("/profile").status_code == 200
    assert there.get("/profile").status_code == 302


def test_a_new_password_takes_the_present_one(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    sign_in(browser, member)
    browser._csrf, browser.member = "", member
    browser.send("/profile/password", current="wrong", password="a quite new password")
    assert sign_in(people(), member).status_code == 303


def test_signing_in_again_goes_on_at_once(people: Callable[..., Person]) -> None:
    assert people("User", browser=True).get("/login").status_code == 303
