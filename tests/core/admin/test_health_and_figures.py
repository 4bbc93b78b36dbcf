"""Health and figures: for machines that watch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from core.platform import Platform
from core.plugin import HealthCheck, Plugin
from tests.conftest import test_config
from tests.core.doors import Person


def broken(session: object) -> str:
    raise RuntimeError("no luck")


def worried(session: object) -> str:
    return "The shelf is full."


def ready_with(site: Platform, *checks: HealthCheck) -> tuple[int, dict[str, str]]:
    plugin = Plugin("watched", version="1.0", label="Watched", health_checks=checks)
    platform = Platform(test_config(), site.database.url, None, extra=[plugin])
    answer = create_app(platform).test_client().get("/health/ready")
    platform.database.dispose()
    return answer.status_code, answer.json["checks"]  # type: ignore[index]


def test_it_is_ready_when_all_is_well(people: Callable[..., Person]) -> None:
    answer = people().get("/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "ok")
    assert answer.json["checks"]["database"] == answer.json["checks"]["redis"] == "ok"


def test_without_redis_it_still_serves(site: Platform) -> None:
    platform = Platform(test_config(), site.database.url, "redis://127.0.0.1:1/0")
    answer = create_app(platform).test_client().get("/health/ready")
    platform.database.dispose()
    assert (answer.status_code, answer.json["checks"]["redis"]) == (200, "unreachable")  # type: ignore[index]


def test_a_plugins_worry_is_told(site: Platform) -> None:
    status, checks = ready_with(site, HealthCheck(name="shelf", check=worried))
    assert (status, checks["watched.shelf"]) == (503, "The shelf is full.")


def test_a_check_that_fails_speaks_for_itself_alone(site: Platform) -> None:
    one, other = HealthCheck(name="one", check=broken), HealthCheck(name="other", check=lambda session: None)
    status, checks = ready_with(site, one, other)
    assert (status, checks["watched.one"], checks["watched.other"]) == (503, "failed", "ok")
    assert checks["database"] == "ok"


def test_the_figures_can_be_read_and_name_what_is_watched(people: Callable[..., Person]) -> None:
    person = people()
    person.get("/login")
    found = {family.name: family for family in text_string_to_metric_families(person.get("/metrics").text)}
    assert {"guildhall_requests", "guildhall_request_seconds", "guildhall_deliveries"} <= set(found)
    assert {"guildhall_delivery_lag_seconds", "guildhall_jobs"} <= set(found)
    routes = {sample.labels["route"] for sample in found["guildhall_requests"].samples}
    assert "/login" in routes


@pytest.mark.parametrize("method", ["BREW", "X" * 500])
def test_a_made_up_method_makes_no_figure_of_its_own(people: Callable[..., Person], method: str) -> None:
    person = people()
    assert person.open(method, "/login").status_code in (400, 405)
    assert method not in person.get("/metrics").text


def test_a_path_makes_no_figure_of_its_own(people: Callable[..., Person]) -> None:
    person = people()
    person.get("/api/v1/made-up-path")
    assert "made-up-path" not in person.get("/metrics").text


def test_figures_are_for_the_machine_itself_and_for_who_may(web: Flask, people: Callable[..., Person]) -> None:
    far = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}}
    assert people().get("/metrics", **far).status_code == 302
    assert people("User").get("/metrics", **far).status_code == 403
    assert people("Service").get("/metrics", **far).status_code == 200


def test_health_asks_nobody_who_they_are(people: Callable[..., Person]) -> None:
    assert people().get("/health", headers={"Authorization": "Bearer nonsense"}).status_code == 200
