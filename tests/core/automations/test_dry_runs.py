"""A dry run says what would have happened, and to whom, and nothing of it stays anywhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.automations import trial
from core.automations.errors import DefinitionInvalid
from core.db.session import RING
from core.errors import PermissionMissing
from core.events.publish import publish
from core.observability.committed import TOLD
from plugins.contributions.models import ContributionType
from plugins.wallet import issue, open_account
from tests.core.automations.laboratory import MAY, SYSTEM, Happened, Lab, broken, step

TRIGGER = {"kind": "event", "event": "lab.thing.happened"}
EVERYTHING = [
    step("note"),
    {"action": "core.set_tag", "values": {"tag": "seen"}},
    {"action": "core.open_review", "values": {"title": "Look at this"}},
    {"action": "core.publish_event", "values": {"signal": "tried"}},
    {"action": "notifications.notify", "values": {"subject": "Hello", "text": "There", "link": "/me"}},
    {"action": "contributions.record", "values": {"type": "git.commit", "details": {}}},
    {"action": "wallet.pay", "values": {"asset": "POINTS", "amount": 5, "cap": 100, "reason": "A bonus"}},
]


def everything(lab: Lab) -> dict[str, Any]:
    """Every row of every table."""

    def read(session: Any) -> dict[str, Any]:
        tables = session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        ).all()
        return {table: sorted(session.scalars(text(f"SELECT t::text FROM {table} t")).all()) for table in tables}

    found: dict[str, Any] = lab.within(read)
    return found


def test_a_dry_run_tells_all_and_leaves_the_whole_database_as_it_was(lab: Lab) -> None:
    first, second = lab.member(tier="pro"), lab.member()
    with lab.platform.unit_of_work(SYSTEM) as session:
        fund = open_account(session, asset="POINTS", purpose="rewards")
        issue(session, SYSTEM, destination=fund, amount=1000, reason="For the test")
    lab.happen(first, amount=3)
    lab.happen(second, amount=9)
    lab.drain()
    said = {
        "trigger": TRIGGER,
        "condition": {"rows": [{"field": "member.tier", "operator": "is", "value": "pro"}]},
        "actions": EVERYTHING,
    }
    before = everything(lab)
    with lab.platform.unit_of_work(SYSTEM) as session:
        told = trial.try_out(session, SYSTEM, said)
        assert RING not in session.info
        assert not session.info.get(TOLD)
    assert everything(lab) == before
    newest, oldest = told.tried
    assert (told.asked, told.ended_early) == (2, False)
    assert (newest.matched, newest.why, newest.member_id) == (False, trial.NO_MATCH, second)
    assert (oldest.matched, oldest.why, oldest.member_id) == (True, "", first)
    assert [(one.action, one.state, one.code) for one in oldest.actions] == [
        (one["action"], "done", "") for one in EVERYTHING
    ]
    assert oldest.actions[-1].result["used"] == "5"
    assert oldest.actions[0].values == {"text": "noted", "number": 0}
    assert lab.drain() == 0


def test_what_the_caller_wrote_before_stays_and_rings(lab: Lab) -> None:
    member = lab.member()
    lab.happen(member)
    with lab.platform.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, Happened(member_id=member))
        told = len(session.info[TOLD])
        trial.try_out(session, SYSTEM, {"trigger": TRIGGER, "actions": EVERYTHING[:4]})
        assert len(session.info[TOLD]) == told
    assert lab.rows("SELECT count(*) FROM core_event") == [(2,)]
    assert lab.notes() == []


def test_a_failure_is_told_and_ends_what_would_have_followed(lab: Lab) -> None:
    broken.update({"refuse", "fail"})
    lab.happen(lab.member())
    careless = {"action": "lab.fail", "on_error": "go_on"}
    said = {"trigger": TRIGGER, "actions": [step("note"), careless, step("refuse"), step("note")]}
    with lab.platform.unit_of_work(SYSTEM) as session:
        [tried] = trial.try_out(session, SYSTEM, said).tried
    assert [one.state for one in tried.actions] == ["done", "failed", "failed", "left"]
    assert [one.code for one in tried.actions] == ["", "AUTOMATION_ACTION_BROKE", "LAB_REFUSED", ""]
    assert "exploded" not in tried.actions[1].sentence
    assert lab.notes() == []


def test_actions_that_the_actor_may_not_do_are_not_called(lab: Lab) -> None:
    lab.happen(lab.member())
    said = {"trigger": TRIGGER, "actions": [{**step("note"), "on_error": "go_on"}, EVERYTHING[1]]}
    actor = Actor(kind="member", name="Amina", permissions=frozenset({"core:automation:update", MAY}))
    with lab.platform.unit_of_work(SYSTEM) as session:
        [tried] = trial.try_out(session, actor, said).tried
    assert [(one.state, one.code) for one in tried.actions] == [("done", ""), ("failed", "PERMISSION_MISSING")]
    with pytest.raises(PermissionMissing), lab.platform.unit_of_work(SYSTEM) as session:
        trial.try_out(session, Actor(kind="member", name=""), said)
    with pytest.raises(DefinitionInvalid), lab.platform.unit_of_work(SYSTEM) as session:
        trial.try_out(session, SYSTEM, {**said, "actions": [{"action": "lab.nothing"}]})


def test_it_is_tried_on_members_too_and_ends_when_its_time_is_over(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [lab.member() for _number in range(3)]
    said: dict[str, Any] = {"trigger": {"kind": "manual"}, "actions": [step("greet")]}

    def tried(**options: Any) -> trial.Trial:
        with lab.platform.unit_of_work(SYSTEM) as session:
            return trial.try_out(session, SYSTEM, said, **options)

    assert {one.member_id for one in tried(member_ids=members[:2]).tried} == set(members[:2])
    newest: list[UUID | None] = [one.member_id for one in tried(last=2).tried]
    assert newest == [members[2], members[1]]
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    early = tried()
    assert (early.tried, early.ended_early) == ((), True)


def test_a_statement_that_takes_too_long_is_stopped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.happen(lab.member())

    def sleep(session: Any, actor: Actor, call: Any) -> None:
        session.execute(text("SELECT pg_sleep(60)"))

    action = lab.platform.registry.actions["lab.fail"]
    monkeypatch.setitem(lab.platform.registry.actions, "lab.fail", _with(action, run=sleep))
    monkeypatch.setattr(trial, "SECONDS", 0.3)
    with lab.platform.unit_of_work(SYSTEM) as session:
        [tried] = trial.try_out(session, SYSTEM, {"trigger": TRIGGER, "actions": [step("fail")]}).tried
        assert session.scalar(text("SHOW statement_timeout")) == "0"
    assert [one.state for one in tried.actions] == ["failed"]


def _with(action: Any, **changes: Any) -> Any:
    return type(action)(**{**{key: getattr(action, key) for key in action.__dataclass_fields__}, **changes})


def test_the_types_of_contributions_are_offered(lab: Lab) -> None:
    with lab.platform.unit_of_work(SYSTEM) as session:
        action = lab.platform.registry.actions["contributions.record"]
        assert action.choices is not None
        offered = dict(action.choices["type"](session))
        assert "git.commit" in offered
        assert set(offered) == set(session.scalars(text("SELECT code FROM contributions_type")))
    assert ContributionType.__tablename__ == "contributions_type"
