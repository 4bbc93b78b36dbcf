"""Plain HTTP is sent on to https where the operator says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from config import Config, ConfigError
from core.platform import Platform
from tests.conftest import Cluster, test_config

HOME = "https://guildhall.example.org"


@pytest.fixture
def behind(cluster: Cluster) -> Iterator[Any]:
    made: list[Platform] = []

    def make(**settings: Any) -> FlaskClient:
        config = test_config(public_url=HOME, https_redirect=True, **settings)
        made.append(Platform(config, cluster.database("nowhere"), None))
        return create_app(made[-1]).test_client()

    yield make
    for platform in made:
        platform.database.dispose()


@pytest.mark.parametrize("path", ["/login?next=/x", "/api/v1/core/me", "/static/css/guildhall.css"])
def test_plain_http_is_sent_on_to_the_public_address(behind: Any, path: str) -> None:
    answer = behind().open(path, headers={"Host": "evil.example"})
    assert answer.status_code == 308
    assert answer.location == HOME + path
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_probes_are_answered_where_they_ask(behind: Any, path: str) -> None:
    assert behind().get(path).status_code in (200, 503)


def test_what_a_trusted_proxy_took_over_tls_is_served(behind: Any) -> None:
    over_tls = {"X-Forwarded-Proto": "https"}
    trusting = behind(trusted_proxies=1)
    assert trusting.get("/static/css/guildhall.css", headers=over_tls).status_code == 200
    assert behind().get("/static/css/guildhall.css", headers=over_tls).status_code == 308


def test_it_needs_an_address_to_go_to() -> None:
    with pytest.raises(ConfigError, match=r"GUILDHALL_HTTPS_REDIRECT.*PUBLIC_URL"):
        Config.load({"GUILDHALL_HTTPS_REDIRECT": "yes", "GUILDHALL_SECRET_KEY": "x" * 40})
