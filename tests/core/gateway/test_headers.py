"""What every answer carries: its id, and the headers that protect a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from core.platform import Platform
from tests.conftest import Cluster, test_config
from tests.core.doors import Person

ANSWERS = {
    "a page": "/login",
    "a redirect": "/profile",
    "a missing page": "/nowhere",
    "a broken page": "/admin/library/broken",
    "data": "/api/v1/openapi.json",
    "a failure": "/api/v1/nowhere",
    "a broken answer": "/api/v1/library/broken",
    "a static file": "/static/css/guildhall.css",
    "a missing static file": "/static/css/missing.css",
    "health": "/health",
    "figures": "/metrics",
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_protects_the_browser(people: Callable[..., Person], kind: str) -> None:
    headers = people().get(ANSWERS[kind]).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in headers["Permissions-Policy"]
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "object-src 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy and "http" not in policy


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_has_an_id(people: Callable[..., Person], kind: str) -> None:
    assert re.fullmatch(r"[0-9a-f-]{36}", people().get(ANSWERS[kind]).headers["X-Request-ID"])


@pytest.mark.parametrize("kind", ["a page", "a redirect", "data", "a failure", "a broken page", "a missing page"])
def test_what_may_be_personal_is_kept_nowhere(people: Callable[..., Person], kind: str) -> None:
    assert people().get(ANSWERS[kind]).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("given", ["abcdefgh", "A.b_c-1234567890", "x" * 64])
def test_an_id_of_the_client_is_taken(people: Callable[..., Person], given: str) -> None:
    answer = people().get("/api/v1/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given == answer.json["meta"]["request_id"]


@pytest.mark.parametrize("given", ["short", "x" * 65, "a b c d e f", "<script>x</script>", "abcdefgh;", "ключключ", ""])
def test_a_hostile_id_is_replaced(people: Callable[..., Person], given: str) -> None:
    headers = {"X-Request-ID": given.encode().decode("latin-1")}
    answer = people().get("/api/v1/nowhere", headers=headers)
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])
    assert answer.headers["X-Request-ID"] == answer.json["meta"]["request_id"]


def test_an_id_that_ends_in_a_new_line_is_replaced(web: Flask) -> None:
    answer = web.test_client().get("/health", environ_overrides={"HTTP_X_REQUEST_ID": "abcdefgh\n"})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])


def test_scripts_carry_the_nonce_of_their_answer_alone(people: Callable[..., Person]) -> None:
    nonces = set()
    for _ in range(2):
        answer = people().get("/login")
        nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])[1]  # type: ignore[index]
        inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", answer.text)
        assert all(f'nonce="{nonce}"' in attributes for attributes in inline)
        nonces.add(nonce)
    assert len(nonces) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/admin/core/member/list/",
        "/admin/library/book/add",
        "/admin/plugins",
        "/admin/settings",
        "/admin/events",
        "/admin/audit",
        "/admin/jobs",
        "/profile",
        "/nowhere",
    ],
)
def test_no_page_holds_what_its_own_policy_forbids(people: Callable[..., Person], path: str) -> None:
    answer = people("Admin").get(path)
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])[1]  # type: ignore[index]
    assert re.findall(r"<[^>]+\s(?:on[a-z]+|style)\s*=", answer.text) == []
    assert "<style" not in answer.text and "javascript:" not in answer.text
    for attributes in re.findall(r"<script([^>]*)>", answer.text):
        assert f'nonce="{nonce}"' in attributes or 'src="/static/' in attributes
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []


def test_a_static_file_named_by_its_content_is_kept_for_ever(web: Flask, people: Callable[..., Person]) -> None:
    address = re.search(r'href="(/static/css/guildhall\.[0-9a-f]{12}\.css)"', people().get("/login").text)
    assert address
    answer = people().get(address[1])
    assert answer.status_code == 200
    assert {"public", "max-age=31536000", "immutable"} <= set(re.split(r",\s*", answer.headers["Cache-Control"]))
    assert "Set-Cookie" not in answer.headers and "Access-Control-Allow-Origin" not in answer.headers
    other = people().get("/static/css/guildhall.000000000000.css")  # a page of another release
    assert other.status_code == 200 and "max-age=60" in other.headers["Cache-Control"]
    assert "immutable" not in other.headers["Cache-Control"]


def test_a_cdn_gives_out_what_is_static_and_may(cluster: Cluster, tmp_path: Path) -> None:
    config = test_config(cdn_url="https://cdn.example.org/hall/", home=tmp_path)
    platform = Platform(config, cluster.fresh("cdn"), cluster.redis_url)
    visitor = create_app(platform).test_client()
    for page in ("/login", "/api/docs"):
        answer = visitor.get(page)
        policy = dict(one.strip().split(" ", 1) for one in answer.headers["Content-Security-Policy"].split(";"))
        assert all("https://cdn.example.org" in policy[name].split() for name in ("script-src", "style-src"))
        loaded = re.findall(r'<(?:script[^>]* src|link rel="stylesheet" href)="([^"]+)"', answer.text)
        assert loaded and all(one.startswith("https://cdn.example.org/hall/static/") for one in loaded)
        assert 'href="/static/img/mark.' in answer.text
    given = visitor.get(loaded[0].removeprefix("https://cdn.example.org/hall"))
    assert (given.status_code, given.headers["Access-Control-Allow-Origin"]) == (200, "*")
    platform.database.dispose()


def test_a_missing_static_file_is_not_kept(people: Callable[..., Person]) -> None:
    assert people().get("/static/css/missing.000000000000.css").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%2fsite.py"]
)
def test_nothing_outside_the_static_folder_is_served(people: Callable[..., Person], path: str) -> None:
    assert people().get(path).status_code in (308, 404)


def test_no_other_site_may_read_our_answers(people: Callable[..., Person]) -> None:
    answer = people().get("/api/v1/openapi.json", headers={"Origin": "https://evil.example"})
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
