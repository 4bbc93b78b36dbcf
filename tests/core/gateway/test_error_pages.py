"""What a person sees when something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app import create_app
from core.platform import Platform
from tests.conftest import test_config
from tests.core.doors import Person
from tests.core.library import SECRET


@pytest.fixture
def unplugged() -> Iterator[Flask]:
    """The application of a platform whose database does not answer."""
    platform = Platform(test_config(), "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2", None)
    yield create_app(platform)
    platform.database.dispose()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/admin/library/book/show/x", 404),
        ("/admin/library/broken", 500),
        ("/static/missing.css", 404),
        ("/admin/members/x", 404),
    ],
)
@pytest.mark.parametrize("role", [None, "Admin"])
def test_a_page_says_what_is_wrong_in_the_design_of_the_house(
    people: Callable[..., Person], path: str, status: int, role: str | None
) -> None:
    answer = (people(role, browser=True) if role else people()).get(path)
    if role is None and path.endswith("/show/x"):
        assert answer.status_code == 302
        return
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert str(status) in answer.text and "/css/guildhall." in answer.text
    assert answer.headers["X-Request-ID"] in answer.text


def test_a_forbidden_page_names_the_permission(people: Callable[..., Person]) -> None:
    answer = people("User", browser=True).get("/admin/audit")
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "core:audit:list" in answer.text


def test_a_mistake_of_ours_says_nothing_of_itself(people: Callable[..., Person]) -> None:
    page = people("Admin", browser=True).get("/admin/library/broken").text
    assert SECRET not in page and "Traceback" not in page and "RuntimeError" not in page


def test_a_client_that_wants_json_gets_it_on_any_path(people: Callable[..., Person]) -> None:
    answer = people().get("/nowhere", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "NOT_FOUND")


def test_what_was_asked_for_is_not_repeated_unescaped(people: Callable[..., Person]) -> None:
    assert "<script>alert" not in people().get("/<script>alert(1)</script>?<script>alert(1)</script>").text


@pytest.mark.parametrize("path", ["/login", "/", "/admin/library/book/list/", "/nowhere"])
def test_without_a_database_a_page_says_so(unplugged: Flask, path: str) -> None:
    answer = unplugged.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "503" in answer.text and "/css/guildhall." in answer.text


def test_without_a_database_a_browser_with_a_cookie_gets_the_page_too(
    unplugged: Flask, people: Callable[..., Person]
) -> None:
    browser = unplugged.test_client()
    with browser.session_transaction() as cookie:
        cookie["sid"] = "x"
    assert browser.get("/profile").status_code == 503


def test_without_a_database_the_api_says_so(unplugged: Flask) -> None:
    answer = unplugged.test_client().get("/api/v1/core/me")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "UNAVAILABLE")
    assert "127.0.0.1" not in answer.text


def test_without_a_database_static_files_are_served(unplugged: Flask) -> None:
    assert unplugged.test_client().get("/static/css/guildhall.css").status_code == 200


def test_without_a_database_the_process_lives_but_is_not_ready(unplugged: Flask) -> None:
    browser = unplugged.test_client()
    assert browser.get("/health").status_code == 200
    ready = browser.get("/health/ready")
    assert (ready.status_code, ready.json["checks"]["database"]) == (503, "unreachable")
