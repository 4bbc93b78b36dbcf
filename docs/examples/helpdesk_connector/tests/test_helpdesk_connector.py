"""What the connector does when all goes well, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest
from helpdesk_connector.models import Ticket
from helpdesk_connector.settings import HelpdeskSettings
from sqlalchemy import select

SUGGESTION = {"title": "Longer opening hours", "body": "On Fridays."}


@pytest.fixture
def suggest(as_member: Any, change_settings: Any, desk: Any) -> Any:
    """Makes a suggestion, with the connector turned towards the desk."""
    change_settings(HelpdeskSettings, address=desk.address)
    member = as_member("suggestions:suggestion:create")
    return lambda: member.post("/api/v1/suggestions/suggestions", SUGGESTION).json["data"]["id"]


def numbers(db: Any) -> list[str]:
    with db() as session:
        return list(session.scalars(select(Ticket.number)))


def test_a_suggestion_opens_a_ticket(suggest: Any, events: Any, db: Any) -> None:
    suggest()
    events.drain()
    assert numbers(db) == ["T-1"]


def test_a_second_delivery_opens_no_second_ticket(suggest: Any, events: Any, db: Any, desk: Any) -> None:
    suggest()
    events.drain(twice=True)
    assert len(desk.asked) == 2 and len(set(desk.asked)) == 1
    assert numbers(db) == list(desk.tickets.values()) == ["T-1"]


def test_it_comes_back_when_the_desk_rests(suggest: Any, events: Any, db: Any, desk: Any, clock: Any) -> None:
    suggest()
    desk.answers = [503]
    events.drain(failing=True)
    assert numbers(db) == []
    clock.forward(minutes=5)
    events.drain()
    assert numbers(db) == ["T-1"] and len(set(desk.asked)) == 1


def test_it_gives_up_what_is_refused(suggest: Any, events: Any, db: Any, desk: Any, clock: Any) -> None:
    suggest()
    desk.answers = [422]
    events.drain(failing=True)
    clock.forward(days=1)
    events.drain(failing=True)
    assert len(desk.asked) == 1 and numbers(db) == []


def test_without_an_address_nothing_is_asked(as_member: Any, events: Any, desk: Any) -> None:
    as_member("suggestions:suggestion:create").post("/api/v1/suggestions/suggestions", SUGGESTION)
    events.drain()
    assert desk.asked == []
