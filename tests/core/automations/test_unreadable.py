"""An automation that this release cannot read is shown, kept, turned off and deleted, and costs the others nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from core.automations import running, service, transfer, turns
from core.automations.by_hand import choices
from core.automations.definition import Definition, Kept
from core.automations.errors import DefinitionInvalid, FileInvalid, Waits
from core.automations.models import AutomationVersion
from core.ids import new_id
from core.platform import Platform
from tests.core.automations.laboratory import SYSTEM, Lab
from tests.core.automations.test_turns import Clock
from tests.core.doors import Person
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import web as web

HOME, BASE = "/admin/automations", "/api/v1/core/automations"
EVENT = {"kind": "event", "event": "lab.thing.happened"}
TAG = {"action": "core.set_tag", "values": {"tag": "seen"}}
NEWER: dict[str, Any] = {"trigger": EVENT, "actions": [{**TAG, "retry": 3}], "delay": "1h"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "event", "rows", "action", "values", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
UNREADABLE: dict[str, Any] = {
    "a newer release's parts": NEWER,
    "a trigger nobody knows": {"trigger": {"kind": "comet"}, "actions": [TAG]},
    "a trigger that is a text": {"trigger": "lab.thing.happened", "actions": [TAG]},
    "an event that is a list": {"trigger": {"kind": "event", "event": ["x"]}, "actions": {}},
    "a list": [1, {"name": "x"}],
    "a text": "automation",
    "nothing": {},
}


def spoil(platform: Platform, key: UUID, said: Any) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        mine = AutomationVersion.automation_id == key
        session.execute(update(AutomationVersion).where(mine).values(definition=said))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    platform.registry.cache.looked_at = float("-inf")


@pytest.mark.parametrize("kind", sorted(UNREADABLE))
def test_the_run_loop_goes_on_and_what_reached_it_waits(lab: Lab, kind: str) -> None:
    spoilt = lab.automation("note", name="Spoilt")
    lab.automation("greet", name="Sound")
    daily = lab.automation("greet", name="Daily", trigger={"kind": "schedule"})
    by_hand = lab.automation("greet", name="By hand", trigger={"kind": "manual"})
    lab.rows("UPDATE core_automation SET next_at = now() - interval '1 hour' WHERE id = :id RETURNING id", id=daily)
    for one in (spoilt, daily, by_hand):
        spoil(lab.platform, one, UNREADABLE[kind])
    lab.happen(lab.member())
    assert lab.drain() == 1
    assert lab.notes() == ["noted"] and lab.states() == ["done"]
    assert turns.look(Clock(lab)) == {"turns": 0, "again": 0}  # type: ignore[arg-type]
    assert lab.within(choices) == []
    standing = lab.within(lambda session: service.standing(session, lab.now(spoilt)))
    assert not standing.readable and standing.waits
    with pytest.raises(Waits):
        lab.within(lambda session: running.run_for(session, SYSTEM, by_hand, [lab.member()]))
    with pytest.raises(DefinitionInvalid):
        lab.within(lambda session: service.turn_on(session, SYSTEM, spoilt))
    file = lab.within(lambda session: transfer.write(session, SYSTEM))
    assert "name: Spoilt" in file and "name: Sound" in file
    with pytest.raises(FileInvalid):
        lab.within(lambda session: transfer.read(session, SYSTEM, file))
    lab.within(lambda session: service.turn_off(session, SYSTEM, spoilt))
    lab.within(lambda session: service.delete(session, SYSTEM, spoilt))
    assert lab.rows("SELECT count(*) FROM core_automation WHERE id = :id", id=spoilt) == [(0,)]


def test_what_waited_is_done_once_it_can_be_read_or_is_written_anew(lab: Lab) -> None:
    key = lab.automation("note")
    sound = lab.within(lambda session: service.kept(session, lab.now(key)).raw)
    spoil(lab.platform, key, NEWER)
    lab.happen(lab.member())
    assert lab.drain() == 0
    assert lab.rows("SELECT state FROM core_delivery") == [("pending",)]
    lab.within(lambda session: service.change(session, SYSTEM, key, name="Another", description="It has one"))
    spoil(lab.platform, key, sound)
    assert lab.drain() == 1
    spoil(lab.platform, key, NEWER)
    changed = lab.within(lambda session: service.change(session, SYSTEM, key, definition=sound))
    assert changed.latest == 2
    lab.within(lambda session: service.turn_on(session, SYSTEM, key))
    lab.look()
    lab.happen(lab.member())
    assert lab.drain() == 1 and lab.notes() == ["noted", "noted"]


def test_an_action_whose_form_breaks_costs_the_other_automations_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.automation("spend", name="Broken", on=False)
    key = lab.automation({"action": "lab.spend", "values": {"amount": 1, "cap": 5}}, name="On")
    lab.automation("note")

    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("a validator of the plugin")

    monkeypatch.setattr(lab.platform.registry.actions["lab.spend"].form, "model_validate", explode)
    lab.rows("UPDATE core_generation SET value = value + 1 RETURNING value")
    lab.look()
    lab.happen(lab.member())
    assert lab.drain() == 1 and lab.notes() == ["noted"]
    waits = lab.within(lambda session: service.standing(session, lab.now(key))).waits
    assert list(waits) == ["actions.0.values"]


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


@pytest.fixture
def spoilt(site: Platform) -> Iterator[UUID]:
    """One that was on before its definition could no longer be read."""
    said = {"trigger": {"kind": "event", "event": "core.member.registered"}, "actions": [TAG]}
    with site.unit_of_work(SYSTEM) as session:
        key = service.create(session, SYSTEM, name=f"Spoilt {new_id()}", definition=said).id
        service.turn_on(session, SYSTEM, key)
    spoil(site, key, {**said, "delay": "<1h>"})
    yield key
    with site.unit_of_work(SYSTEM) as session:
        session.execute(text("DELETE FROM core_automation WHERE id = :id"), {"id": key})
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    site.registry.cache.looked_at = float("-inf")


def test_its_pages_say_what_is_wrong_and_let_it_be_put_right(site: Platform, admin: Person, spoilt: UUID) -> None:
    here = f"{HOME}/{spoilt}"
    assert "Cannot run" in admin.get(HOME).text
    page = admin.get(here)
    assert page.status_code == 200
    for words in (
        "It cannot run: this release cannot read",
        "delay",
        "&lt;1h&gt;",
        "There is no such part in this release.",
    ):
        assert words in page.text
    assert f'action="{here}/on"' not in page.text and f'action="{here}/try"' not in page.text
    assert "delay: <1h>" in admin.get(f"{here}/export").text and "delay: <1h>" in admin.get(f"{HOME}/export").text
    edit = admin.get(f"{here}/edit")
    assert edit.status_code == 200 and "This release cannot read all of it." in edit.text
    assert "core.set_tag" in edit.text and "&lt;1h&gt;" not in edit.text
    assert admin.get(f"{HOME}/new?like={spoilt}").status_code == 200
    for path in (
        f"/admin/members/{admin.id}/automations",
        "/admin/dashboard",
        "/admin/events",
        "/admin/search?q=spoilt",
    ):
        assert admin.get(path).status_code == 200
    assert admin.send(f"{here}/try", last="10").status_code == 422
    assert admin.send(f"{here}/on").status_code == 303
    assert admin.send(f"{here}/versions/1/back").status_code == 303
    said = {"trigger": {"kind": "manual"}, "actions": [TAG]}
    assert admin.send(f"{here}/edit", name=f"Mended {new_id()}", definition=json.dumps(said)).status_code == 303
    mended = admin.get(here).text
    assert "Put version 2 in force" in mended and "This release cannot read it." in mended
    assert admin.send(f"{here}/off").status_code == 303 and "It cannot run" not in admin.get(here).text
    admin.send(f"{here}/delete")
    assert admin.get(here).status_code == 404


def test_the_api_shows_it_as_it_is_kept(site: Platform, people: Callable[..., Person], spoilt: UUID) -> None:
    admin = people("Admin")
    one = f"{BASE}/{spoilt}"
    assert str(spoilt) in {row["id"] for row in admin.get(BASE).json["data"]}
    shown = admin.get(one).json["data"]
    assert (shown["readable"], shown["state"], list(shown["waits"])) == (False, "on", ["delay"])
    assert shown["definition"]["delay"] == "<1h>"
    assert "delay: <1h>" in admin.get(f"{BASE}/file").json["data"]["yaml"]
    assert admin.post(f"{one}/on", {}).json["error"]["code"] == "AUTOMATION_INVALID"
    assert admin.patch(one, {"description": "Mend it"}).status_code == 200
    for path in (f"{BASE}/runs", "/metrics", "/health/ready"):
        assert admin.get(path).status_code == 200
    assert admin.post(f"{one}/off", {}).status_code == 200
    assert admin.delete(one).status_code == 204


def test_what_is_missing_is_named(site: Platform, admin: Person) -> None:
    said = {"trigger": {"kind": "manual"}, "actions": [{"action": "gone.away"}]}
    with site.unit_of_work(SYSTEM) as session:
        key = service.create(session, SYSTEM, name=f"Gone {new_id()}", definition=said).id
    assert "There is no such action: gone.away." in admin.get(f"{HOME}/{key}").text
    assert "Cannot run: There is no such action: gone.away." in admin.get(HOME).text
    assert admin.get(f"{HOME}/{key}/edit").status_code == 200


@settings(deadline=None, max_examples=60)
@given(JSON)
def test_what_can_be_read_of_anything_at_all_is_a_definition_or_one_without_an_action(raw: Any) -> None:
    for said in (raw, {**NEWER, "trigger": raw}, {**NEWER, "actions": [raw, TAG]}, {**NEWER, "condition": raw}):
        readable = Kept.of(said).readable
        Definition.read(readable if readable["actions"] else {**readable, "actions": [TAG]})


def test_what_can_be_read_is_kept_part_by_part() -> None:
    said = {
        "trigger": {**EVENT, "delay": 1},
        "condition": {"rows": [{"field": "member"}, {"field": "event.amount", "operator": "gt", "value": 1}]},
        "actions": [TAG, {"act": 1}, 5, {**TAG, "on_error": "perhaps"}],
        "limits": {"per_member": {"times": 0}, "in_all": {"times": 3, "period": "day"}},
    }
    assert Kept.of(said).readable == {
        "trigger": EVENT,
        "condition": {"rows": [{"field": "event.amount", "operator": "gt", "value": 1}]},
        "actions": [TAG, TAG],
        "limits": {"in_all": {"times": 3, "period": "day"}},
    }
