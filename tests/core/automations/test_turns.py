"""Schedules and automations started by hand: each turn once, each member once, in chunks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core import lifecycle
from core.automations import running, service, turns
from core.automations.definition import ScheduleTrigger
from core.automations.errors import NobodyChosen, NotManual, NotOn
from core.clock import now
from core.events import causes
from core.jobs.run import run_next
from core.switches import service as switches
from core.switches.service import SwitchedOff
from tests.core.automations.laboratory import SYSTEM, Lab, broken, step

DAILY = {"kind": "schedule", "every": "daily", "hour": 9}
MANUAL = {"kind": "manual"}


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)


@pytest.mark.parametrize(
    ("trigger", "after", "then"),
    [
        ({"every": "daily", "hour": 9}, "2026-01-31T08:59:59+00:00", "2026-01-31T09:00:00+00:00"),
        ({"every": "daily", "hour": 9}, "2026-01-31T09:00:00+00:00", "2026-02-01T09:00:00+00:00"),
        ({"every": "weekly", "hour": 9, "weekday": 0}, "2026-01-31T09:00:00+00:00", "2026-02-02T09:00:00+00:00"),
        ({"every": "hourly", "minute": 30}, "2026-01-31T09:30:00+00:00", "2026-01-31T10:30:00+00:00"),
        (
            {"every": "hourly", "minute": 30, "zone": "Asia/Kolkata"},
            "2026-01-31T09:10:00+00:00",
            "2026-01-31T10:00:00+00:00",
        ),
        (
            {"every": "daily", "hour": 2, "minute": 30, "zone": "Europe/Berlin"},  # left out that night
            "2026-03-28T12:00:00+00:00",
            "2026-03-29T01:30:00+00:00",
        ),
        (
            {"every": "daily", "hour": 2, "minute": 30, "zone": "Europe/Berlin"},  # comes twice that night
            "2026-10-25T00:30:00+00:00",
            "2026-10-26T01:30:00+00:00",
        ),
    ],
)
def test_the_next_turn_comes_by_the_clock_of_its_zone(trigger: Any, after: str, then: str) -> None:
    assert turns.next_time(ScheduleTrigger(**trigger), at(after)) == at(then)


def run_jobs(lab: Lab) -> None:
    while run_next(lab.platform.database):
        pass


def due(lab: Lab, automation: UUID, ago: timedelta = timedelta(minutes=5)) -> None:
    moment = {"at": now() - ago, "id": automation}
    lab.within(lambda session: session.execute(text("UPDATE core_automation SET next_at = :at WHERE id = :id"), moment))


class Clock:
    """The job of each minute, as a worker runs it."""

    params: dict[str, Any] = {}

    def __init__(self, lab: Lab) -> None:
        self.unit_of_work = lambda: lab.platform.unit_of_work(SYSTEM)


def look(lab: Lab) -> dict[str, Any]:
    return turns.look(Clock(lab))  # type: ignore[arg-type]


def test_a_turn_is_made_once_for_every_active_member_who_matches(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "CHUNK", 2)
    lab.rows("UPDATE core_member SET status = 'closed' RETURNING id")
    members = [lab.member(tier="pro") for _number in range(5)]
    lab.member()
    lab.member(tier="pro", status="suspended")
    condition = {"rows": [{"field": "member.tier", "operator": "is", "value": "pro"}]}
    automation = lab.automation("greet", trigger=DAILY, condition=condition)
    assert lab.now(automation).next_at is not None
    assert look(lab) == {"turns": 0, "again": 0}
    due(lab, automation, timedelta(days=3))
    with ThreadPoolExecutor(4) as threads:
        assert sum(told["turns"] for told in threads.map(lambda _: look(lab), range(4))) == 1
    run_jobs(lab)
    [turn] = lab.rows("SELECT state, seen, matched FROM core_automation_turn")
    assert turn == ("done", 6, 5)
    assert sorted(run.member_id for run in lab.runs() if run.member_id) == sorted(members)
    assert len(lab.notes()) == 5
    assert (lab.now(automation).next_at or now()) > now()
    assert look(lab) == {"turns": 0, "again": 0}
    due(lab, automation)
    assert look(lab)["turns"] == 1
    run_jobs(lab)
    assert len(lab.notes()) == 10  # another turn


def test_a_turn_that_lost_its_job_half_way_is_taken_up_and_nobody_is_done_twice(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "CHUNK", 2)
    members = [lab.member() for _number in range(5)]
    automation = lab.automation("greet", trigger=MANUAL)
    turn = lab.within(lambda session: running.run_for(session, SYSTEM, automation, members))
    chunk, calls = turns._chunk, 0

    def lost(*args: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise SystemExit
        return chunk(*args)

    monkeypatch.setattr(turns, "_chunk", lost)
    with pytest.raises(SystemExit):
        run_jobs(lab)
    assert len(lab.notes()) == 4
    monkeypatch.setattr(turns, "_chunk", chunk)
    lab.rows("DELETE FROM core_job RETURNING id")
    assert look(lab)["again"] == 1
    run_jobs(lab)
    assert len(lab.notes()) == 5
    assert lab.rows("SELECT state, seen, matched FROM core_automation_turn") == [("done", 5, 5)]
    assert turn.state == "waiting"


def test_one_member_whose_action_breaks_costs_the_others_nothing(lab: Lab) -> None:
    broken.add("fail")
    members = [lab.member(tier=tier) for tier in ("free", "pro", "free")]
    steps = [{**step("fail"), "on_error": "stop"}]
    automation = lab.automation(*steps, trigger=MANUAL, condition={"cel": "member.tier == 'pro'"})
    other = lab.automation("greet", name="Other", trigger=MANUAL)
    for one in (automation, other):
        lab.within(lambda session, one=one: running.run_for(session, SYSTEM, one, members))
    run_jobs(lab)
    assert sorted((run.state, run.code) for run in lab.runs()) == [
        ("done", ""),
        ("done", ""),
        ("done", ""),
        ("failed", "AUTOMATION_ACTION_BROKE"),
    ]
    broken.clear()
    [failed] = [run for run in lab.runs() if run.state == "failed"]
    assert lab.within(lambda session: running.run_again(session, SYSTEM, failed.id)).state == "done"


def test_started_by_hand_once_for_a_key_and_only_where_it_may(lab: Lab) -> None:
    member = lab.member()
    automation = lab.automation("greet", trigger=MANUAL)
    started = [
        lab.within(lambda session: running.run_for(session, SYSTEM, automation, [member], key="form-1")).id
        for _again in range(2)
    ]
    assert started[0] == started[1]
    run_jobs(lab)
    assert lab.notes() == ["noted"]
    assert lab.rows(
        "SELECT count(*) FROM core_audit WHERE action = 'core.automation.started' AND subject_id = :id",
        id=str(automation),
    ) == [(1,)]
    with pytest.raises(NobodyChosen):
        lab.within(lambda session: running.run_for(session, SYSTEM, automation, []))
    other = lab.automation("greet", name="Other")
    with pytest.raises(NotManual):
        lab.within(lambda session: running.run_for(session, SYSTEM, other, [member]))
    lab.within(lambda session: switches.pull(session, SYSTEM, "core.automations", reason="too many"))
    with pytest.raises(SwitchedOff):
        lab.within(lambda session: running.run_for(session, SYSTEM, automation, [member]))
    lab.within(lambda session: switches.restore(session, SYSTEM, "core.automations"))
    lab.within(lambda session: service.turn_off(session, SYSTEM, automation))
    with pytest.raises(NotOn):
        lab.within(lambda session: running.run_for(session, SYSTEM, automation, [member]))


def test_a_turn_waits_with_its_automation(lab: Lab) -> None:
    member = lab.member()
    automation = lab.automation("greet", trigger=MANUAL)
    daily = lab.automation("greet", name="Daily", trigger=DAILY)
    due(lab, daily)
    lab.within(lambda session: running.run_for(session, SYSTEM, automation, [member]))
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", False))
    run_jobs(lab)
    assert look(lab) == {"turns": 0, "again": 0}
    assert lab.rows("SELECT state FROM core_automation_turn") == [("waiting",)]
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", True))
    assert look(lab) == {"turns": 1, "again": 1}
    run_jobs(lab)
    assert {row[0] for row in lab.rows("SELECT state FROM core_automation_turn")} == {"done"}
    assert member in {run.member_id for run in lab.runs()}


def test_the_loop_guard_sees_through_jobs_and_the_jobs_that_they_ask_for(lab: Lab) -> None:
    lab.automation("start", "note")
    first = lab.happen(lab.member())
    for _round in range(4):
        lab.drain()
        run_jobs(lab)
    assert lab.states() == ["done", "loop"]
    assert lab.rows("SELECT count(*) FROM core_job") == [(2,)]
    asked, further = lab.rows("SELECT id, checkpoint->>'caused_by', correlation_id FROM core_job ORDER BY id")
    assert (asked[1], further[1]) == (str(first), str(asked[0]))
    events = lab.within(lambda session: causes.chain(session, asked[2]))
    tree = lab.within(lambda session: causes.ordered(events, causes.jobs_between(session, events)))
    assert [(depth, event.causation_id) for depth, event in tree] == [(0, None), (1, further[0])]
    other = lab.happen(lab.member())  # another cause is no loop
    lab.drain()
    assert lab.states() == ["done", "loop", "done"] and other != first


def test_a_job_that_is_taken_back_with_its_action_is_no_effect_of_the_run(lab: Lab) -> None:
    broken.add("refuse")
    lab.automation("start", "refuse")
    lab.happen(lab.member())
    lab.drain()
    assert lab.states() == ["failed"]
    assert lab.rows("SELECT count(*) FROM core_job UNION ALL SELECT count(*) FROM core_automation_effect") == [
        (0,),
        (0,),
    ]
