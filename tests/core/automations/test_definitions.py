"""What an automation may say, who may turn it on, and how its conditions and expressions are held."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, text

from core import access
from core.actor import Actor
from core.automations import catalogue, conditions, fitting, service
from core.automations.definition import Condition, Definition, Row
from core.automations.errors import ActionsRefused, DefinitionInvalid, NameTaken, StillOn
from core.clock import now
from core.errors import NotFound, PermissionMissing, StepUpRequired
from core.expressions import DEEPEST, LONGEST, LONGEST_TEXT, MOST_ITEMS, BadExpression, Expressions, check, names, seen
from core.ids import new_id
from core.members import tags
from core.members.models import Member
from core.members.service import user_table
from core.plugin import Plugin
from core.registry import DeclarationError, Registry
from tests.core.automations.laboratory import MAY, SYSTEM, Lab, plugin, step

NAMES = Expressions({"event": "map", "member": "map"})
TRIGGER = {"kind": "event", "event": "lab.thing.happened"}


def admin(*permissions: str, **values: Any) -> Actor:
    return Actor(kind="member", name="Amina", permissions=frozenset(permissions), **values)


EVENT = {
    "amount": 5,
    "ratio": 0.5,
    "word": 'say "a\\b"',
    "words": ["red", "blue"],
    "at": now(),
    "flag": True,
    "deep": {"n": 1},
}


@pytest.mark.parametrize(
    ("field", "operator", "value", "holds"),
    [
        ("amount", "is", 5, True),
        ("amount", "is", 5.0, True),
        ("amount", "is_not", 5, False),
        ("missing", "is", 5, False),
        ("missing", "is_not", 5, True),
        ("amount", "gt", 4.5, True),
        ("ratio", "lt", 1, True),
        ("ratio", "ge", 0.5, True),
        ("amount", "le", 4, False),
        ("word", "is", 'say "a\\b"', True),
        ("word", "starts_with", 'say "', True),
        ("word", "contains", "\\", True),
        ("words", "contains", "red", True),
        ("words", "contains", "green", False),
        ("amount", "contains", "5", False),
        ("amount", "in", [1, 5], True),
        ("word", "in", ["x"], False),
        ("missing", "not_in", ["x"], True),
        ("at", "gt", "2020-01-31", True),
        ("at", "lt", "2020-01-31T10:00:00+02:00", False),
        ("word", "gt", 3, False),
        ("flag", "is", True, True),
        ("deep.n", "is", 1, True),
        ("deep.m.k", "is", 1, False),
        ("missing", "is_set", None, False),
        ("missing", "is_not_set", None, True),
    ],
)
def test_a_line_holds_as_its_words_say(field: str, operator: str, value: Any, holds: bool) -> None:
    line = Row(field=f"event.{field}", operator=operator, value=value)  # type: ignore[arg-type]
    compiled = conditions.compiled(Condition(rows=(line,)))
    values = {"event": seen(EVENT), "member": {}, "record": {}}
    assert conditions.EXPRESSIONS.holds(compiled, values) is holds, compiled


def test_all_and_any_join_lines() -> None:
    lines = [{"field": "event.a", "operator": "is", "value": 1}, {"field": "event.b", "operator": "is", "value": 1}]
    for match, expected in (("all", False), ("any", True)):
        compiled = conditions.compiled(Condition.model_validate({"match": match, "rows": lines}))
        assert conditions.EXPRESSIONS.holds(compiled, {"event": {"a": 1}, "member": {}, "record": {}}) is expected
    assert conditions.compiled(Condition()) == ""


HOSTILE = {
    "too long": "1 + " * 300 + "1",
    "too deep": "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
    "too deep in lists": "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    "nested": "event.l.map(a, event.l.map(b, a + b)).size() > 0",
    "nested in brackets": "event.l.all(a, [event.l.filter(b, b)].size() > 0)",
    "nested behind a comment": "event.l.all(a, // )\n event.l.exists(b, b))",
    "nested behind a string": "event.l.all(a, ')' != '' && event.l.exists(b, b))",
    "nested behind a raw string": "event.l.all(a, r'\\' != '' && event.l.exists(b, b))",
    "nested behind three quotes": "event.l.all(a, ''')''' != '' && event.l.exists(b, b))",
    "nested over lines": "event.l .\n map (a, event.l . filter (b, b))",
    "too many": " && ".join(["event.l.exists(a, a)"] * 5),
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_a_hostile_expression_is_refused_before_the_engine_sees_it(case: str) -> None:
    """By one pass over at most a thousand characters, so that the work has a bound whatever it says."""
    with pytest.raises(BadExpression):
        check(HOSTILE[case])
    untouched = Expressions({"event": "map"})
    with pytest.raises(BadExpression):
        untouched.compiled(HOSTILE[case])
    assert untouched._made is None


def test_expressions_that_people_write_pass_the_bounds() -> None:
    for text_ in (
        "event.words.exists(w, w.startsWith('a')) && size(event.words) < 10",
        "event.word.matches('^[a-z]+$') || event.amount in [1, 2, 3]",
        "has(event.word) ? event.word : 'nothing'",
        "member.tier == \"pro\" && timestamp('2026-01-31T00:00:00Z') < event.at",
    ):
        NAMES.compiled(text_)
    assert LONGEST >= 1000


def test_what_expressions_see_is_bounded() -> None:
    cut = seen(
        {"text": "x" * 10_000, "list": list(range(5000)), "none": None, "huge": 2**70, "nested": [[[[[[[[[1]]]]]]]]]}
    )
    assert (len(cut["text"]), len(cut["list"])) == (LONGEST_TEXT, MOST_ITEMS)
    assert "none" not in cut
    assert isinstance(cut["huge"], float)


def test_names_are_told_and_functions_and_literals_are_not() -> None:
    asked = "event.a.b == member.tier && 'event.no' != \"event.no\" && event.s.startsWith(event.t) && f(event.u).x"
    assert names(asked) == {"event.a.b", "member.tier", "event.s", "event.t", "event.u"}


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"trigger": {"kind": "event", "event": "lab.thing.unknown"}}, "trigger.event"),
        ({"trigger": {**TRIGGER, "member": "nobody"}}, "trigger.member"),
        ({"condition": {"rows": [{"field": "event.nothing", "operator": "is", "value": 1}]}}, "condition.rows.0.field"),
        ({"condition": {"cel": "event.nothing == 1"}}, "condition.cel"),
        ({"condition": {"cel": "member.contributions.nothing == 1"}}, "condition.cel"),
        ({"condition": {"cel": "1 +"}}, "condition.cel"),
        ({"condition": {"cel": "1 + 1"}}, "condition.cel"),
        ({"condition": {"cel": "record.title == 'a'"}}, "condition.cel"),
        ({"condition": {"cel": "nobody == 1"}}, "condition.cel"),
        ({"actions": [{"action": "lab.nothing"}]}, "actions.0.action"),
        ({"actions": [{"action": "lab.note"}]}, "actions.0.values.text"),
        ({"actions": [{"action": "lab.note", "values": {"text": "a", "color": "red"}}]}, "actions.0.values.color"),
        ({"actions": [{"action": "lab.note", "values": {"text": "a", "number": 101}}]}, "actions.0.values.number"),
        ({"actions": [{"action": "lab.note", "values": {"text": "=event."}}]}, "actions.0.values.text"),
        ({"actions": [{"action": "lab.note", "values": {"text": "=event.nothing"}}]}, "actions.0.values.text"),
        (
            {"trigger": {"kind": "event", "event": "lab.thing.passed"}, "actions": [step("greet")]},
            "actions.0.action",
        ),
    ],
)
def test_what_is_not_there_is_told_by_place_and_a_draft_may_name_it(lab: Lab, parts: Any, place: str) -> None:
    said = {"trigger": TRIGGER, "actions": [step("note")], **parts}
    problems = lab.within(lambda session: fitting.check(session, Definition.read(said)))
    assert list(problems) == [place]
    made = lab.within(lambda session: service.create(session, SYSTEM, name="Draft", definition=said))
    with pytest.raises(DefinitionInvalid) as refused:
        lab.within(lambda session: service.turn_on(session, SYSTEM, made.id))
    assert place in refused.value.details


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"actions": [step("note")]}, "trigger"),
        ({"trigger": TRIGGER, "actions": []}, "actions"),
        ({"trigger": {"kind": "schedule", "zone": "Mars/Base"}, "actions": [step("note")]}, "trigger.zone"),
        ({"trigger": {"kind": "event"}, "actions": [step("note")]}, "trigger.event"),
        (
            {"trigger": TRIGGER, "actions": [step("note")], "condition": {"rows": [{"field": "x", "operator": "is"}]}},
            "condition.rows.0.field",
        ),
        ({"trigger": TRIGGER, "actions": [step("note")], "limits": {"in_all": {"times": 0}}}, "limits.in_all.times"),
        ({"trigger": TRIGGER, "actions": [step("note")], "color": "red"}, "color"),
        ("nonsense", ""),
    ],
)
def test_a_shape_that_is_wrong_is_refused_by_place(said: Any, place: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        Definition.read(said)
    assert place in refused.value.details


def test_versions_stay_and_the_one_in_force_stays_until_it_is_turned_on_anew(lab: Lab) -> None:
    automation = lab.automation("note")
    changed = {"trigger": TRIGGER, "actions": [{"action": "lab.note", "values": {"text": "second"}}]}
    member = lab.member()
    lab.within(lambda session: service.change(session, SYSTEM, automation, definition=changed))
    lab.within(lambda session: service.change(session, SYSTEM, automation, definition=changed))
    lab.happen(member)
    lab.drain()
    assert (lab.now(automation).version, lab.now(automation).latest) == (1, 2)
    lab.within(lambda session: service.turn_on(session, SYSTEM, automation))
    lab.happen(member)
    lab.drain()
    assert sorted(lab.notes()) == ["noted", "second"]
    assert [run.version for run in lab.runs()] == [1, 2]
    lab.within(lambda session: service.turn_on(session, SYSTEM, automation, version=1))
    assert lab.now(automation).version == 1
    kept = lab.within(lambda session: service.versions(session, SYSTEM, automation))
    assert [one.number for one in kept] == [2, 1]
    acts = [
        row[0]
        for row in lab.rows("SELECT action FROM core_audit WHERE subject_id = :id ORDER BY id", id=str(automation))
    ]
    assert acts == [f"core.automation.{act}" for act in ("created", "enabled", "updated", "enabled", "enabled")]


def test_names_are_unique_and_one_that_is_on_is_not_deleted(lab: Lab) -> None:
    automation = lab.automation("note", name="Rule")
    with pytest.raises(NameTaken):
        lab.automation("note", name="rule")
    with pytest.raises(StillOn):
        lab.within(lambda session: service.delete(session, SYSTEM, automation))
    lab.within(lambda session: service.turn_off(session, SYSTEM, automation))
    lab.within(lambda session: service.delete(session, SYSTEM, automation))
    with pytest.raises(NotFound):
        lab.within(lambda session: service.find(session, SYSTEM, automation))


def test_who_turns_it_on_must_hold_what_its_actions_take_and_prove_who_they_are(lab: Lab) -> None:
    automation = lab.automation({"action": "lab.spend", "values": {"amount": 1, "cap": 1}}, on=False)
    see = ("core:automation:list", service.ENABLE)

    def on(actor: Actor) -> Any:
        return lab.within(lambda session: service.turn_on(session, actor, automation))

    with pytest.raises(PermissionMissing):
        on(admin("core:automation:list"))
    with pytest.raises(ActionsRefused) as refused:
        on(admin(*see))
    assert refused.value.params["permissions"] == MAY
    with pytest.raises(StepUpRequired):
        on(admin(*see, MAY))
    assert lab.now(automation).state == "draft"
    on(admin(*see, MAY, stepped_up_at=now()))
    assert lab.now(automation).state == "on"


def test_who_loses_a_right_later_turns_nothing_off_in_silence(lab: Lab) -> None:
    with lab.platform.unit_of_work(SYSTEM) as session:
        key = new_id()
        user = {"first_name": "", "last_name": "", "username": str(key), "email": str(key), "active": True}
        user_id = session.scalar(insert(user_table).values(user).returning(user_table.c.id))
        session.add(Member(id=key, user_id=user_id, display_name="Amina"))
        session.flush()
        access.assign(session, user_id or 0, ["Admin"])
    actor = admin("core:automation:list", service.ENABLE, MAY, member_id=key)
    automation = lab.automation("note", on=False)
    lab.within(lambda session: service.turn_on(session, actor, automation))
    assert lab.within(lambda session: service.standing(session, lab.now(automation))).lacking == ()
    lab.within(lambda session: access.assign(session, user_id or 0, ["User"]))
    assert lab.within(lambda session: service.standing(session, lab.now(automation))).lacking == (MAY,)
    lab.happen(lab.member())
    lab.drain()
    assert lab.states() == ["done"]


def test_every_way_to_automations_takes_its_permission(lab: Lab) -> None:
    automation = lab.automation("note", on=False)
    nobody = admin()
    said = {"trigger": TRIGGER, "actions": [step("note")]}
    for refuse in (
        lambda session: service.listing(session, nobody),
        lambda session: service.find(session, nobody, automation),
        lambda session: service.runs(session, nobody),
        lambda session: service.create(session, nobody, name="x", definition=said),
        lambda session: service.change(session, nobody, automation, name="x"),
        lambda session: service.turn_off(session, nobody, automation),
        lambda session: service.delete(session, nobody, automation),
    ):
        with pytest.raises(PermissionMissing):
            lab.within(refuse)


def test_forms_are_offered_events_fields_and_actions(lab: Lab) -> None:
    def offered(session: Any) -> Any:
        fields = {one.path: one.kind for one in catalogue.event_fields(session, "lab.thing.happened")}
        of_member = {one.path: one.kind for one in catalogue.member_fields(session)}
        record = {one.path for one in catalogue.event_fields(session, "core.member.updated")}
        return catalogue.events(session), fields, of_member, record, catalogue.actions(session)

    events, fields, of_member, record, actions = lab.within(offered)
    assert "lab.thing.happened" in {one.value for one in events}
    assert fields == {
        "event.member_id": "text",
        "event.amount": "number",
        "event.word": "text",
        "event.words": "list",
        "event.ratio": "number",
        "event.occurred_at": "time",
    }
    assert of_member["member.tags"] == "list"
    assert of_member["member.contributions.points"] == "number"
    assert of_member["member.badges.held"] == "list"
    assert "record.tier" in record
    assert not record & {"record.email", "record.display_name"}
    assert {"core.set_tag", "contributions.record", "badges.award", "notifications.notify", "wallet.pay"} <= set(
        actions
    )
    for action in actions.values():
        assert catalogue.action_schema(action)["type"] == "object"


def test_an_action_that_could_not_be_shown_or_held_is_not_registered() -> None:
    registry = Registry()
    good = plugin.actions[0]
    for change, says in (
        ({"name": "Not A Slug"}, "slug"),
        ({"permission": "lab:thing:unheard"}, "nothing declares"),
        ({"choices": {"color": list}}, "does not have"),
    ):
        wrong = type(good)(**{**{key: getattr(good, key) for key in good.__dataclass_fields__}, **change})
        with pytest.raises(DeclarationError, match=says):
            registry.add(Plugin("lab", version="1", label="", permissions=plugin.permissions, actions=[wrong]))


def test_tags_are_words_borne_once_and_counted(lab: Lab) -> None:
    member = lab.member()

    def tag(session: Any) -> list[bool]:
        return [
            tags.add(session, SYSTEM, member, "early-bird"),
            tags.add(session, SYSTEM, member, "early-bird"),
            tags.remove(session, SYSTEM, member, "early-bird"),
            tags.remove(session, SYSTEM, member, "early-bird"),
        ]

    assert lab.within(tag) == [True, False, True, False]
    for wrong in ("Big", "a b", "x" * 41, "", "-a"):
        with pytest.raises(tags.TagInvalid):
            lab.within(lambda session, wrong=wrong: tags.add(session, SYSTEM, member, wrong))
    with pytest.raises(tags.TooManyTags):
        lab.within(lambda session: [tags.add(session, SYSTEM, member, f"t{number}") for number in range(51)])
    assert lab.within(lambda session: session.execute(text("SELECT count(*) FROM core_member_tag")).scalar()) == 0
