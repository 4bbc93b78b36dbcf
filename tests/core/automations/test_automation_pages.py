"""An admin writes an automation, is told what is wrong while writing, tries it out, turns it on, reads what it did."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from core.actor import Actor
from core.automations import service
from core.automations.models import Automation, AutomationRun, AutomationVersion
from core.clock import now
from core.events.models import EventRow
from core.events.publish import publish
from core.ids import new_id
from core.members.events import MemberRegistered
from core.members.models import MemberSession
from core.platform import Platform
from tests.core.doors import Person

HOME = "/admin/automations"
REGISTERED = MemberRegistered.event_name
ROW = {"field": "member.tier", "operator": "is", "value": "gold"}
TAGGED = {"action": "core.set_tag", "values": {"tag": "welcome"}}
RULE: dict[str, Any] = {
    "trigger": {"kind": "event", "event": REGISTERED},
    "condition": {"rows": [ROW]},
    "actions": [TAGGED],
}


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


@pytest.fixture
def made(site: Platform) -> UUID:
    """A draft of the rule, under a name of its own."""
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        return service.create(session, actor, name=f"Welcome {new_id()}", definition=RULE).id


def look(site: Platform, key: UUID) -> Automation | None:
    with site.unit_of_work() as session:
        return session.get(Automation, key)


def checked(admin: Person, definition: Any) -> dict[str, Any]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    answer = admin.send(f"{HOME}/check", definition=text)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def logged(site: Platform, key: UUID, **values: Any) -> UUID:
    with site.unit_of_work() as session:
        given = {"version": 1, "key": f"event:{new_id()}", "event_name": REGISTERED, "state": "done", "took_ms": 3}
        row = AutomationRun(id=new_id(), automation_id=key, correlation_id=new_id(), **{**given, **values})
        session.add(row)
        return row.id


def test_it_is_written_as_a_draft_read_as_a_sentence_and_changed_by_versions(site: Platform, admin: Person) -> None:
    name = f"Thank {new_id()}"
    page = admin.send(f"{HOME}/new", name=name, description="For the best", definition=json.dumps(RULE))
    assert page.status_code == 303
    here = page.headers["Location"]
    key = UUID(here.rpartition("/")[2])
    found = look(site, key)
    assert found and (found.state, found.latest) == ("draft", 1)
    text = admin.get(here).text
    assert "For the best" in text and "<b>gold</b>" in text and "welcome" in text
    assert name in admin.get(HOME).text and name not in admin.get(f"{HOME}?state=on").text

    assert admin.get(f"{here}/edit").status_code == 200
    changed = {**RULE, "condition": {"rows": [{**ROW, "value": "silver"}]}, "limits": {"in_all": {"times": 3}}}
    admin.send(f"{here}/edit", name=name, definition=json.dumps(changed))
    text = admin.get(here).text
    assert "Version 2" in text and "<del>" in text and "<b>silver</b>" in text and "3 times a day" in text
    admin.send(f"{here}/versions/1/back")
    with site.unit_of_work() as session:
        numbers = select(AutomationVersion.number).where(AutomationVersion.automation_id == key)
        assert sorted(session.scalars(numbers)) == [1, 2, 3]
        assert service.definition_of(session, session.get_one(Automation, key)).plain["condition"]["rows"] == [ROW]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"trigger": {"kind": "event", "event": ""}}, "trigger.event"),
        ({"trigger": {"kind": "event", "event": "no.such.event"}}, "trigger.event"),
        ({"trigger": {"kind": "schedule", "zone": "Mars/Base"}}, "trigger.zone"),
        ({"condition": {"cel": "member.tier =="}}, "condition.cel"),
        ({"condition": {"cel": "event.nothing > 1"}}, "condition.cel"),
        ({"condition": {"cel": "(" * 500}}, "condition.cel"),
        ({"condition": {"rows": [{"field": "", "operator": "is", "value": 1}]}}, "condition.rows.0.field"),
        ({"condition": {"rows": [ROW, {"field": "event.nothing", "operator": "is_set"}]}}, "condition.rows.1.field"),
        ({"actions": []}, "actions"),
        ({"actions": [{"action": "no.such"}]}, "actions.0.action"),
        ({"actions": [TAGGED, {**TAGGED, "values": {"tag": "=event."}}]}, "actions.1.values.tag"),
        ({"actions": [{**TAGGED, "values": {}}]}, "actions.0.values.tag"),
        ({"limits": {"in_all": {"times": 0}}}, "limits.in_all.times"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_what_is_wrong_is_told_at_its_place_while_one_writes(admin: Person, change: dict[str, Any], place: str) -> None:
    assert place in checked(admin, {**RULE, **change})["problems"]


def test_lines_are_shown_as_words_and_as_an_expression(admin: Person) -> None:
    rows = [ROW, {"field": "member.tags", "operator": "contains", "value": "<b>vip</b>"}]
    found = checked(admin, {**RULE, "condition": {"rows": rows, "match": "any"}})
    assert found["problems"] == {}
    assert " || " in found["cel"] and "gold" in found["cel"]
    assert "&lt;b&gt;vip" in found["words"] and "<b>vip" not in found["words"]


@pytest.mark.parametrize("text", ["", "[]", "1", "null", "{", "[" * 5000, '{"actions": {"a": 1}}', '{"trigger": []}'])
def test_the_check_answers_whatever_is_sent(admin: Person, text: str) -> None:
    assert checked(admin, text)["problems"]
    assert admin.send(f"{HOME}/new", name="x", definition=text).status_code in (400, 422)


def test_what_cannot_be_saved_keeps_what_was_written(site: Platform, admin: Person, made: UUID) -> None:
    kept = look(site, made)
    assert kept
    taken = admin.send(f"{HOME}/new", name=kept.name.upper(), definition=json.dumps(RULE))
    assert taken.status_code == 409 and "Another automation is called" in taken.text
    nameless = admin.send(f"{HOME}/new", name=" ", definition=json.dumps(RULE))
    assert nameless.status_code == 422 and "Give it a name." in nameless.text and "welcome" in nameless.text
    empty = admin.send(f"{HOME}/{made}/edit", name=kept.name, definition='{"trigger": {"kind": "manual"}}')
    assert empty.status_code == 422 and "Add at least one action." in empty.text
    unchanged = look(site, made)
    assert unchanged and unchanged.latest == 1


def test_the_editor_knows_the_fields_of_an_event(admin: Person) -> None:
    found = admin.get(f"{HOME}/fields?event={REGISTERED}").json
    assert "event.member_id" in [one["path"] for one in found["fields"]]
    assert found["members"][0] == "member_id"
    assert admin.get(f"{HOME}/fields?event=no.such").json["fields"] == []
    page = admin.get(f"{HOME}/new").text
    assert 'data-action="core.set_tag"' in page and REGISTERED in page


def test_a_dry_run_tells_what_would_have_been_done_and_does_nothing(
    site: Platform, admin: Person, people: Callable[..., Person], made: UUID
) -> None:
    happened = people("User", name="Zelda <i>")
    assert happened.member
    with site.unit_of_work(Actor.system("test")) as session:
        publish(session, Actor.system("test"), MemberRegistered(member_id=happened.member.id))
    with site.unit_of_work() as session:
        before = session.scalar(select(func.count()).select_from(EventRow))
    rule = json.dumps({**RULE, "condition": {}})
    part = admin.post(
        f"{HOME}/try",
        data={"csrf_token": admin.csrf, "definition": rule, "last": "10"},
        headers={"HX-Request": "true"},
    )
    assert part.status_code == 200 and "<html" not in part.text
    assert "Zelda &lt;i&gt;" in part.text and "Give a tag" in part.text and "would fail" not in part.text
    whole = admin.send(f"{HOME}/{made}/try", last="10")  # the rule's member is not gold
    assert "<html" in whole.text and "Zelda" in whole.text and "Would not start" in whole.text
    wrong = admin.send(f"{HOME}/try", definition=json.dumps({**RULE, "condition": {"cel": "1 +"}}))
    assert wrong.status_code == 422 and "It cannot be tried out yet." in wrong.text
    with site.unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(EventRow)) == before
        runs = select(func.count()).select_from(AutomationRun).where(AutomationRun.automation_id == made)
        assert session.scalar(runs) == 0


def test_it_is_turned_on_and_off_and_deleted(site: Platform, admin: Person, made: UUID) -> None:
    here = f"{HOME}/{made}"
    admin.send(f"{here}/on", version="1")
    found = look(site, made)
    assert found and (found.state, found.version, str(found.enabled_by)) == ("on", 1, admin.id)
    admin.send(f"{here}/delete")
    assert look(site, made) is not None  # one that is on is not deleted
    assert "Turn it off first" in admin.get(here).text
    admin.send(f"{here}/edit", name=found.name, definition=json.dumps({**RULE, "condition": {}}))
    assert "Put version 2 in force" in admin.get(here).text
    admin.send(f"{here}/off", reason="Enough")
    admin.send(f"{here}/delete")
    assert look(site, made) is None and admin.get(here).status_code == 404


def test_one_that_does_not_fit_says_why_it_cannot_be_turned_on(site: Platform, admin: Person) -> None:
    actor = Actor.system("test")
    rule = {**RULE, "actions": [{"action": "gone.action"}]}
    with site.unit_of_work(actor) as session:
        key = service.create(session, actor, name=f"Gone {new_id()}", definition=rule).id
    admin.send(f"{HOME}/{key}/on")
    page = admin.get(f"{HOME}/{key}").text
    assert "It cannot be turned on yet" in page and "There is no such action" in page
    assert 'data-action="gone.action"' not in admin.get(f"{HOME}/{key}/edit").text


def test_value_is_moved_only_after_a_fresh_proof(site: Platform, admin: Person) -> None:
    actor = Actor.system("test")
    pay = {"asset": "POINTS", "amount": 5, "cap": 50, "reason": "Thanks"}
    rule = {**RULE, "actions": [{"action": "wallet.pay", "values": pay}]}
    with site.unit_of_work(actor) as session:
        key = service.create(session, actor, name=f"Pay {new_id()}", definition=rule).id
        mine = MemberSession.member_id == UUID(admin.id)
        session.execute(update(MemberSession).where(mine).values(stepped_up_at=None))
    answer = admin.send(f"{HOME}/{key}/on")
    assert answer.status_code in (302, 303) and "/confirm" in answer.headers["Location"]
    found = look(site, key)
    assert found and found.state == "draft"


def test_the_log_shows_each_action_and_a_failed_run_can_be_repeated(site: Platform, admin: Person, made: UUID) -> None:
    results = [
        {"action": "core.set_tag", "state": "done", "result": {"tag": "welcome"}},
        {"action": "gone.away", "state": "failed", "code": "X", "sentence": "It holds {n} <i>", "params": {"n": 2}},
    ]
    failed = logged(site, made, state="partly", results=results, member_id=UUID(admin.id))
    logged(site, made, state="limited", code="AUTOMATION_LIMIT", sentence="It ran as often as its {gone}.")
    page = admin.get(f"{HOME}/{made}").text
    assert "It holds 2 &lt;i&gt;" in page and "Limit reached" in page
    narrowed = admin.get(f"{HOME}/{made}?show=limited").text
    assert "It holds 2" not in narrowed and "It ran as often as its {gone}." in narrowed
    run = admin.get(f"{HOME}/runs/{failed}").text
    assert "Done in part" in run and "Run again" in run and "gone.away" in run
    assert admin.send(f"{HOME}/runs/{failed}/again").status_code == 303
    assert admin.get(f"{HOME}/runs/{failed}").status_code == 200
    mine = admin.get(f"/admin/members/{admin.id}/automations").text
    assert f"{HOME}/runs/{failed}" in mine and f"{HOME}/{made}" in mine


def test_the_log_is_read_in_pages(site: Platform, admin: Person, made: UUID) -> None:
    for _number in range(30):
        logged(site, made)
    first = admin.get(f"{HOME}/{made}").text
    assert first.count(f"{HOME}/runs/") // 2 <= 30 and "before=" in first
    before = first.split("before=")[1].split("#")[0]
    assert "Back to the newest" in admin.get(f"{HOME}/{made}?before={before}").text
    assert admin.get(f"{HOME}/{made}?before=nonsense&show=nonsense").status_code == 200


def test_files_carry_automations_and_say_where_they_are_wrong(site: Platform, admin: Person, made: UUID) -> None:
    file = admin.get(f"{HOME}/{made}/export")
    assert file.mimetype == "application/yaml" and "attachment" in file.headers["Content-Disposition"]
    kept = look(site, made)
    assert kept and kept.name in file.text and kept.name in admin.get(f"{HOME}/export").text
    other = file.text.replace(kept.name, f"{kept.name} II")
    back = admin.send(f"{HOME}/import", file=(io.BytesIO(other.encode()), "automations.yaml"))
    assert back.status_code == 303
    copied = look(site, UUID(back.headers["Location"].rpartition("/")[2]))
    assert copied and copied.state == "draft" and copied.name.endswith(" II")
    for text in ("a: [", file.text.replace("core.set_tag", "core.set_tag\n    nonsense: 1"), "\0", "- - -"):
        wrong = admin.send(f"{HOME}/import", text=text)
        assert wrong.status_code == 422 and "Nothing was imported." in wrong.text
    assert "Line 1, column" in admin.send(f"{HOME}/import", text="a: [").text
    for content in (b"\xff\xfe", b"a" * 1_000_001):
        assert admin.send(f"{HOME}/import", file=(io.BytesIO(content), "a.yaml")).status_code == 422
    assert admin.send(f"{HOME}/import", text=" ").status_code == 422


def test_one_that_cannot_be_read_leaves_the_list_readable(site: Platform, admin: Person, made: UUID) -> None:
    with site.unit_of_work() as session:
        mine = AutomationVersion.automation_id == made
        session.execute(update(AutomationVersion).where(mine).values(definition={"trigger": {"kind": "comet"}}))
    page = admin.get(HOME)
    assert page.status_code == 200 and "This release cannot read what it says." in page.text
    with site.unit_of_work(Actor.system("test")) as session:
        session.execute(update(AutomationVersion).where(mine).values(definition=RULE))


def test_the_palette_finds_them(site: Platform, admin: Person, people: Callable[..., Person], made: UUID) -> None:
    kept = look(site, made)
    assert kept
    hits = admin.get("/admin/search", query_string={"q": kept.name}).json
    assert [hit["url"] for hit in hits] == [f"{HOME}/{made}"]
    assert f"{HOME}/new" in [hit["url"] for hit in admin.get("/admin/search?q=new auto").json]
    assert people("User", browser=True).get("/admin/search", query_string={"q": kept.name}).json == []


def test_a_failure_is_counted_in_the_sidebar(site: Platform, admin: Person, made: UUID) -> None:
    logged(site, made, state="failed", at=now())
    page = admin.get(HOME).text
    entry = page.split('href="/admin/automations"')[1].split("</a>")[0]
    assert "gh-count" in entry


def test_who_may_only_look_changes_nothing(people: Callable[..., Person], made: UUID) -> None:
    person = people("User", browser=True)
    assert person.get(HOME).status_code == 403
    for path in ("new", "check", "try", "import", f"{made}/edit", f"{made}/on", f"{made}/off", f"{made}/delete"):
        assert person.send(f"{HOME}/{path}", definition=json.dumps(RULE), name="x").status_code == 403


def test_chosen_members_are_given_to_one_that_is_started_by_hand(
    site: Platform, admin: Person, people: Callable[..., Person]
) -> None:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        rule = {**RULE, "trigger": {"kind": "manual"}, "condition": {}}
        key = service.create(session, actor, name=f"By hand {new_id()}", definition=rule).id
        service.turn_on(session, actor, key)
    chosen = people("User").id
    asked = admin.send("/admin/lists/core.member/bulk", what="do-run_automation", rowid=chosen)
    assert asked.status_code == 200 and str(key) in asked.text and "By hand" in asked.text
    run = {"what": "do-run_automation", "rowid": chosen, "run": str(new_id()), "automation": str(key)}
    for _twice in range(2):
        assert admin.send("/admin/lists/core.member/bulk/run", **run).status_code == 303
    with site.unit_of_work() as session:
        runs = session.scalars(select(AutomationRun).where(AutomationRun.automation_id == key)).all()
        assert [(str(run.member_id), run.turn_id) for run in runs] == [(chosen, None)]
