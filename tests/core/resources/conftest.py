"""A web site with the press, and its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from core import access
from core.actor import Actor
from core.db.base import metadata
from core.platform import Platform
from tests.conftest import Cluster, test_config
from tests.core.doors import Person
from tests.core.doors import people as people
from tests.core.resources import press

API = "/api/v1/press/articles"
PAGES = "/admin/press/article"


@pytest.fixture(scope="package")
def site(cluster: Cluster) -> Iterator[Platform]:
    platform = Platform(test_config(), cluster.fresh("press"), cluster.redis_url, extra=[press.plugin])
    metadata.create_all(platform.database.engine, tables=press.TABLES)
    with platform.unit_of_work(Actor.system("test")) as session:
        access.sync(session, platform.registry.permissions, platform.registry.roles)
    yield platform
    platform.database.dispose()


@pytest.fixture(scope="package")
def web(site: Platform) -> Flask:
    from app import create_app

    return create_app(site)


@pytest.fixture
def editor(people: Callable[..., Person]) -> Person:
    """May do everything, by REST."""
    return people("Admin")


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    """May do everything, in a browser."""
    return people("Admin", browser=True)


def article(person: Person, **values: Any) -> dict[str, Any]:
    """A new article, written by REST."""
    answer = person.post(API, {"title": "A title", **values})
    assert answer.status_code == 201, answer.json
    made: dict[str, Any] = answer.json["data"]
    return made


def moved(person: Person, key: str, name: str, **body: Any) -> Any:
    """Ask for a transition by REST."""
    return person.post(f"{API}/{key}/{name}", body)


def at_once(web: Flask, person: Person, count: int, act: Callable[[Person, int], Any]) -> list[Any]:
    """Do ``act`` so many times at once, each by a client of its own; what they return."""
    gate = Barrier(count)

    def one(number: int) -> Any:
        client = Person(web, person.member)
        client.headers = dict(person.headers)
        gate.wait(20)
        return act(client, number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def asked(person: Person, query: str) -> dict[str, Any]:
    """The answer of GraphQL."""
    found: dict[str, Any] = person.post("/api/v1/graphql", {"query": query}).json
    return found
