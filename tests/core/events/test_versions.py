"""An event that was stored long ago is read as its newest version."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.events.deliver import Deliverer
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.plugin import Plugin

SYSTEM = Actor.system("test")
seen: list[StoredEvent] = []


class Told(Event):
    """Version 1 had one ``name``; version 2 split it; version 3 counts the listeners."""

    event_name: ClassVar[str] = "alpha.story.told"
    event_version: ClassVar[int] = 3
    first: str
    last: str
    listeners: int

    @classmethod
    def upcast(cls, version: int, payload: dict[str, Any]) -> dict[str, Any]:
        if version < 2:
            first, _, last = payload.pop("name").partition(" ")
            payload |= {"first": first, "last": last}
        return {**payload, "listeners": 0}


def listen(session: Session, actor: Actor, event: StoredEvent) -> None:
    seen.append(event)


ALPHA = Plugin("alpha", version="1", label="", events=[Told], subscribers=[Subscriber(event=Told, handler=listen)])
STORED = {
    1: '{"name": "Ada Lovelace"}',
    2: '{"first": "Ada", "last": "Lovelace"}',
    3: '{"first": "Ada", "last": "Lovelace", "listeners": 0}',
}


@pytest.mark.parametrize("version", STORED)
def test_a_handler_sees_the_newest_version_of_any_stored_one(shop: Any, version: int) -> None:
    platform = shop.open(ALPHA)
    shop.clear(platform)
    seen.clear()
    with platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Told(first="", last="", listeners=9))
        stored = text("UPDATE core_event SET version = :version, payload = CAST(:payload AS jsonb)")
        session.execute(stored, {"version": version, "payload": STORED[version]})
    assert Deliverer(platform.database).drain() == 1
    [event] = seen
    assert event.version == 3
    assert event.payload == Told(first="Ada", last="Lovelace", listeners=0)


def test_what_is_stored_is_not_rewritten() -> None:
    payload = {"name": "Ada Lovelace"}
    Told.read(1, payload)
    assert payload == {"name": "Ada Lovelace"}


def test_an_event_of_a_later_release_is_left_for_it() -> None:
    with pytest.raises(ValueError, match="version 4"):
        Told.read(4, {})
