"""A plugin suggests automations; an admin looks at one, tries it, takes a copy, and is shown what is new since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core import lifecycle
from core.automations import service, suggested, transfer
from core.automations.definition import Definition
from core.automations.errors import NameTaken, NothingNew
from core.automations.suggestion import Suggestion
from core.errors import NotFound
from core.events.publish import publish
from core.members.events import MemberRegistered
from core.platform import Platform
from core.plugin import Plugin
from core.plugin_kit import suggesting
from core.registry import DeclarationError, Registry
from tests.core.automations.laboratory import GREETING, SYSTEM, Lab
from tests.core.doors import Person
from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import web as web

KEY = "lab.greeting"
NEWER = replace(
    GREETING,
    definition={**GREETING.said.plain, "limits": {"per_member": {"times": 1, "period": "ever"}}},
)
HOME, BASE = "/admin/automations", "/api/v1/core/automations/suggestions"


@pytest.fixture
def suggest(lab: Lab) -> Iterator[Callable[[Suggestion], None]]:
    """Lets a newer version of the plugin suggest something else."""
    registry = lab.platform.registry

    def put(one: Suggestion) -> None:
        registry.suggestions[KEY] = one

    yield put
    registry.suggestions[KEY] = GREETING


def take(lab: Lab) -> UUID:
    made: UUID = lab.within(lambda session: suggested.take(session, SYSTEM, KEY).id)
    return made


def look(lab: Lab) -> suggested.Suggested:
    found: suggested.Suggested = lab.within(lambda session: suggested.find(session, SYSTEM, KEY))
    return found


def test_nothing_is_installed_and_a_copy_is_a_draft_that_does_nothing(lab: Lab) -> None:
    listed = lab.within(lambda session: suggested.listing(session, SYSTEM))
    assert [one.key for one in listed if one.plugin == "lab"] == [KEY, "lab.note_it"]
    assert lab.rows("SELECT count(*) FROM core_automation") == [(0,)]
    key = take(lab)
    made = lab.now(key)
    assert (made.name, made.state, made.description) == ("Greet who happens", "draft", "Says hello once.")
    lab.happen(lab.member())
    assert lab.drain() == 0
    [copy] = look(lab).copies
    assert (copy.automation.id, copy.changed, copy.altered) == (key, False, False)
    assert lab.now(take(lab)).name == "Greet who happens (2)"
    lab.within(lambda session: service.turn_on(session, SYSTEM, key))
    lab.look()
    lab.happen(lab.member())
    lab.drain()
    assert lab.notes() == ["hello"]
    actions = lab.rows("SELECT action FROM core_audit WHERE subject_id = :id ORDER BY at", id=str(key))
    assert actions == [("core.automation.created",), ("core.automation.enabled",)]


def test_a_newer_suggestion_is_shown_and_changes_no_copy(lab: Lab, suggest: Callable[[Suggestion], None]) -> None:
    key = take(lab)
    with pytest.raises(NothingNew):
        lab.within(lambda session: suggested.renew(session, SYSTEM, key))
    lab.within(lambda session: service.turn_on(session, SYSTEM, key))
    suggest(NEWER)
    [copy] = look(lab).copies
    assert (copy.changed, copy.altered, copy.taken and copy.taken.limits) == (True, False, GREETING.said.limits)
    assert lab.now(key).latest == 1
    renewed = lab.within(lambda session: suggested.renew(session, SYSTEM, key))
    assert (renewed.latest, renewed.version, renewed.state) == (2, 1, "on")
    [copy] = look(lab).copies
    assert (copy.changed, copy.altered) == (False, False)
    with pytest.raises(NothingNew):
        lab.within(lambda session: suggested.renew(session, SYSTEM, key))


def test_an_altered_copy_stays_one_and_is_compared_with_what_was_taken(
    lab: Lab, suggest: Callable[[Suggestion], None]
) -> None:
    key = take(lab)
    mine = {**GREETING.said.plain, "actions": [{"action": "lab.greet", "values": {"text": "hi"}}]}
    lab.within(lambda session: service.change(session, SYSTEM, key, definition=mine))
    [copy] = look(lab).copies
    assert (copy.changed, copy.altered) == (False, True)
    suggest(NEWER)
    [copy] = look(lab).copies
    assert (copy.changed, copy.altered) == (True, True)
    assert copy.taken is not None and copy.taken.actions == GREETING.said.actions
    lab.within(lambda session: suggested.renew(session, SYSTEM, key))
    assert lab.within(lambda session: service.definition_of(session, lab.now(key))).limits == NEWER.said.limits
    file = lab.within(lambda session: transfer.write(session, SYSTEM, [key]))
    lab.within(lambda session: service.delete(session, SYSTEM, key))
    assert look(lab).copies == ()
    lab.within(lambda session: transfer.read(session, SYSTEM, file))  # on another installation it is still a copy
    [copy] = look(lab).copies
    assert (copy.changed, copy.altered) == (False, False)


def test_a_suggestion_of_a_plugin_that_is_off_or_gone_leaves_the_copies(lab: Lab) -> None:
    key = take(lab)
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", False))
    assert not any(one.plugin == "lab" for one in lab.within(lambda session: suggested.listing(session, SYSTEM)))
    with pytest.raises(NotFound):
        take(lab)
    lab.within(lambda session: lifecycle.set_enabled(session, SYSTEM, "lab", True))
    taken = lab.platform.registry.suggestions.pop(KEY)
    try:
        assert lab.within(lambda session: suggested.of_automation(session, SYSTEM, lab.now(key))) is None
        with pytest.raises(NothingNew):
            lab.within(lambda session: suggested.renew(session, SYSTEM, key))
    finally:
        lab.platform.registry.suggestions[KEY] = taken


def test_many_admins_who_take_it_at_once_get_a_copy_each_up_to_the_limit(lab: Lab) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: take(lab), range(16)))
    assert len(set(made)) == 16
    assert len({lab.now(one).name for one in made}) == 16
    for _number in range(4):
        take(lab)
    with pytest.raises(NameTaken):
        take(lab)


def manifest(*automations: Any) -> Plugin:
    return Plugin("tiny", version="1", label="Tiny", automations=automations)


MANUAL: dict[str, Any] = {"trigger": {"kind": "manual"}, "actions": [{"action": "tiny.gone"}]}
WRONG: dict[str, tuple[Any, str]] = {
    "no actions": (Suggestion(name="a", label="A", definition={"trigger": {"kind": "manual"}}), "a, actions: Field"),
    "a name that is none": (Suggestion(name="A b", label="A", definition=MANUAL), "'A b' of an automation is not"),
    "no label": (Suggestion(name="a", label="", definition=MANUAL), "takes a label"),
    "a file with a mistake": ("automations:\n  - name: A\n    trigger: {kind: comet}\n    actions: []", "3:5"),
    "no file": ("nonsense", "1:1"),
}


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_a_plugin_whose_automations_have_a_wrong_shape_is_refused(kind: str) -> None:
    given, told = WRONG[kind]
    with pytest.raises(DeclarationError, match=told):
        Registry().add(manifest(given))


def test_two_of_one_name_are_refused_and_what_a_definition_names_may_be_missing() -> None:
    one = Suggestion(name="a", label="A", definition=MANUAL)
    with pytest.raises(DeclarationError, match="two automations are called a"):
        Registry().add(manifest(one, one))
    registry = Registry()
    registry.add(manifest(one, Suggestion(name="b", label="B", definition=Definition.read(MANUAL))))
    assert registry.suggestions["tiny.a"].digest == registry.suggestions["tiny.b"].digest


@pytest.fixture
def shown(site: Any) -> Iterator[Callable[[Suggestion], None]]:
    """Lets the core of the web site suggest something."""
    yield lambda one: site.registry.suggestions.__setitem__("core.welcome", one)
    site.registry.suggestions.pop("core.welcome", None)
    with site.unit_of_work(SYSTEM) as session:
        session.execute(text("DELETE FROM core_automation WHERE name LIKE 'Welcome them%'"))


WELCOME = Suggestion(
    name="welcome",
    label="Welcome them <all>",
    description="Marks who is new.",
    definition={
        "trigger": {"kind": "event", "event": "core.member.registered"},
        "actions": [{"action": "core.set_tag", "values": {"tag": "new"}}],
    },
)


def test_an_admin_reads_tries_takes_and_renews_it(
    site: Platform, people: Callable[..., Person], shown: Callable[[Suggestion], None]
) -> None:
    admin, clerk = people("Admin", browser=True), people("User", browser=True)
    here = f"{HOME}/suggestions/core.welcome"
    assert admin.get(here).status_code == 404
    with site.unit_of_work(SYSTEM) as session:
        publish(session, SYSTEM, MemberRegistered(member_id=UUID(admin.id)))
    shown(WELCOME)
    page = admin.get(HOME).text
    assert "Suggested by plugins" in page and "Welcome them &lt;all&gt;" in page
    assert "Marks who is new." in admin.get(here).text
    assert "Give a tag" in admin.send(f"{here}/try", last="10").text
    taken = admin.send(f"{here}/take")
    copy = taken.headers["Location"]
    assert taken.status_code == 303 and "Here is your copy." in admin.get(copy).text
    assert "Taken over" in admin.get(HOME).text and "Changed since you took it" not in admin.get(copy).text
    edited = admin.get(f"{copy}/edit").text
    assert "core.welcome" in edited  # the form hands it on
    newer = {**WELCOME.said.plain, "actions": [{"action": "core.set_tag", "values": {"tag": "newcomer"}}]}
    shown(replace(WELCOME, definition=newer))
    assert "Changed since you took it" in admin.get(HOME).text
    changed = admin.get(copy).text
    assert "<del>" in changed and "newcomer" in changed and "Take over what is new" in changed
    assert admin.send(f"{copy}/renew").status_code == 303
    assert "newcomer" in admin.get(f"{copy}/export").text and "Changed since" not in admin.get(copy).text
    assert "suggests nothing else" in admin.get(admin.send(f"{copy}/renew").headers["Location"]).text
    for path in (f"{here}/take", f"{copy}/renew", f"{here}/try"):
        assert clerk.send(path).status_code == 403
    assert clerk.get(here).status_code == 403


def test_the_api_lists_and_takes_them(people: Callable[..., Person], shown: Callable[[Suggestion], None]) -> None:
    admin, clerk = people("Admin"), people("User")
    shown(WELCOME)
    [one] = [row for row in admin.get(BASE).json["data"] if row["key"] == "core.welcome"]
    assert (one["label"], one["waits"], one["copies"]) == (WELCOME.label, {}, [])
    assert one["definition"] == WELCOME.said.plain
    made = admin.post(f"{BASE}/core.welcome/take")
    assert made.status_code == 201 and made.json["data"]["state"] == "draft"
    shown(replace(WELCOME, definition={**WELCOME.said.plain, "limits": {"in_all": {"times": 1}}}))
    [one] = [row for row in admin.get(BASE).json["data"] if row["key"] == "core.welcome"]
    assert one["copies"] == [{"automation_id": made.json["data"]["id"], "changed": True, "altered": False}]
    renewed = admin.post(f"/api/v1/core/automations/{made.json['data']['id']}/renew")
    assert renewed.json["data"]["latest"] == 2
    again = admin.post(f"/api/v1/core/automations/{made.json['data']['id']}/renew")
    assert again.json["error"]["code"] == "AUTOMATION_NOTHING_NEW"
    assert admin.post(f"{BASE}/core.gone/take").status_code == 404
    assert clerk.get(BASE).status_code == 403 and clerk.post(f"{BASE}/core.welcome/take").status_code == 403


def test_the_check_tells_what_could_not_be_turned_on(lab: Lab, suggest: Callable[[Suggestion], None]) -> None:
    assert list(suggesting.examine(lab.platform, ["lab"])) == []
    values = {"text": "=event.nonsense", "number": 101}
    suggest(
        replace(GREETING, definition={**GREETING.said.plain, "actions": [{"action": "lab.greet", "values": values}]})
    )
    found = {one.sentence.split(": ")[1]: one.code for one in suggesting.examine(lab.platform, ["lab"])}
    assert found == dict.fromkeys(("actions.0.values.text", "actions.0.values.number"), "AUTOMATION_UNFIT")
    assert list(suggesting.examine(lab.platform, ["core"])) == []
