"""A worker is killed in the middle of an automation's actions: each action has its effect once, and the run is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from core.automations import service
from core.events.publish import publish
from tests.faults import alpha_plugin as alpha
from tests.faults.conftest import SYSTEM, House

MARK = {"action": "alpha.mark"}
SIGNAL = {"action": "core.publish_event", "values": {"signal": "marked"}}


@pytest.fixture
def automated(house: House) -> Iterator[House]:
    """An automation of three actions, of which none refuses to be done twice."""
    said = {
        "trigger": {"kind": "event", "event": alpha.Written.event_name},
        "actions": [MARK, SIGNAL, MARK],
        "limits": {"in_all": {"times": 100, "period": "ever"}},
    }
    with house.platform.unit_of_work(SYSTEM) as session:
        service.turn_on(session, SYSTEM, service.create(session, SYSTEM, name="Mark", definition=said).id)
    house.platform.registry.cache.looked_at = float("-inf")
    yield house
    with house.platform.unit_of_work(SYSTEM) as session:
        session.execute(text("TRUNCATE core_automation, alpha_mark CASCADE"))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    house.platform.registry.cache.looked_at = float("-inf")


@pytest.mark.parametrize(
    ("when", "statement"),
    [
        ("after", "INSERT INTO core_automation_run"),
        ("after", "INSERT INTO alpha_mark"),
        ("before", "INSERT INTO core_automation_effect"),
        ("committed", "INSERT INTO alpha_mark"),
    ],
    ids=["begun", "after the first action", "before the commit", "after the commit"],
)
def test_kill_9_of_a_worker_between_the_actions(
    automated: House, eventually: Callable[..., None], when: str, statement: str
) -> None:
    house = automated
    victim = house.start("worker", when, statement)
    with house.platform.unit_of_work(SYSTEM) as session:
        [event] = publish(session, SYSTEM, alpha.Written(note_id=house.member_id, member_id=house.member_id))
    eventually(lambda: house.gone(victim), 30)
    stands = when == "committed"
    assert house.count("alpha_mark") == 2 * stands
    assert house.count("core_automation_run") == stands
    house.start("scheduler")
    house.start("worker")
    eventually(house.quiet, 30)
    keys = sorted(key.rpartition(":")[2] for (key,) in house.rows("SELECT key FROM alpha_mark"))
    assert keys == ["0", "2"]
    assert house.rows("SELECT state, key FROM core_automation_run") == [("done", f"event:{event}")]
    assert house.rows("SELECT count FROM core_automation_count") == [(1,)]
    assert house.count("core_event WHERE name = 'core.automation.signalled'") == 1
    house.check()
