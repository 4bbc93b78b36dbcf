"""The catalogue names every event with its schema."""

from __future__ import annotations

from collections.abc import Callable

from core.platform import Platform
from tests.core.doors import Person


def test_it_names_every_event_with_its_schema(site: Platform, people: Callable[..., Person]) -> None:
    answer = people("Admin", browser=True).get("/admin/events/catalogue")
    assert answer.status_code == 200
    assert [name for name in site.registry.events if f">{name}<" not in answer.text and name not in answer.text] == []
    assert "additionalProperties" in answer.text


def test_it_is_for_who_may_see_events(people: Callable[..., Person]) -> None:
    assert people("User", browser=True).get("/admin/events/catalogue").status_code == 403
