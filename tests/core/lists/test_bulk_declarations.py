"""What a resource may offer for many records is checked when its plugin is loaded; who holds which permission."""

from __future__ import annotations

from typing import Any

import pytest

from core import access
from core.platform import Platform
from core.plugin import Plugin
from core.registry import DeclarationError, Registry
from core.resources.operation import Operation
from core.resources.resource import READ, Resource
from tests.core.library import Book


def nothing(session: Any, actor: Any, record: Any, values: dict[str, Any]) -> None: ...


def repair(**changes: Any) -> Operation:
    return Operation(
        **{"name": "repair", "label": "Repair", "permission": "library:book:update", "run": nothing, **changes}
    )


@pytest.mark.parametrize(
    ("declared", "wrong"),
    [
        ({"bulk": ("unheard",)}, "changes unheard in bulk"),
        ({"bulk": ("owner_id",), "owner": "owner_id"}, "changes owner_id in bulk"),
        ({"bulk": ("state",), "actions": READ}, "changes state in bulk"),
        ({"bulk": ("title", "about")}, "may hold something personal"),
        ({"operations": (repair(name="not a slug"),)}, "no slug"),
        ({"operations": (repair(), repair())}, "not unique"),
        ({"operations": (repair(permission="library:book:burn"),)}, "which nothing declares"),
    ],
)
def test_what_cannot_be_is_refused(declared: dict[str, Any], wrong: str) -> None:
    with pytest.raises(DeclarationError, match=wrong):
        Registry().add(Plugin("library", version="1", label="", resources=[Resource(Book, **declared)]))


def test_what_can_be_is_taken() -> None:
    registry = Registry()
    resource = Resource(Book, bulk=("state", "copies", "lent"), operations=(repair(),))
    registry.add(Plugin("library", version="1", label="", resources=[resource]))
    assert "library.book" in registry.resources


def test_moderators_save_views_and_neither_share_nor_export(site: Platform) -> None:
    with site.unit_of_work() as session:
        held = access.grants(session)
    assert "core:list:save" in held["Moderator"]
    assert not {"core:list:share", "core:list:export"} & held["Moderator"]
    assert {"core:list:save", "core:list:share", "core:list:export"} <= held["Admin"]
    assert not {"core:list:save", "core:list:share", "core:list:export"} & held["User"]
