"""Fixtures: a real PostgreSQL 18 and Redis for the run, a migrated template, a database for each test that commits.

- ``platform``: everything loaded on a fresh database; commit as you like.
- ``session``: a session on a shared clean database that is rolled back; for services that only flush.
- ``app`` and ``client``: the web application on the database of ``platform``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from config import Config
from core.actor import Actor
from core.platform import Platform

CLUSTER = "GUILDHALL_TEST_CLUSTER"
# Set, every statement is prepared at once and planned without its parameters, as PostgreSQL may come to do with any:
# then no partial index is found by a parameter. `GUILDHALL_TEST_GENERIC_PLANS=1 make test ARGS=tests/core/events`
GENERIC_PLANS = "GUILDHALL_TEST_GENERIC_PLANS"
HOME = "GUILDHALL_TEST_HOME"
_running: list[AbstractContextManager[Any]] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start the cluster once, in the process that steers; workers find it in the environment."""
    os.environ.setdefault("GUILDHALL_SETTING_CORE__RATE_LIMITS", "no")  # a run asks more than any visitor
    if hasattr(config, "workerinput") or CLUSTER in os.environ or config.option.collectonly:
        return
    from core.runtime.engines import engines

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the run's data need not survive it
    home = Path(tempfile.mkdtemp(prefix="guildhall-test-", dir=memory))
    manager = engines(Config(home=home, secret_key="x" * 40), throwaway=True)
    database_url, redis_url = manager.__enter__()
    _running.append(manager)
    os.environ[HOME] = str(home)
    os.environ[CLUSTER] = f"{database_url} {redis_url}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one group go to one worker: xdist 3.8 writes their ids where pytest 9.2 no longer reads them."""
    for item in items:
        grouped = getattr(item, "_nodeid", "")
        if grouped and grouped != item.nodeid:
            item._id = type(item._id).parse(grouped)  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    while _running:
        _running.pop().__exit__(None, None, None)
        shutil.rmtree(os.environ.pop(HOME), ignore_errors=True)
        os.environ.pop(CLUSTER, None)


if os.environ.get(GENERIC_PLANS):

    @sa.event.listens_for(sa.Engine, "connect")
    def _plan_without_parameters(connection: Any, _record: Any) -> None:
        if connection.prepare_threshold is None:  # one that migrates
            return
        connection.prepare_threshold = 0
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()


class Cluster:
    """The run's engines, with one set of databases and one Redis database for this worker."""

    def __init__(self, worker: str) -> None:
        database_url, redis_url = os.environ[CLUSTER].split()
        number = 0 if worker == "master" else int(worker.removeprefix("gw"))
        self.worker = worker
        self.url = sa.make_url(database_url)
        self.redis_url = f"{redis_url}?db={number % 16}"
        self.admin = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def database(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)

    def template(self) -> str:
        """The migrated template, made by whichever worker comes first."""
        with self.admin.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(815)"))
            exists = connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = 'template_guildhall'"))
            if not exists:
                connection.execute(sa.text("CREATE DATABASE building_template"))
                platform = Platform(test_config(), self.database("building_template"), None)
                platform.upgrade()
                platform.database.dispose()
                connection.execute(sa.text("ALTER DATABASE building_template RENAME TO template_guildhall"))
            connection.execute(sa.text("SELECT pg_advisory_unlock(815)"))
        return "template_guildhall"

    def fresh(self, kind: str) -> str:
        """A new copy of the template; returns its URL."""
        template, name = self.template(), f"{kind}_{self.worker}"
        with self.admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.database(name)


def test_config(**changes: Any) -> Config:
    values = {
        "secret_key": "test-secret-" + "x" * 40,
        "encryption_keys": f"test:{'A' * 43}=",
        "home": Path(tempfile.gettempdir()) / "guildhall-test-home",
    }
    return Config(**{**values, **changes})


test_config.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cluster(worker_id: str) -> Cluster:
    return Cluster(worker_id)


@pytest.fixture
def platform(cluster: Cluster) -> Iterator[Platform]:
    platform = Platform(test_config(), cluster.fresh("live"), cluster.redis_url)
    platform.database.pool_timeout = 60.0  # races run more threads than connections, perhaps on a loaded machine
    assert platform.bell is not None
    platform.bell.client.flushdb()
    yield platform
    platform.database.dispose()


@pytest.fixture(scope="session")
def clean_platform(cluster: Cluster) -> Iterator[Platform]:
    platform = Platform(test_config(), cluster.fresh("clean"), None)
    yield platform
    platform.database.dispose()


@pytest.fixture
def session(clean_platform: Platform, system: Actor) -> Iterator[Session]:
    """A session whose work is undone at the end of the test."""
    from core.db.session import _current

    with clean_platform.database.engine.connect() as connection:
        outer = connection.begin()
        session = Session(
            connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
            info={**clean_platform.database.info, "actor": system},
        )
        token = _current.set(session)
        yield session
        _current.reset(token)
        session.close()
        outer.rollback()


@pytest.fixture
def system() -> Actor:
    return Actor.system("test")


@pytest.fixture
def app(platform: Platform) -> Any:
    from app import create_app

    made = create_app(platform)
    made.testing = True
    return made


class Client:
    """A client of the REST routes: signs in, keeps the tokens, reads the envelope."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.http = app.test_client()
        self.platform = platform
        self.headers: dict[str, str] = {}

    def sign_in(self, *roles: str, email: str = "") -> Any:
        """Register a member with these roles and sign in; returns the member."""
        from core.members import service

        email = email or f"{'-'.join(roles).lower() or 'nobody'}-{len(self.headers)}@example.org"
        actor = Actor.system("test")
        with self.platform.unit_of_work(actor) as session:
            member = service.register(
                session,
                actor,
                email=email,
                password="correct horse battery",
                display_name=email.split("@")[0],
                roles=roles,
            )
        answer = self.post("/api/v1/core/auth/login", {"email": email, "password": "correct horse battery"})
        self.headers = {"Authorization": f"Bearer {answer.json['data']['access_token']}"}
        return member

    def get(self, path: str, **options: Any) -> Any:
        return self.http.get(path, headers={**self.headers, **options.pop("headers", {})}, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.http.post(path, json=body, headers={**self.headers, **options.pop("headers", {})}, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.http.patch(path, json=body, headers={**self.headers, **options.pop("headers", {})}, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.http.delete(path, headers={**self.headers, **options.pop("headers", {})}, **options)


@pytest.fixture
def client(app: Any, platform: Platform) -> Client:
    """A REST client that is not signed in."""
    return Client(app, platform)


@pytest.fixture
def clients(app: Any, platform: Platform) -> Any:
    """Makes further clients: ``clients("Admin")`` is signed in with that role."""
    made: list[Client] = []

    def make(*roles: str) -> Client:
        client = Client(app, platform)
        client.sign_in(*roles, email=f"{'-'.join(roles).lower()}{len(made)}@example.org")
        made.append(client)
        return client

    return make
