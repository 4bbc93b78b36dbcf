"""What a resource cannot hold is refused when its plugin is registered, by a sentence that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.plugin import Plugin
from core.registry import DeclarationError, Registry
from guildhall import IMAGES, Computed, Operation, Resource, Transition, Upload
from tests.core.resources.press import COVER, Article

T = Transition


def nothing(_session: Session, records: Sequence[Any]) -> list[None]:
    return [None for _record in records]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown column": ({"transitions": [T("mood", "draft", "review")]}, "mood, which it does not have"),
    "no states": ({"transitions": [T("title", "draft", "review")]}, "which title cannot be"),
    "unknown state": ({"transitions": [T("state", "draft", "printed")]}, "names printed"),
    "to itself": ({"transitions": [T("state", ("draft", "review"), "draft")]}, "to itself"),
    "from nowhere": ({"transitions": [T("state", (), "draft")]}, "from nowhere"),
    "no update": ({"actions": ("list",), "transitions": [T("state", "draft", "review")]}, "takes the action update"),
    "two of a name": (
        {"transitions": [T("state", "draft", "review"), T("state", "published", "review")]},
        "not unique: review",
    ),
    "name of an operation": (
        {
            "transitions": [T("state", "draft", "review")],
            "operations": [Operation(name="review", label="", permission="press:article:update", run=print)],
        },
        "not unique: review",
    ),
    "no slug": ({"transitions": [T("state", "draft", "review", name="Hand in")]}, "no slug"),
    "unknown permission": (
        {"transitions": [T("state", "draft", "review", permission="press:article:fly")]},
        "press:article:fly, which nothing declares",
    ),
    "begins elsewhere": (
        {"transitions": [T("state", "draft", "review")], "initial": {"state": ["review"]}},
        "begins as draft by default",
    ),
    "begins as nothing": (
        {"transitions": [T("state", "draft", "review")], "initial": {"state": []}},
        "how state begins",
    ),
    "begins without": ({"initial": {"state": ["draft"]}}, "has no transitions"),
    "computed of the table": ({"computed": [Computed(name="title", label="", sql=lambda m: m.title)]}, "the table has"),
    "computed by both": (
        {"computed": [Computed(name="x", label="", sql=lambda m: m.title, load=lambda s, r: [])]},
        "either sql or load",
    ),
    "computed by nothing": ({"computed": [Computed(name="x", label="")]}, "either sql or load"),
    "computed of odd kind": (
        {"computed": [Computed(name="x", label="", kind="odd", load=nothing)]},  # type: ignore[arg-type]
        "a kind that there is",
    ),
    "computed that fails": ({"computed": [Computed(name="x", label="", sql=lambda m: m.nothing)]}, "is no expression"),
    "computed twice": (
        {"computed": [Computed(name="x", label="", load=nothing), Computed(name="x", label="", load=nothing)]},
        "no free slug",
    ),
    "filter without index": (
        {"computed": [Computed(name="x", label="", sql=lambda m: m.likes + 1)], "filters": ["x"]},
        "an index of that expression",
    ),
    "filter of a function": ({"computed": [Computed(name="x", label="", load=nothing)], "filters": ["x"]}, "takes sql"),
    "soft and restorable": ({"soft_delete": True, "restorable": True}, "not restorable"),
    "soft without delete": ({"soft_delete": True, "actions": ("list", "create")}, "takes the action delete"),
    "soft with a service": ({"soft_delete": True, "delete": print}, "no service for it"),
    "soft and its mark": ({"soft_delete": True, "columns": ("title", "deleted_at")}, "the platform's"),
    "days of nothing": ({"keep_deleted_days": 3}, "takes soft_delete"),
    "days below none": ({"soft_delete": True, "keep_deleted_days": -1}, "less than no day"),
    "translated number": ({"translated": ["likes"]}, "translates likes"),
    "translated nothing": ({"translated": ["nothing"]}, "translates nothing"),
    "file in no column": ({"files": {"nothing": COVER}}, "takes a column"),
    "file in a text": ({"files": {"title": COVER}}, "takes a column"),
    "file for many": ({"files": {"cover_id": COVER}, "bulk": ["cover_id"]}, "belongs to one record"),
    "file of any type": (
        {"files": {"cover_id": Upload(name="cover", label="", allowed=frozenset({"text/html"}))}},
        "text/html",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_it_is_refused(case: str) -> None:
    declared, sentence = BAD[case]
    plugin = Plugin("press", version="1", label="", resources=[Resource(Article, **declared)])
    with pytest.raises(DeclarationError, match=sentence):
        Registry().add(plugin)


def test_two_uploads_of_one_name_are_refused() -> None:
    upload = Upload(name="cover", label="", allowed=IMAGES)
    resource = Resource(Article, files={"cover_id": COVER})
    with pytest.raises(DeclarationError, match="two uploads are called cover"):
        Registry().add(Plugin("press", version="1", label="", resources=[resource], uploads=[upload]))


def test_an_index_serves_an_expression_that_it_begins_with() -> None:
    made = Computed(name="x", label="", kind="integer", sql=lambda m: m.likes - m.dislikes)
    assert made.served(Article)
    assert not Computed(name="x", label="", sql=lambda m: m.dislikes - m.likes).served(Article)
    assert not Computed(name="x", label="", sql=lambda m: text("likes")).served(Article)
