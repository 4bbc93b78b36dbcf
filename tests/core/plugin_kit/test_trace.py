"""What came of an event is a tree: each event below its cause, with how each delivery fared."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from core.actor import Actor
from core.events.deliver import Deliverer
from core.events.models import EventRow
from core.events.publish import publish
from core.ids import new_id
from core.platform import Platform
from core.plugin_kit.commands import plugin_group
from core.plugin_kit.errors import CauseUnknown
from tests.core.workshop import Workshop

RELAY = """
class First(Event):
    event_name = "relay.stage.begun"

class Second(Event):
    event_name = "relay.stage.ended"

def carry(session, actor, event):
    publish(session, actor, Second(), Second())

def stumble(session, actor, event):
    raise RuntimeError("[red]it stumbled[/]\\nand fell")
"""
MANIFEST = """events=[First, Second], subscribers=[
    Subscriber(event=First, handler=carry), Subscriber(event=Second, handler=stumble, max_attempts=1)]"""


@pytest.fixture
def relay(workshop: Workshop) -> tuple[Platform, UUID]:
    workshop.plugin("relay", MANIFEST, RELAY)
    platform = workshop.boot()
    with platform.unit_of_work() as session:
        [key] = publish(session, Actor.system("test"), platform.registry.events["relay.stage.begun"]())
    Deliverer(platform.database).drain()
    return platform, key


def trace(platform: Platform, *arguments: str) -> Result:
    return CliRunner().invoke(plugin_group, ["trace", *arguments], obj=platform)


def test_an_event_an_effect_and_a_correlation_show_the_same_tree(relay: tuple[Platform, UUID]) -> None:
    platform, key = relay
    with platform.unit_of_work() as session:
        cause = session.get_one(EventRow, key)
        effect = session.scalars(select(EventRow.id).where(EventRow.name == "relay.stage.ended")).first()
    trees = [json.loads(trace(platform, "--json", str(one)).output) for one in (key, effect, cause.correlation_id)]
    assert trees[0] == trees[1] == trees[2]
    [root] = trees[0]["events"]
    assert root["id"] == str(key) and root["deliveries"][0]["state"] == "done"
    assert [one["name"] for one in root["effects"]] == ["relay.stage.ended"] * 2
    [failed] = root["effects"][0]["deliveries"]
    assert (failed["state"], failed["attempts"]) == ("dead", 1) and failed["error"].endswith("it stumbled[/]")


def test_the_terminal_shows_it_and_marks_what_was_asked_for(relay: tuple[Platform, UUID]) -> None:
    platform, key = relay
    shown = trace(platform, str(key))
    assert shown.exit_code == 0
    assert "relay.stage.begun ←" in shown.output and "→ relay.carry done" in shown.output
    assert "[red]it stumbled[/]" in shown.output and "and fell" not in shown.output


def test_what_nothing_has_is_not_found(relay: tuple[Platform, UUID]) -> None:
    assert isinstance(trace(relay[0], str(new_id())).exception, CauseUnknown)
    assert trace(relay[0], "no-id").exit_code == 2
