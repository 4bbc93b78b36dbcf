"""An automation runs once for what happened, whatever fails, and says what it did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from core import lifecycle
from core.actor import Actor
from core.automations import carrying, running, service
from core.automations.errors import NotRepeatable
from core.automations.live import subscriber_of
from core.automations.models import AutomationRun
from core.clock import now
from core.events import subscribers
from core.events.deliver import Deliverer
from core.events.replay import replay
from core.platform_settings import PlatformSettings
from core.settings import write
from core.switches import service as switches
from tests.core.automations.laboratory import SYSTEM, Lab, Silent, broken

RULE = {"action": "lab.note", "values": {"text": "noted", "number": "=event.amount"}}


def row(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, **({} if value is None else {"value": value})}


def test_what_matches_runs_once_and_is_logged_and_what_does_not_leaves_nothing(lab: Lab) -> None:
    member = lab.member(tier="pro")
    condition = {"rows": [row("event.amount", "ge", 3), row("member.tier", "is", "pro")]}
    automation = lab.automation(RULE, condition=condition)
    small, large = lab.happen(member, amount=2), lab.happen(member, amount=7)
    assert lab.drain() == 2
    assert lab.rows("SELECT member_id, text, number, actor FROM lab_note") == [
        (member, "noted", 7, f"core.automation.{automation}")
    ]
    [run] = lab.runs()
    assert (run.state, run.event_id, run.event_name, run.member_id) == ("done", large, "lab.thing.happened", member)
    assert run.results == [{"action": "lab.note", "state": "done", "result": {"noted": "noted"}}]
    assert (run.version, run.key) == (1, f"event:{large}")
    assert small != large


def test_a_redelivery_a_replay_and_a_race_have_no_second_effect(lab: Lab) -> None:
    lab.automation("note")
    lab.happen(lab.member())
    lab.drain()
    for _again in range(2):
        ids = [row[0] for row in lab.rows("SELECT id FROM core_delivery")]
        assert lab.within(lambda session, ids=ids: replay(session, SYSTEM, ids)) == 1
        assert lab.drain() == 1
    assert lab.notes() == ["noted"]
    lab.rows("UPDATE core_delivery SET state = 'pending' RETURNING id")
    event = lab.rows("SELECT id FROM core_event")[0][0]

    def handle(_number: int) -> None:
        with lab.platform.unit_of_work(SYSTEM) as session:
            _call(lab, session, event)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(handle, range(8)))
    assert lab.notes() == ["noted"]
    assert lab.states() == ["done"]


class Killed(BaseException):
    """The process is gone: nothing of it is caught, and its transaction never commits."""


def test_killed_between_the_effect_and_the_acknowledgement_it_is_done_again_and_once(lab: Lab) -> None:
    lab.automation("note", {"action": "core.publish_event", "values": {"signal": "gone"}})
    event = lab.happen(lab.member())
    with pytest.raises(Killed), lab.platform.unit_of_work(SYSTEM) as session:
        _call(lab, session, event)
        assert session.scalar(text("SELECT count(*) FROM lab_note")) == 1
        raise Killed()
    assert (lab.notes(), lab.runs()) == ([], [])
    lab.drain()
    assert lab.notes() == ["noted"]
    assert lab.rows("SELECT count(*) FROM core_event WHERE name = 'core.automation.signalled'") == [(1,)]


def _call(lab: Lab, session: Any, event_id: Any) -> None:
    """Hand an event to the one automation there is, as a worker does."""
    from core.automations.stored import stored_event

    [automation] = service.listing(session, SYSTEM)
    key = subscriber_of(automation.id)
    event = stored_event(session, event_id, Actor.system(key))
    assert event is not None
    subscribers.find(session, key).handler(session, event.actor, event)


def test_stop_takes_all_back_and_an_admin_makes_the_run_again(lab: Lab) -> None:
    broken.add("refuse")
    lab.automation("note", {"action": "core.publish_event", "values": {"signal": "x"}}, "refuse", "note")
    lab.happen(lab.member())
    lab.drain()
    [run] = lab.runs()
    assert (run.state, run.code, run.params) == ("failed", "LAB_REFUSED", {"what": "this"})
    assert [one["state"] for one in run.results] == ["taken_back", "taken_back", "failed", "left"]
    assert lab.notes() == []
    assert lab.rows("SELECT name FROM core_event") == [("lab.thing.happened",)]
    broken.clear()
    again = lab.within(lambda session: running.run_again(session, SYSTEM, run.id))
    assert (again.state, again.tries, again.code) == ("done", 2, "")
    assert lab.notes() == ["noted", "before refusing", "noted"]
    with pytest.raises(NotRepeatable):
        lab.within(lambda session: running.run_again(session, SYSTEM, run.id))


def test_go_on_keeps_what_was_done_and_again_does_only_the_rest(lab: Lab) -> None:
    broken.add("refuse")
    careless = {"action": "lab.refuse", "on_error": "go_on"}
    lab.automation("note", careless, "note")
    lab.happen(lab.member())
    lab.drain()
    [run] = lab.runs()
    assert (run.state, run.code) == ("partly", "LAB_REFUSED")
    assert [one["state"] for one in run.results] == ["done", "failed", "done"]
    assert lab.notes() == ["noted", "noted"]
    again = lab.within(lambda session: running.run_again(session, SYSTEM, run.id))
    assert again.state == "partly"
    broken.clear()
    again = lab.within(lambda session: running.run_again(session, SYSTEM, run.id))
    assert again.state == "done"
    assert lab.notes() == ["noted", "before refusing", "noted"]


def test_what_nobody_explains_is_tried_again_with_the_delivery(lab: Lab) -> None:
    broken.add("fail")
    lab.automation("note", "fail")
    lab.happen(lab.member())
    assert lab.drain() == 0
    assert (lab.notes(), lab.runs()) == ([], [])
    [(attempts, error)] = lab.rows("SELECT attempts, last_error FROM core_delivery")
    assert attempts == 1
    assert "exploded" in error
    broken.clear()
    lab.rows("UPDATE core_delivery SET due_at = now() RETURNING id")
    assert lab.drain() == 1
    assert lab.states() == ["done"]


def test_values_that_do_not_fit_and_a_missing_member_are_results(lab: Lab) -> None:
    wrong = {"action": "lab.note", "values": {"text": "a", "number": "=event.amount * 1000"}, "on_error": "go_on"}
    absent = {"action": "lab.note", "values": {"text": "=event.words[3]"}, "on_error": "go_on"}
    lab.automation(wrong, absent, "note", "greet", name="All")
    lab.happen(lab.member(), amount=5)
    lab.happen(uuid4(), amount=5)
    lab.drain()
    first, second = lab.runs()
    assert [one.get("code", "") for one in first.results] == ["AUTOMATION_VALUES", "AUTOMATION_EXPRESSION", "", ""]
    assert first.state == "partly"
    assert second.member_id is None
    assert (second.state, second.code) == ("failed", "AUTOMATION_MEMBER_NEEDED")


@pytest.mark.parametrize("limits", [{"per_member": {"times": 3, "period": "day"}}, {"in_all": {"times": 3}}])
def test_limits_hold_to_the_last_one_under_sixteen_threads(lab: Lab, limits: dict[str, Any]) -> None:
    lab.automation("note", limits=limits)
    member = lab.member()
    for _number in range(24):
        lab.happen(member)
    lab.within(lambda session: subscribers.live(session))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: lab.drain(), range(16)))
    assert len(lab.notes()) == 3
    assert sorted(lab.states()) == ["done"] * 3 + ["limited"] * 21


def test_a_failed_run_uses_nothing_of_a_limit_and_another_member_has_their_own(lab: Lab) -> None:
    broken.add("refuse")
    lab.automation("refuse", limits={"per_member": {"times": 1, "period": "ever"}})
    first, second = lab.member(), lab.member()
    lab.happen(first)
    lab.drain()
    broken.clear()
    for member in (first, second, first):
        lab.happen(member)
        lab.drain()
    assert lab.states() == ["failed", "done", "done", "limited"]


def test_a_cap_is_never_exceeded_by_one_unit_under_sixteen_threads(lab: Lab) -> None:
    spend = {"action": "lab.spend", "values": {"amount": 7, "cap": 100}}
    automation = lab.automation(spend)
    members = [lab.member() for _number in range(24)]
    for member in members:
        lab.happen(member)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: lab.drain(), range(16)))
    assert lab.rows("SELECT used FROM core_automation_budget") == [(98,)]
    refused = [run for run in lab.runs() if run.state == "failed"]
    assert len(refused) == 10
    assert {run.code for run in refused} == {"AUTOMATION_CAP_REACHED"}
    assert {run.params["used"] for run in refused} == {98}
    assert lab.now(automation).state == "on"


def test_two_automations_that_start_each_other_are_stopped(lab: Lab) -> None:
    def signal(name: str, heard: str, given: str) -> None:
        trigger = {"kind": "event", "event": "core.automation.signalled"}
        condition = {"rows": [row("event.signal", "is", heard)]}
        publish = {"action": "core.publish_event", "values": {"signal": given}}
        lab.automation(publish, "note", name=name, trigger=trigger, condition=condition)

    signal("Ping", "ping", "pong")
    signal("Pong", "pong", "ping")
    lab.automation({"action": "core.publish_event", "values": {"signal": "ping"}}, name="Serve")
    lab.happen(lab.member())
    lab.drain()
    assert lab.states() == ["done", "done", "done", "loop"]
    assert len(lab.notes()) == 2
    loop = lab.runs()[-1]
    assert loop.code == "AUTOMATION_LOOP"
    lab.happen(lab.member())
    lab.drain()
    assert len(lab.notes()) == 4  # another cause is no loop


def test_a_chain_that_is_too_long_is_stopped_where_the_setting_says(lab: Lab) -> None:
    lab.within(lambda session: write(session, SYSTEM, PlatformSettings, {"automation_chain": 2}))
    for number in range(5):
        trigger = {"kind": "event", "event": "core.automation.signalled"}
        condition = {"rows": [row("event.signal", "is", f"step-{number}")]}
        publish = {"action": "core.publish_event", "values": {"signal": f"step-{number + 1}"}}
        lab.automation(publish, name=f"Step {number}", trigger=trigger, condition=condition)
    lab.automation({"action": "core.publish_event", "values": {"signal": "step-0"}}, name="First")
    lab.happen(lab.member())
    lab.drain()
    assert lab.states() == ["done", "done", "done", "loop"]


def test_an_automation_waits_while_what_it_names_is_gone_and_nothing_is_lost(lab: Lab) -> None:
    automation = lab.automation("note")
    tagging = lab.automation({"action": "core.set_tag", "values": {"tag": "seen"}}, name="Tag")
    member = lab.member()
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", False))
    lab.happen(member)
    assert lab.drain() == 0
    standing = lab.within(lambda session: service.standing(session, lab.now(automation)))
    assert sorted(standing.waits) == ["actions.0.action", "trigger.event"]
    assert standing.pending == 1
    assert lab.within(lambda session: service.standing(session, lab.now(tagging))).waits
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", True))
    assert lab.drain() == 2
    assert lab.notes() == ["noted"]
    declared = lab.platform.registry.actions.pop("lab.note")
    try:
        lab.within(lambda session: session.execute(text("UPDATE core_generation SET value = value + 1")))
        lab.look()
        lab.happen(member)
        assert lab.drain() == 1  # the tag alone
        waits = lab.within(lambda session: service.standing(session, lab.now(automation))).waits
        assert list(waits) == ["actions.0.action"]
    finally:
        lab.platform.registry.actions["lab.note"] = declared
    lab.within(lambda session: session.execute(text("UPDATE core_generation SET value = value + 1")))
    lab.look()
    assert lab.drain() == 1
    assert lab.notes() == ["noted", "noted"]


def test_the_switch_lets_everything_wait_and_turning_off_makes_dead_letters(lab: Lab) -> None:
    automation = lab.automation("note")
    member = lab.member()
    lab.within(lambda session: switches.pull(session, SYSTEM, "core.automations", reason="too many"))
    lab.happen(member)
    assert lab.drain() == 0
    assert lab.within(lambda session: service.standing(session, lab.now(automation))).stopped
    lab.within(lambda session: switches.restore(session, SYSTEM, "core.automations"))
    assert lab.drain() == 1
    lab.happen(member)
    lab.within(lambda session: service.turn_off(session, SYSTEM, automation))
    assert lab.rows("SELECT state FROM core_delivery ORDER BY id") == [("done",), ("dead",)]
    lab.happen(member)
    assert lab.drain() == 0
    assert lab.notes() == ["noted"]


def test_what_goes_on_while_two_slow_servers_are_called(lab: Lab) -> None:
    """Only calls of others' servers are held back; an automation runs in our own transaction."""
    lab.automation("note")
    lab.happen(lab.member())
    deliverer = Deliverer(lab.platform.database)
    deliverer._calling = 2
    assert deliverer.drain() == 1


