"""The events calendar of docs/examples: YAML alone, with all that a plugin has."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from core import lifecycle
from core.actor import Actor
from core.db import migrate
from core.db.base import member_column, metadata
from core.events.models import EventRow
from core.platform import Platform
from core.purge import purge
from tests.conftest import Client
from tests.core.workshop import Workshop

BASE = "/api/v1/events-calendar"
SYSTEM = Actor.system("test")


@pytest.fixture
def calendar(workshop: Workshop, example: Callable[[str], Path]) -> Platform:
    example("events_calendar")
    return workshop.boot()


@pytest.fixture
def web(calendar: Platform) -> Any:
    from app import create_app

    return create_app(calendar)


def test_its_migration_is_what_the_command_writes(workshop: Workshop, example: Callable[[str], Path]) -> None:
    folder = example("events_calendar")
    for path in (folder / "migrations").glob("*.py"):
        path.unlink()
    platform = workshop.boot()
    written = Path(migrate.revision(platform.database.url, platform.branches, "events_calendar", "The first tables"))
    assert written.name == "events_calendar_0001_the_first_tables.py"
    workshop.tidy()
    again = workshop.boot()
    assert migrate.differences(again.database.url, again.branches, "events_calendar") == []


def test_the_migration_that_comes_with_it_agrees(calendar: Platform) -> None:
    assert migrate.differences(calendar.database.url, calendar.branches, "events_calendar") == []


def test_an_event_is_planned_announced_and_replied_to(calendar: Platform, web: Any) -> None:
    admin, member, stranger = (Client(web, calendar) for _n in range(3))
    admin.sign_in("Admin", email="admin@example.org")
    amina = member.sign_in("User", email="amina@example.org")
    stranger.sign_in("User", email="other@example.org")
    hall = admin.post(f"{BASE}/venues", {"name": "Guildhall", "capacity": 80})
    assert hall.status_code == 201, hall.json
    event = admin.post(
        f"{BASE}/events",
        {"title": "Opening", "starts_at": "2030-05-01T18:00:00Z", "venue_id": hall.json["data"]["id"]},
    )
    assert event.status_code == 201, event.json
    key = event.json["data"]["id"]
    assert (event.json["data"]["status"], event.json["data"]["kind"]) == ("draft", "meetup")
    refused = admin.patch(f"{BASE}/events/{key}", {"status": "over"})
    assert refused.status_code == 409, refused.json
    assert refused.json["error"]["code"] == "TRANSITION_REFUSED"
    announced = admin.post(f"{BASE}/events/{key}/announced", headers={"Idempotency-Key": "announce-it-once"})
    assert announced.status_code == 200, announced.json
    assert member.patch(f"{BASE}/events/{key}", {"title": "Mine"}).status_code == 403
    reply = {"event_id": key, "answer": "maybe"}
    assert member.post(f"{BASE}/replies", reply).json["data"]["member_id"] == str(amina.id)
    again = member.post(f"{BASE}/replies", reply)
    assert (again.status_code, again.json["error"]["code"]) == (409, "ALREADY_EXISTS")
    assert len(member.get(f"{BASE}/replies").json["data"]) == 1
    assert stranger.get(f"{BASE}/replies").json["data"] == []
    assert [one["title"] for one in member.get(f"{BASE}/events?q=open").json["data"]] == ["Opening"]
    query = {"query": "{ eventsCalendarEvents { edges { node { title status } } } }"}
    shown = member.post("/api/v1/graphql", query).json
    assert shown["data"]["eventsCalendarEvents"]["edges"][0]["node"] == {"title": "Opening", "status": "announced"}
    with calendar.unit_of_work(SYSTEM) as session:
        names = set(session.scalars(select(EventRow.name).where(EventRow.name.like("events_calendar.%"))))
    assert names >= {
        "events_calendar.event.created",
        "events_calendar.event.transitioned",
        "events_calendar.reply.created",
    }


def test_it_is_turned_off_and_purged_like_any_other(calendar: Platform, web: Any) -> None:
    client = Client(web, calendar)
    client.sign_in("Admin", email="admin@example.org")
    assert client.get(f"{BASE}/events").status_code == 200
    with calendar.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, "events_calendar", False)
    calendar.registry.cache.looked_at = 0.0
    assert client.get(f"{BASE}/events").status_code == 404
    assert BASE not in str(client.get("/api/v1/openapi.json").json)
    purge(calendar, SYSTEM, "events_calendar")
    names = inspect(calendar.database.engine).get_table_names()
    assert not [name for name in names if name.startswith("events_calendar_")]


def test_what_it_holds_about_members_is_known(calendar: Platform) -> None:
    owners = {name: member_column(metadata.tables[f"events_calendar_{name}"]) for name in ("event", "reply", "venue")}
    assert owners["venue"] is None
    assert [owners[name] is not None and owners[name].name for name in ("event", "reply")] == [
        "organizer_id",
        "member_id",
    ]


def test_its_searches_and_order_have_an_index(calendar: Platform) -> None:
    with calendar.unit_of_work() as session:
        query = "SELECT indexname FROM pg_indexes WHERE tablename LIKE 'events_calendar_%'"
        names = set(session.scalars(text(query)))
    assert {
        "ix_events_calendar_event_title_search",
        "ix_events_calendar_event_starts_at",
        "ix_events_calendar_event_summary_words",
        "ix_events_calendar_reply_event_id",
    } <= names


def test_its_pages_speak_two_languages(calendar: Platform) -> None:
    assert calendar.catalogues.of("fr").gettext("Events") == "Événements"


@pytest.fixture
def site(calendar: Platform) -> Platform:
    return calendar


def test_its_form_begins_with_the_defaults_and_finds_places_by_name(people: Any) -> None:
    client, browser = people("Admin"), people("Admin", browser=True)
    client.post(f"{BASE}/venues", {"name": "Great hall"})
    page = browser.get("/admin/events-calendar/event/add").text
    assert re.search(r'<select[^>]*name="kind".*?value="meetup" selected', page, re.S)
    assert 'type="datetime-local" id="starts_at"' in page
    [address] = re.findall(r'name="venue_id" data-lookup="([^"]+)"', page)
    [found] = browser.get(html.unescape(address) + "?q=great").json
    assert found["text"] == "Great hall"
    made = client.post(
        f"{BASE}/events", {"title": "A", "starts_at": "2030-05-01T18:00:00Z", "venue_id": found["value"]}
    )
    assert made.status_code == 201
    shown = browser.get("/admin/events-calendar/event/list/").text
    assert f'<a href="/admin/events-calendar/venue/show/{found["value"]}">Great hall</a>' in shown
