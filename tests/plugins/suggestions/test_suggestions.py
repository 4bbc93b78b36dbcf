"""The smallest complete plugin: one short file, and all that a plugin has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.db import migrate
from core.events.deliver import Deliverer
from core.events.models import Delivery, EventRow
from core.events.replay import replay
from core.platform import Platform
from core.resources.resource import BoundResource
from core.settings import write
from guildhall import Actor, Member, NotFound, new_id
from plugins.notifications import Notification
from plugins.suggestions import plugin as module
from plugins.suggestions.plugin import Suggestion, SuggestionSettings

PERMISSIONS = "suggestions:suggestion:"


@pytest.fixture
def author(platform: Platform) -> Actor:
    with platform.unit_of_work() as session:
        member = Member(id=new_id(), display_name="Amina")
        session.add(member)
    return Actor(kind="member", name="Amina", member_id=member.id, permissions=frozenset({PERMISSIONS + "create"}))


def box(platform: Platform) -> BoundResource:
    return platform.registry.resources["suggestions.suggestion"]


def suggest(platform: Platform, author: Actor, title: str = "A quiet room") -> UUID:
    with platform.unit_of_work(author) as session:
        key: UUID = box(platform).create(session, author, {"title": title, "body": "Please."}).id
    Deliverer(platform.database).drain()
    return key


def thanks(platform: Platform) -> list[Notification]:
    with platform.unit_of_work() as session:
        return list(session.scalars(select(Notification)))


def test_who_suggests_is_thanked_once(platform: Platform, author: Actor, system: Actor) -> None:
    key = suggest(platform, author)
    with platform.unit_of_work(system) as session:
        suggestion = session.get_one(Suggestion, key)
        assert (suggestion.author_id, suggestion.status) == (author.member_id, "new")
        event = session.scalars(select(EventRow).where(EventRow.name == "suggestions.suggestion.created")).one()
        assert event.payload == {"id": str(key)}
        replay(session, system, session.scalars(select(Delivery.id).where(Delivery.event_id == event.id)).all())
    Deliverer(platform.database).drain()
    [notice] = thanks(platform)
    assert (notice.member_id, notice.kind) == (author.member_id, "suggestion_thanks")


def test_an_admin_may_turn_the_thanks_off(platform: Platform, author: Actor, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        write(session, system, SuggestionSettings, {"thank_authors": False})
    platform.registry.cache.looked_at = 0.0
    suggest(platform, author)
    assert thanks(platform) == []


def test_members_see_their_own_alone(platform: Platform, author: Actor) -> None:
    key = suggest(platform, author)
    stranger = replace(author, member_id=new_id())
    with platform.unit_of_work(author) as session:
        assert box(platform).get(session, author, key).title == "A quiet room"
        with pytest.raises(NotFound):
            box(platform).get(session, stranger, key)


def test_a_moderator_answers(platform: Platform, author: Actor, system: Actor) -> None:
    key = suggest(platform, author)
    with platform.unit_of_work(system) as session:
        box(platform).update(session, system, box(platform).get(session, system, key), {"status": "planned"})
    with platform.unit_of_work(system) as session:
        assert session.get_one(Suggestion, key).status == "planned"
        name = "suggestions.suggestion.updated"
        assert session.scalars(select(EventRow).where(EventRow.name == name)).one().payload["fields"] == ["status"]


def test_the_table_knows_the_states(session: Session) -> None:
    member = Member(id=new_id(), display_name="A")
    session.add(member)
    session.flush()
    row = {"id": new_id(), "author_id": member.id, "title": "t", "body": "b", "status": "maybe"}
    insert = "INSERT INTO suggestions_suggestion VALUES (:id, :author_id, :title, :body, :status)"
    with pytest.raises(IntegrityError):
        session.execute(text(insert), row)


def test_roles_get_what_they_need(platform: Platform) -> None:
    roles = {
        role: {name.removeprefix(PERMISSIONS) for name in names if name.startswith(PERMISSIONS)}
        for role, names in platform.registry.roles.items()
    }
    assert roles["User"] == {"create"}
    assert roles["Moderator"] >= {"list", "show", "update"}


def test_the_migration_agrees_with_the_model(platform: Platform) -> None:
    assert migrate.differences(platform.database.url, platform.branches, "suggestions") == []


def test_the_whole_plugin_is_one_file_of_at_most_25_lines() -> None:
    folder = Path(str(module.__file__)).parent
    sources = [path for path in folder.rglob("*.py") if path.parent.name != "migrations"]
    assert [path.name for path in sources] == ["plugin.py"]
    lines = [line.strip() for line in sources[0].read_text().splitlines()]
    assert sum(1 for line in lines if line and not line.startswith("#")) <= 25


def test_it_is_formatted_at_100_columns() -> None:
    source = str(module.__file__)
    check = [sys.executable, "-m", "ruff", "format", "--line-length", "100", "--check", source]
    assert subprocess.run(check, capture_output=True, text=True).returncode == 0
    assert all(len(line) <= 100 for line in Path(source).read_text().splitlines())
