"""The example of what a resource declares, in docs/integrators.md, loads and works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from core import access
from core.actor import Actor
from core.db.base import metadata
from core.platform import Platform
from tests.conftest import Client, Cluster, test_config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "integrators.md").read_text()
EXAMPLE = re.compile(r"<!-- resources -->\n```python\n(.*?)```", re.DOTALL)


def test_the_newsroom_works_as_written(tmp_path: Path, cluster: Cluster) -> None:
    from app import create_app

    [source] = EXAMPLE.findall(PAGE)
    (tmp_path / "newsroom").mkdir()
    (tmp_path / "newsroom" / "plugin.py").write_text(source)
    platform = Platform(test_config(plugin_path=str(tmp_path)), cluster.fresh("docs"), cluster.redis_url)
    assert {one.name: one.reason for one in platform.found}["newsroom"] == ""
    metadata.create_all(platform.database.engine, tables=[metadata.tables["newsroom_article"]])
    with platform.unit_of_work(Actor.system("test")) as session:
        access.sync(session, platform.registry.permissions, platform.registry.roles)
    client = Client(create_app(platform), platform)
    client.sign_in("Admin")
    path = "/api/v1/newsroom/articles"
    made = client.post(path, {"title": "News", "likes": 3, "dislikes": 1}).json["data"]
    assert (made["state"], made["balance"], made["readers"], made["loud"]) == ("draft", 2, 4, "NEWS")
    assert client.post(f"{path}/{made['id']}/publish", {}).json["error"]["code"] == "TRANSITION_REFUSED"
    assert client.post(f"{path}/{made['id']}/review", {}).json["data"]["state"] == "review"
    assert client.post(f"{path}/{made['id']}/publish", {}).json["data"]["state"] == "published"
    platform.database.dispose()