def test_old_runs_are_swept_and_young_ones_stay(lab: Lab) -> None:
    lab.automation("note")
    member = lab.member()
    lab.happen(member)
    lab.happen(member)
    lab.drain()
    first, second = lab.runs()
    old = now() - timedelta(days=91)
    lab.within(
        lambda session: session.execute(
            text("UPDATE core_automation_run SET at = :at WHERE id = :id"), {"at": old, "id": first.id}
        )
    )

    class Context:
        params: dict[str, Any] = {}
        unit_of_work = staticmethod(partial(lab.platform.unit_of_work, SYSTEM))
        progress = staticmethod(lambda *_: None)

    assert running.sweep(Context()) == {"runs": 1}  # type: ignore[arg-type]
    assert [run.id for run in lab.runs()] == [second.id]


def test_an_event_about_nobody_has_no_member_and_one_about_a_record_has_its_owner(lab: Lab) -> None:
    lab.automation("note", name="Silent", trigger={"kind": "event", "event": "lab.thing.passed"})
    lab.publish(Silent(amount=1))
    lab.drain()
    [run] = lab.runs()
    assert (run.state, run.member_id) == ("done", None)


def test_keys_are_the_same_however_often_and_differ_by_place(lab: Lab) -> None:
    automation = lab.automation("note", "note")
    event = lab.happen(lab.member())
    lab.drain()
    keys = [row[0] for row in lab.rows("SELECT key FROM lab_note ORDER BY key")]
    assert keys == [f"{automation}:event:{event}:0", f"{automation}:event:{event}:1"]
    assert max(map(len, keys)) < 120
    assert carrying.why(None) == ("", "", {})
    assert lab.within(lambda session: session.get(AutomationRun, uuid4())) is None
