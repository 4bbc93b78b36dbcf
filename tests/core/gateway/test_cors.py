"""Pages of other web sites: the listed ones may call the API, others learn nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from core import settings
from core.actor import Actor
from core.errors import Invalid
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.core.doors import Person

LISTED = "https://app.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def listed(site: Platform) -> Iterator[None]:
    def write(origins: str) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            settings.write(session, Actor.system("test"), PlatformSettings, {"cors_origins": origins})
        site.registry.cache.looked_at = float("-inf")

    write(f"{LISTED}/, http://localhost:3000")
    yield
    write("")


def allowed(answer: object) -> dict[str, str]:
    headers = answer.headers  # type: ignore[attr-defined]
    return {name: value for name, value in headers if name.startswith("Access-Control-")}


def test_a_listed_page_may_ask_with_credentials(listed: None, people: Callable[..., Person]) -> None:
    answer = people("User").get("/api/v1/core/me", headers={"Origin": LISTED})
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/api/v1/core/me", "/api/v1/nowhere", "/api/v1/library/broken"])
def test_a_listed_page_may_read_refusals_too(listed: None, people: Callable[..., Person], path: str) -> None:
    assert people().get(path, headers={"Origin": LISTED}).headers["Access-Control-Allow-Origin"] == LISTED


def test_a_listed_page_is_told_beforehand_what_it_may_send(listed: None, people: Callable[..., Person]) -> None:
    answer = people().open("OPTIONS", "/api/v1/library/stamps", headers={"Origin": LISTED, **PREFLIGHT})
    assert (answer.status_code, answer.data) == (204, b"")
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.org.evil.example",
        "https://sub.app.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "null",
        "*",
        "",
    ],
)
def test_any_other_page_learns_nothing(listed: None, people: Callable[..., Person], origin: str) -> None:
    for method, more in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        answer = people().open(method, "/api/v1/openapi.json", headers={"Origin": origin, **more})
        assert allowed(answer) == {}
        assert "Origin" in answer.headers["Vary"]


def test_our_own_pages_are_never_shared(listed: None, people: Callable[..., Person]) -> None:
    assert allowed(people().get("/login", headers={"Origin": LISTED})) == {}


def test_without_a_list_nobody_is_let_in(people: Callable[..., Person]) -> None:
    answer = people().open("OPTIONS", "/api/v1/library/stamps", headers={"Origin": LISTED, **PREFLIGHT})
    assert allowed(answer) == {}


@pytest.mark.parametrize("wrong", ["*", "app.example.org", "https://*.example.org", "https://a.b/path", "null"])
def test_only_exact_origins_can_be_listed(site: Platform, wrong: str) -> None:
    with pytest.raises(Invalid), site.unit_of_work(Actor.system("test")) as session:
        settings.write(session, Actor.system("test"), PlatformSettings, {"cors_origins": wrong})
