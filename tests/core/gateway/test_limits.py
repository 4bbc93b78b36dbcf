"""How often the API may be asked: by whom it is counted, what the answer says, and what happens without Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app import create_app
from core import settings
from core.actor import Actor
from core.gateway.limits import Limits
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.plugin import Plugin
from core.rest.blueprint import RestBlueprint
from tests.conftest import Client, Cluster, test_config

WHERE = "/api/v1/core/me"
FIGURES = {"rate_anonymous": 3, "rate_member": 5, "rate_member_seeds": 2, "rate_payment": 1}


def till() -> Plugin:
    """A plugin with a payment route."""
    rest = RestBlueprint("till")

    @rest.get("/pay", signed_in=True, limit="payment")
    @rest.response(200)
    def pay(session: Any, actor: Actor) -> None:
        """Pay."""

    return Plugin("till", version="1.0", label="Till", rest=rest)


@pytest.fixture
def limited(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an application that counts, with small figures."""
    monkeypatch.delenv("GUILDHALL_SETTING_CORE__RATE_LIMITS")
    made: list[Platform] = []
    url = cluster.fresh("live")

    def make(redis_url: str = cluster.redis_url, **changes: Any) -> tuple[Flask, Platform]:
        platform = Platform(test_config(), url, redis_url, extra=[till()])
        made.append(platform)
        with platform.unit_of_work(Actor.system("test")) as session:
            settings.write(session, Actor.system("test"), PlatformSettings, {**FIGURES, **changes})
        return create_app(platform), platform

    empty = Platform(test_config(), url, cluster.redis_url)
    made.append(empty)
    assert empty.bell is not None
    empty.bell.client.flushdb()
    yield make
    for platform in made:
        platform.database.dispose()


def statuses(ask: Callable[[], Any], times: int) -> list[int]:
    return [ask().status_code for _ in range(times)]


def test_who_is_not_signed_in_is_counted_by_address(limited: Any) -> None:
    app, _ = limited()
    http = app.test_client()
    here = {"REMOTE_ADDR": "198.51.100.7"}
    assert statuses(lambda: http.get(WHERE, environ_base=here), 4) == [401, 401, 401, 429]
    assert http.get(WHERE, environ_base={"REMOTE_ADDR": "198.51.100.8"}).status_code == 401
    assert http.get(WHERE, environ_base=here).status_code == 429


def test_one_network_of_ipv6_is_one_caller(limited: Any) -> None:
    http = limited()[0].test_client()
    asked = [http.get(WHERE, environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{n}"}).status_code for n in range(1, 5)]
    assert asked == [401, 401, 401, 429]
    assert http.get(WHERE, environ_base={"REMOTE_ADDR": "2001:db8:1:3::1"}).status_code == 401


def test_a_refusal_is_an_envelope_that_says_when_to_come_back(limited: Any) -> None:
    http = limited()[0].test_client()
    statuses(lambda: http.get(WHERE), 3)
    answer = http.get(WHERE)
    assert (answer.status_code, answer.json["success"], answer.json["error"]["code"]) == (429, False, "LIMIT")
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= 900
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == str(wait)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_every_answer_of_the_api_says_what_is_left(limited: Any) -> None:
    http = limited()[0].test_client()
    http.get(WHERE)
    headers = http.get("/api/v1/nowhere").headers
    reset = headers["RateLimit-Reset"]
    assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("3", "1")
    assert headers["RateLimit-Policy"] == '"anonymous";q=3;w=900'
    assert headers["RateLimit"] == f'"anonymous";r=1;t={reset}'


def test_a_member_is_counted_wherever_they_come_from(limited: Any) -> None:
    app, platform = limited(rate_anonymous=50)
    amina = Client(app, platform)
    amina.sign_in("User", email="amina@example.org")
    asked = [amina.get(WHERE, environ_base={"REMOTE_ADDR": f"192.0.2.{n}"}).status_code for n in range(6)]
    assert asked == [200] * 5 + [429]
    bilal = Client(app, platform)
    bilal.sign_in("User", email="bilal@example.org")
    assert bilal.get(WHERE).headers["RateLimit-Policy"] == '"member";q=5;w=900'


def test_the_profile_of_the_seeds_is_stricter(limited: Any) -> None:
    app, platform = limited(rate_anonymous=50, rate_profile="seeds")
    amina = Client(app, platform)
    amina.sign_in("User")
    assert statuses(lambda: amina.get(WHERE), 3) == [200, 200, 429]


def test_a_route_may_have_a_class_of_its_own(limited: Any) -> None:
    app, platform = limited(rate_anonymous=50)
    amina = Client(app, platform)
    amina.sign_in("User")
    assert statuses(lambda: amina.get("/api/v1/till/pay"), 2) == [200, 429]
    assert amina.get(WHERE).status_code == 200


def test_a_class_nobody_knows_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="no limit class lunch"):
        RestBlueprint("till").get("/pay", signed_in=True, limit="lunch")


def test_who_guesses_tokens_is_counted_too(limited: Any) -> None:
    http = limited()[0].test_client()
    guess = {"Authorization": "Bearer guessed"}
    assert statuses(lambda: http.get(WHERE, headers=guess), 4) == [401, 401, 401, 429]


@pytest.mark.parametrize("path", ["/login", "/health", "/metrics", "/static/css/guildhall.css", "/nowhere"])
def test_pages_static_files_and_health_are_not_counted(limited: Any, path: str) -> None:
    http = limited(rate_anonymous=1)[0].test_client()
    statuses(lambda: http.get(WHERE), 2)
    answer = http.get(path)
    assert answer.status_code != 429 and "RateLimit" not in answer.headers


def test_every_process_counts_together_and_a_change_holds_in_all(limited: Any) -> None:
    first, platform = limited()
    second, other = limited()
    asked = [app.test_client().get(WHERE).status_code for app in (first, second, first, second)]
    assert asked == [401, 401, 401, 429]
    with platform.unit_of_work(Actor.system("test")) as session:
        settings.write(session, Actor.system("test"), PlatformSettings, {"rate_limits": False})
    other.registry.cache.looked_at = float("-inf")
    assert second.test_client().get(WHERE).status_code == 401


def test_without_redis_every_request_passes_and_it_is_said_once(
    limited: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    http = limited("redis://127.0.0.1:1/0")[0].test_client()
    answers = [http.get(WHERE) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert "RateLimit" not in answers[-1].headers
    said = capsys.readouterr()
    assert (said.out + said.err + caplog.text).count("requests are not counted") == 1


def test_counting_goes_on_when_redis_is_back(cluster: Cluster) -> None:
    limits, figures = Limits("redis://127.0.0.1:1/0"), PlatformSettings()
    nobody = Actor(kind="anonymous", name="anonymous", ip="203.0.113.9")
    assert limits.spend(figures, nobody) is None
    limits._paused_until = float("-inf")
    limits._count = Limits(cluster.redis_url)._count
    left = limits.spend(figures, nobody)
    assert left is not None and left.quota == 100
