"""docs/integrators.md works as it stands: its files are written, its commands run, its plugin used."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.actor import Actor
from core.events.deliver import Deliverer
from core.platform import Platform
from tests.conftest import Client, Cluster, test_config

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
GRAPHQL = re.compile(r"<!-- graphql -->\n```graphql\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs" / "integrators.md").read_text()


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def shell(tmp_path: Path, cluster: Cluster) -> Any:
    """Runs the page's commands in an empty folder, on a fresh database."""
    environment = {
        **os.environ,
        "GUILDHALL_DATABASE_URL": cluster.fresh("docs"),
        "GUILDHALL_REDIS_URL": cluster.redis_url,
        "GUILDHALL_SECRET_KEY": "x" * 40,
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("GUILDHALL_TEST_CLUSTER", None)

    def run(block: str) -> str:
        printed = ""
        for line in block.strip().splitlines():
            if line.startswith("export "):
                name, value = line.removeprefix("export ").split("=")
                environment[name] = value
                continue
            words = shlex.split(line)
            assert words[0] == "guildhall"
            done = subprocess.run(
                [sys.executable, "-m", "app", *words[1:]], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            printed += done.stdout
        return printed

    run.environment = environment  # type: ignore[attr-defined]
    return run


def test_the_bookshelf_works_as_written(tmp_path: Path, shell: Any) -> None:
    files, blocks = FILE.findall(PAGE), SHELL.findall(PAGE)
    write(tmp_path, *files[0])
    shell(blocks[0])
    assert (tmp_path / "my_plugins/bookshelf/migrations/bookshelf_0001_books.py").exists()
    assert "bookshelf" in shell(blocks[1])
    for name, text in files[1:]:
        write(tmp_path, name, text)
    for name in [name for name in sys.modules if name.split(".")[0] == "bookshelf"]:
        del sys.modules[name]
    config = test_config(plugin_path=str(tmp_path / "my_plugins"))
    platform = Platform(config, shell.environment["GUILDHALL_DATABASE_URL"], None)
    found = {one.name: (one.state, one.reason) for one in platform.found}
    assert found["bookshelf"] == ("enabled", "")
    platform.upgrade()
    share_a_book(platform)
    platform.database.dispose()


def query_the_books(client: Client) -> None:
    """The queries of the page, as they stand there."""
    query, subscription = GRAPHQL.findall(PAGE)
    found = client.post("/api/v1/graphql", {"query": query}).json
    assert [edge["node"]["title"] for edge in found["data"]["bookshelfBooks"]["edges"]] == ["Momo"]
    refused = client.post("/api/v1/graphql", {"query": subscription}, headers={"Accept": "text/event-stream"})
    assert refused.json["error"]["code"] == "PERMISSION_MISSING"  # a member does not see events


def share_a_book(platform: Platform) -> None:
    from app import create_app
    from plugins.contributions.queries import facts

    client = Client(create_app(platform), platform)
    member = client.sign_in("User")
    answer = client.post("/api/v1/bookshelf/books", {"title": "Momo", "author": "Michael Ende"})
    assert answer.status_code == 201, answer.json
    assert answer.json["data"]["owner_id"] == str(member.id)
    query_the_books(client)
    Deliverer(platform.database).drain()
    with platform.unit_of_work(Actor.system()) as session:
        assert facts(session, [member.id])[member.id].count_by_type == {"learning.completed": 1}
