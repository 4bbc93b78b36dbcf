"""The suggestion box in 20 lines of YAML and 5 of Python is the one in Python, name apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.schema import CreateIndex, CreateTable

from core.actor import Actor
from core.db import migrate
from core.events.deliver import Deliverer
from core.platform import Platform
from core.settings import write
from guildhall import Member, new_id
from plugins.notifications import Notification
from tests.core.workshop import Workshop
from tests.core.yamlplugin.conftest import EXAMPLES

BOX = EXAMPLES / "suggestion_box"


@pytest.fixture
def box(workshop: Workshop, example: Callable[[str], Path]) -> Platform:
    example("suggestion_box")
    return workshop.boot()


def renamed(told: Any) -> Any:
    """What the one in YAML declares, as if it were called like the one in Python."""
    text = json.dumps(told, default=str)
    for form, other in (
        ("suggestion_box", "suggestions"),
        ("suggestion-box", "suggestions"),
        ("SuggestionBox", "Suggestions"),
    ):
        text = text.replace(form, other)
    return json.loads(text)


def plain(told: Any) -> Any:
    return json.loads(json.dumps(told, default=str))


def declaration(platform: Platform, name: str) -> dict[str, Any]:
    registry = platform.registry
    bound = registry.resources[f"{name}.suggestion"]
    table = bound.resource.model.__table__
    settings: Any = registry.plugins[name].settings
    return {
        "permissions": {key: one.label for key, one in registry.permissions.items() if key.startswith(f"{name}:")},
        "roles": {
            role: sorted(key for key in keys if key.startswith(f"{name}:")) for role, keys in registry.roles.items()
        },
        "events": {key: one.model_json_schema() for key, one in registry.events.items() if key.startswith(f"{name}.")},
        "subscribers": {
            key: (one.event_name, one.kind, one.batch, one.max_attempts)
            for key, one in registry.subscribers.items()
            if key.startswith(f"{name}.")
        },
        "settings": settings.model_json_schema()["properties"],
        "table": str(CreateTable(table)),
        "indexes": sorted(str(CreateIndex(index)) for index in table.indexes),
        "columns": {
            key: (str(one.type), one.nullable, one.info) for key, one in bound.resource.columns_of_model.items()
        },
        "resource": {
            one.name: value
            for one in fields(bound.resource)
            if isinstance(value := getattr(bound.resource, one.name), (str, bool, int, dict))
        },
        "search": (list(bound.resource.search), list(bound.resource.filters), bound.resource.writable),
        "requires": dict(registry.plugins[name].requires),
    }


def described_routes(document: Any, name: str) -> Any:
    begin = f"/api/v1/{name.replace('_', '-')}/"
    prefix = "".join(word.title() for word in f"{name}_suggestion".split("_"))
    return {
        "paths": {path: about for path, about in document["paths"].items() if path.startswith(begin)},
        "schemas": {key: about for key, about in document["components"]["schemas"].items() if key.startswith(prefix)},
    }


def test_both_declare_the_same(workshop: Workshop, example: Callable[[str], Path]) -> None:
    example("suggestion_box")
    platform = workshop.load()
    ours, theirs = (declaration(platform, name) for name in ("suggestion_box", "suggestions"))
    assert len(ours["permissions"]) == 5
    assert len(ours["events"]) >= 3
    assert renamed(ours) == plain(theirs)


def test_both_are_described_alike_and_the_migration_agrees(box: Platform) -> None:
    from app import create_app

    document = create_app(box).test_client().get("/api/v1/openapi.json").json
    ours, theirs = (described_routes(document, name) for name in ("suggestion_box", "suggestions"))
    assert len(ours["paths"]) >= 2
    assert migrate.differences(box.database.url, box.branches, "suggestion_box") == []
    assert len(ours["schemas"]) >= 2
    assert renamed(ours) == plain(theirs)


def test_who_suggests_is_thanked_while_the_setting_is_on(box: Platform, system: Actor) -> None:
    bound = box.registry.resources["suggestion_box.suggestion"]
    with box.unit_of_work(system) as session:
        member = Member(id=new_id(), display_name="Amina")
        session.add(member)
    author = Actor(
        kind="member",
        name="Amina",
        member_id=member.id,
        permissions=frozenset({"suggestion_box:suggestion:create"}),
    )

    def suggest() -> int:
        with box.unit_of_work(author) as session:
            bound.create(session, author, {"title": "A quiet room", "body": "Please."})
        Deliverer(box.database).drain()
        with box.unit_of_work() as session:
            return len(session.scalars(select(Notification).where(Notification.kind == "suggestion_thanks")).all())

    assert suggest() == 1
    settings: Any = box.registry.plugins["suggestion_box"].settings
    with box.unit_of_work(system) as session:
        write(session, system, settings, {"thank_authors": False})
    box.registry.cache.looked_at = 0.0
    assert suggest() == 1


def test_it_is_20_lines_of_yaml_and_5_of_python() -> None:
    lines = {
        name: [line.strip() for line in (BOX / name).read_text().splitlines()] for name in ("plugin.yaml", "actions.py")
    }
    written = {name: sum(1 for line in own if line and not line.startswith("#")) for name, own in lines.items()}
    assert written == {"plugin.yaml": 20, "actions.py": 5}
    assert all(len(line) <= 100 for own in lines.values() for line in own)
