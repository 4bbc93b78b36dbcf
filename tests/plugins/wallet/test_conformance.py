"""The four routes for outside test kits: absent by default, and a ledger to somebody who knows nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app import create_app
from config import Config, ConfigError
from core.platform import Platform
from plugins.wallet.verify import verify
from tests.conftest import Client, test_config

URL = "/api/v1/wallet/conformance"
ROUTES = [("POST", "reset"), ("POST", "post"), ("GET", "balance?account=a&asset=POINTS"), ("GET", "journal")]


@pytest.fixture
def kit(cluster):
    """A client of an application that has the routes."""
    platform = Platform(test_config(conformance_routes="on"), cluster.fresh("kit"), cluster.redis_url)
    app = create_app(platform)
    app.testing = True
    yield Client(app, platform)
    platform.database.dispose()


def legs(*parts, asset="POINTS"):
    return [{"account": account, "amount": str(amount), "asset": asset} for account, amount in parts]


def post(kit, key, *parts, asset="POINTS"):
    return kit.post(f"{URL}/post", {"id": key, "legs": legs(*parts, asset=asset)})


def held(kit, account):
    return kit.get(f"{URL}/balance?account={account}&asset=POINTS").json["data"]["balance"]["amount"]


def test_by_default_they_are_not_there(town_app, town):
    client = Client(town_app, town)
    for method, path in ROUTES:
        assert client.http.open(f"{URL}/{path}", method=method, json={}).status_code == 404
    assert not any("conformance" in path for path in client.get("/api/v1/openapi.json").json["paths"])


def test_on_is_refused_beside_a_database_of_ones_own_unless_forced(tmp_path):
    settings = {"GUILDHALL_DATABASE_URL": "postgresql://u:p@db/guildhall", "GUILDHALL_HOME": str(tmp_path)}
    with pytest.raises(ConfigError, match="empty the ledger"):
        Config.load({**settings, "GUILDHALL_CONFORMANCE_ROUTES": "on"}, tmp_path)
    assert Config.load({**settings, "GUILDHALL_CONFORMANCE_ROUTES": "force"}, tmp_path).conformance_routes == "force"
    assert Config.load(settings, tmp_path).conformance_routes == "off"


def test_a_kit_posts_asks_reads_and_begins_anew(kit):
    assert any("conformance" in path for path in kit.get("/api/v1/openapi.json").json["paths"])
    first = post(kit, "a", ("issuance", -100), ("alice", 100))
    assert (first.status_code, first.json["data"]["replayed"]) == (200, False), first.json
    again = post(kit, "a", ("issuance", -100), ("alice", 100)).json["data"]
    assert again == {**first.json["data"], "replayed": True}
    assert post(kit, "b", ("alice", -70), ("bob", 30), ("carol", 40)).status_code == 200
    assert [held(kit, name) for name in ("alice", "bob", "carol", "dave", "issuance")] == [
        "30",
        "30",
        "40",
        "0",
        "-100",
    ]
    for key, parts, code in (
        ("a", (("issuance", -1), ("alice", 1)), "REFERENCE_TAKEN"),
        ("c", (("alice", -31), ("bob", 31)), "INSUFFICIENT_FUNDS"),
        ("d", (("alice", -1), ("bob", 2)), "UNBALANCED"),
        ("e", (("alice", -1), ("Bob!", 1)), None),
    ):
        answer = post(kit, key, *parts)
        assert 400 <= answer.status_code < 500, answer.json
        assert code in (None, answer.json["error"]["code"])
    assert post(kit, "f", ("alice", -1), ("bob", 1), asset="GOLD").json["error"]["code"] == "UNKNOWN_ASSET"
    journal = kit.get(f"{URL}/journal").json["data"]
    assert [one["id"] for one in journal] == ["a", "b"]
    assert journal[1]["legs"] == legs(("alice", -70), ("bob", 30), ("carol", 40))
    with kit.platform.unit_of_work() as session:
        assert verify(session) == []
    assert kit.post(f"{URL}/reset").status_code == 200
    assert (kit.get(f"{URL}/journal").json["data"], held(kit, "alice")) == ([], "0")
    assert post(kit, "a", ("issuance", -5), ("alice", 5)).json["data"]["replayed"] is False


def test_64_posts_of_one_id_are_one(kit):
    kit.platform.database._pool_size = 16
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: post(kit, "one", ("issuance", -3), ("alice", 3)), range(64)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(not answer.json["data"]["replayed"] for answer in answers) == 1
    assert held(kit, "alice") == "3"
