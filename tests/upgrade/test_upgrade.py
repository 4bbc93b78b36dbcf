"""A database of the previous release is brought to this one: nothing is lost, every proof holds, pages open."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.db import migrate
from core.events.deliver import Deliverer
from core.platform import Platform
from core.runtime.binaries import postgres_bin
from tests.conftest import Cluster, test_config
from tests.core.workshop import plain_logs as plain_logs
from tests.proofs import broken
from tests.upgrade.make_dump import PASSWORD

DUMPS = sorted(Path(__file__).parent.glob("*.sql.gz"))
PAGES = (
    "/",
    "/admin/events",
    "/admin/jobs",
    "/admin/plugins",
    "/admin/audit",
    "/admin/settings",
    "/admin/core/member/list/",
    "/admin/contributions/contribution/list/",
    "/admin/contributions/leaderboard",
    "/admin/badges/gallery",
    "/admin/wallet/account/list/",
    "/admin/wallet/ledger",
    "/admin/notifications/notification/list/",
    "/admin/suggestions/suggestion/list/",
)
TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")


def restore(cluster: Cluster, path: Path) -> str:
    """A database of its own with the content of a dump; returns its URL."""
    name = f"upgrade_{cluster.worker}"
    with cluster.admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = cluster.database(name)
    command = [str(postgres_bin() / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
    plain = gzip.decompress(path.read_bytes())
    done = subprocess.run([*command, url.replace("+psycopg", "", 1)], input=plain, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return url


def rows(platform: Platform) -> dict[str, int]:
    """How many rows each table has."""
    with platform.unit_of_work() as session:
        names = session.scalars(TABLES).all()
        return {name: session.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0 for name in names}


@pytest.fixture(scope="module", params=DUMPS, ids=lambda path: path.name.split(".")[0])
def upgraded(request: Any, cluster: Cluster) -> Iterator[tuple[Platform, dict[str, int]]]:
    """The platform on an upgraded dump, and the rows that the dump had."""
    platform = Platform(test_config(), restore(cluster, request.param), None)
    before = rows(platform)
    outcomes = platform.upgrade()
    assert {name: one.reason for name, one in outcomes.items() if not one.ok} == {}
    yield platform, before
    platform.database.dispose()


def test_it_is_at_the_newest_revision_and_has_every_row(upgraded: tuple[Platform, dict[str, int]]) -> None:
    platform, before = upgraded
    branches = [migrate.CORE, *platform.branches]
    assert migrate.current(platform.database.engine) == migrate.heads(branches)
    after = rows(platform)
    assert {name: (many, after.get(name, 0)) for name, many in before.items() if after.get(name, 0) < many} == {}
    assert before["contributions_contribution"] > 500 and before["wallet_transfer"] > 10


def test_models_and_tables_agree(upgraded: tuple[Platform, dict[str, int]]) -> None:
    platform, _before = upgraded
    for branch in [migrate.CORE, *platform.branches]:
        assert migrate.differences(platform.database.url, platform.branches, branch.name) == []


def test_what_waited_is_delivered_and_every_proof_holds(upgraded: tuple[Platform, dict[str, int]]) -> None:
    platform, _before = upgraded
    assert Deliverer(platform.database).drain() > 0
    with platform.unit_of_work(Actor.system("test")) as session:
        assert session.scalar(text("SELECT count(*) FROM core_delivery WHERE state <> 'done'")) == 0
    assert broken(platform) == []


def test_people_sign_in_as_before_and_an_admin_opens_the_pages(upgraded: tuple[Platform, dict[str, int]]) -> None:
    from app import create_app

    platform, _before = upgraded
    platform.registry.locked_settings.setdefault("core", {})["require_admin_two_factor"] = "no"
    web = create_app(platform)
    for name, given in {"ada": "access_token", "ben": "challenge_token", "cleo": "access_token"}.items():
        about = {"email": f"{name}@example.org", "password": PASSWORD}
        answer = web.test_client().post("/api/v1/core/auth/login", json=about).get_json()
        assert given in answer["data"], answer  # ben has a second factor
    browser = web.test_client()
    page = browser.get("/login").text
    csrf = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    form = {"csrf_token": csrf, "email": "ada@example.org", "password": PASSWORD}
    assert browser.post("/login", data=form).status_code in (302, 303)
    states = {path: browser.get(path).status_code for path in PAGES}
    assert states == dict.fromkeys(PAGES, 200)
