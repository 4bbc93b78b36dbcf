"""A route is declared once; one of the plugin's own replaces the generated one."""

from __future__ import annotations

from typing import Any

from core.admin.pages import PageBlueprint
from core.rest.blueprint import RestBlueprint
from core.routes import declared_twice, route_of


def test_a_route_is_known_by_method_path_and_kinds_of_parameters() -> None:
    assert route_of("GET", "/books/<uuid:key>") == route_of("GET", "/books/<uuid:book>")
    assert route_of("GET", "/books/<key>") != route_of("GET", "/books/<uuid:key>")


def lend(session: Any, actor: Any) -> None:
    """Lend a book."""


def test_the_same_path_at_two_addresses_is_no_repetition() -> None:
    rest, pages = RestBlueprint("library"), PageBlueprint("library")
    rest.post("/loans", public=True)(lend)
    pages.post("/loans", public=True)(lend)
    assert list(declared_twice((rest, pages, None))) == []
    rest.post("/loans", public=True)
    assert list(declared_twice((rest, pages, None))) == ["POST /api/v1/library/loans"]


def test_a_route_that_is_replaced_is_not_declared() -> None:
    generated = RestBlueprint("library", part="resources", replaced=[route_of("GET", "/loans/<uuid:key>")])
    assert generated.get("/loans/<uuid:loan>", public=True)(lend) is lend
    assert generated.routes == []
    assert not generated._docs
