"""What an admin does on the event page: pause a subscriber, replay by filter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.events import subscribers
from core.platform import Platform
from tests.core.doors import Person

NAME = "badges.evaluate"


@pytest.fixture
def admin(site: Platform, people: Callable[..., Person]) -> Person:
    with site.unit_of_work(Actor.system("test")) as session:
        subscribers.keep(session)
    return people("Admin", browser=True)


def paused(site: Platform) -> bool:
    with site.unit_of_work() as session:
        return bool(session.scalar(text("SELECT paused FROM core_subscriber WHERE id = :id"), {"id": NAME}))


def test_a_subscriber_is_paused_and_resumed(site: Platform, admin: Person) -> None:
    path = f"/admin/events/subscribers/{NAME}/pause"
    assert admin.send(path, paused="yes").status_code == 303
    assert paused(site)
    page = admin.get("/admin/events").text
    assert f"Resume {NAME}" in page and "Its deliveries wait; nothing is lost." in page
    assert admin.send(path, paused="no").status_code == 303
    assert not paused(site)


def test_an_unknown_subscriber_is_not_found(admin: Person) -> None:
    assert admin.send("/admin/events/subscribers/nobody.knows/pause", paused="yes").status_code == 404


def test_who_may_only_look_neither_pauses_nor_replays(site: Platform, people: Callable[..., Person]) -> None:
    moderator = people("Moderator", browser=True)
    page = moderator.get("/admin/events").text
    assert "Pause" not in page and 'action="/admin/events/replay"' not in page
    assert moderator.send(f"/admin/events/subscribers/{NAME}/pause", paused="yes").status_code == 403
    assert moderator.send("/admin/events/replay", state="dead").status_code == 403


def test_a_replay_by_filter_becomes_a_job(site: Platform, admin: Person) -> None:
    form = {"subscriber": NAME, "event": "", "state": "done", "since": "2026-01-31T12:00", "until": ""}
    answer = admin.send("/admin/events/replay", **form)
    assert answer.headers["Location"] == "/admin/jobs"
    with site.unit_of_work() as session:
        params = session.scalar(text("SELECT params FROM core_job ORDER BY id DESC LIMIT 1"))
    assert params["subscriber"] == NAME and params["since"] == "2026-01-31T12:00:00Z"


def test_a_replay_of_everything_is_refused_with_a_reason(admin: Person) -> None:
    assert admin.send("/admin/events/replay", state="done").headers["Location"] == "/admin/events"
    assert "Name a subscriber or an event" in admin.get("/admin/events").text


def test_a_replay_for_a_subscriber_that_nobody_knows_is_refused_by_its_name(admin: Person) -> None:
    answer = admin.send("/admin/events/replay", subscriber="nobody.listens", state="dead")
    assert answer.headers["Location"] == "/admin/events"
    assert "No subscriber is called nobody.listens." in admin.get("/admin/events").text
