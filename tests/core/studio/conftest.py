"""A desk to design at: one platform with an empty folder of plugins, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from core.platform import Platform
from core.studio.drafts import Draft
from core.studio.service import Studio
from tests.conftest import Cluster, test_config

ROOM = """# Rooms that members book.
name: {name}
version: 0.1.0
label: Reading room
resources:
  room:
    label: Room
    title: name
    fields:
      name: {{type: text, required: true, search: true, label: Called}}
      seats: {{type: integer, required: true, default: 4}}
  booking:
    label: Booking
    owner: member
    columns: [room, day, state]
    fields:
      member: {{type: member, required: true}}
      room: {{type: reference, to: room, required: true}}
      day: {{type: date, required: true, filter: true}}
      state:
        type: choice
        values: [asked, granted, refused]
        default: asked
        required: true
        colours: {{asked: yellow, granted: green, refused: red}}
roles:
  User: ["{name}:booking:create", "{name}:room:list"]
  Moderator: ["{name}:*:*"]
"""


class Desk:
    """A Studio, and what it has done to the disk and the database."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.studio = Studio(platform)
        self.folder = Path(platform.config.plugin_path)

    def draft(self, name: str, content: str = ROOM) -> Draft:
        return self.studio.drafts.create(content.format(name=name))

    def redraft(self, draft: Draft, old: str, new: str) -> Draft:
        """The draft with something else in its text."""
        now = self.studio.drafts.get(draft.id)
        assert old in now.text
        return self.studio.drafts.save(draft.id, now.text.replace(old, new), now.mark)

    def tables(self, name: str) -> set[str]:
        """Tables of a plugin in the database."""
        with self.platform.database.engine.connect() as connection:
            return {one for one in inspect(connection).get_table_names() if one.startswith(name + "_")}

    def columns(self, table: str) -> set[str]:
        with self.platform.database.engine.connect() as connection:
            return {one["name"] for one in inspect(connection).get_columns(table)}

    def revisions(self, name: str) -> list[str]:
        with self.platform.database.engine.connect() as connection:
            found = connection.scalars(text("SELECT version_num FROM alembic_version ORDER BY 1")).all()
        return [one for one in found if one.startswith(name + "_0")]

    def audited(self, name: str) -> list[str]:
        """What the trail says was done to a plugin, in order."""
        query = "SELECT action FROM core_audit WHERE subject_type = 'plugin' AND subject_id = :name ORDER BY at, id"
        with self.platform.database.engine.connect() as connection:
            return [one.rpartition(".")[2] for one in connection.scalars(text(query), {"name": name})]


@pytest.fixture(scope="session")
def desk(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("studio")
    (home / "plugins").mkdir()
    config = test_config(home=home, plugin_path=str(home / "plugins"), studio=True)
    platform = Platform(config, cluster.fresh("studio"), cluster.redis_url)
    made = Desk(platform)
    yield made
    made.studio.bench.close()
    platform.database.dispose()
