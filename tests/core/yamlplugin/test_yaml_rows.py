"""Who sees which records, texts in several languages, suggested automations: said in YAML, the same as in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from core.actor import Actor
from core.db import migrate
from core.errors import Invalid
from core.platform import Platform
from core.resources.resource import OutOfReach
from core.yamlplugin.eject import eject
from core.yamlplugin.reading import texts_of
from guildhall import Member, new_id
from tests.core.workshop import Workshop
from tests.core.yamlplugin.test_yaml_eject import declared, lint, no_leftovers
from tests.core.yamlplugin.test_yaml_reading import FIELD, HEAD, REST
from tests.core.yamlplugin.test_yaml_reading import told as mistakes

__all__ = ["no_leftovers"]
LETTERS = """
    name: letters
    version: 0.1.0
    label: Letters
    permissions: {"letters:letter:review": Review letters, "letters:letter:audit": See every letter}
    resources:
      letter:
        rows:
          - {member: author_id}
          - {member: reader_id, field: state, is: [sent, read]}
          - {field: state, is: [in_review], permission: "letters:letter:review"}
          - {permission: "letters:letter:audit"}
          - {field: open}
          - {run: famous}
        fields:
          author_id: {type: member, required: true}
          reader_id: {type: member}
          title: {type: text, required: true, search: true, translated: true, personal: false}
          body: {type: long_text, translated: true, personal: false}
          state: {type: choice, values: [draft, in_review, sent, read], default: draft, required: true}
          open: {type: boolean, default: false}
      sign:
        rows: [{field: shown}]
        fields:
          text: {type: text, required: true, translated: true}
          shown: {type: boolean}
    automations:
      praise:
        label: Praise a writer
        description: Whoever writes ten letters hears of it.
        trigger: {kind: event, event: letters.letter.created}
        condition: {rows: [{field: member.points, operator: ge, value: 10.5}]}
        actions:
          - {action: core.set_tag, values: {tag: writer, title: Never translated}, on_error: go_on}
        limits: {per_member: {times: 1, period: ever}}
      remind:
        label: Remind writers
        trigger: {kind: schedule, every: weekly, weekday: 4}
        actions: [{action: core.set_tag, values: {tag: quiet}}]
"""
ACTIONS = """
from guildhall import Actor
from sqlalchemy import ColumnElement

from .models import Letter


def famous(actor: Actor) -> ColumnElement[bool] | None:
    return None if actor.name == "librarian" else Letter.title == "Famous"
"""
STATES = ("draft", "in_review", "sent", "read")
LIST = "letters:letter:list"


@pytest.fixture
def letters(workshop: Workshop, described: Callable[..., Path]) -> Platform:
    described("letters", LETTERS, ACTIONS)
    first = workshop.boot()
    migrate.revision(first.database.url, first.branches, "letters", "Letters")
    workshop.tidy()
    return workshop.boot()


def reader(name: str, member: Any = None, *permissions: str) -> Actor:
    return Actor(kind="member", name=name, member_id=member, permissions=frozenset({LIST, *permissions}))


def test_each_sees_what_a_rule_allows_and_nothing_else(letters: Platform) -> None:
    bound = letters.registry.resources["letters.letter"]
    model: Any = bound.resource.model
    with letters.unit_of_work(Actor.system()) as session:
        people = [Member(id=new_id(), display_name=name) for name in ("Amina", "Bo", "Cleo")]
        session.add_all(people)
        session.flush()
        amina, bo, cleo = (one.id for one in people)
        for state in STATES:
            session.add(model(id=new_id(), author_id=amina, reader_id=bo, title=state, state=state))
        session.add(model(id=new_id(), author_id=amina, title="nobody's", state="sent"))
        session.add(model(id=new_id(), author_id=amina, title="Famous"))
        session.add(model(id=new_id(), author_id=amina, title="all", open=True))
        session.flush()

        def seen(actor: Actor) -> set[str]:
            condition = bound.visible(actor)
            query = select(model.title)
            return set(session.scalars(query if condition is None else query.where(condition)))

        everything = {*STATES, "nobody's", "Famous", "all"}
        assert seen(reader("amina", amina)) == everything
        assert seen(reader("bo", bo)) == {"sent", "read", "Famous", "all"}
        assert seen(reader("cleo", cleo)) == {"Famous", "all"}
        assert seen(reader("cleo", cleo, "letters:letter:review")) == {"in_review", "Famous", "all"}
        assert seen(reader("audit", cleo, "letters:letter:audit")) == everything
        assert seen(reader("librarian", cleo)) == everything
        assert seen(reader("nobody")) == {"Famous", "all"}  # who is no member is not whom an empty field names
        assert seen(Actor.system()) == everything
        with pytest.raises(OutOfReach):
            maker = reader("cleo", cleo, "letters:letter:create")
            bound.create(session, maker, {"author_id": amina, "title": "Forged"})


def test_texts_are_kept_by_language_and_rows_that_are_there_get_an_empty_one(letters: Platform) -> None:
    bound, system = letters.registry.resources["letters.sign"], Actor.system()
    with letters.unit_of_work(system) as session:
        session.execute(text("INSERT INTO letters_sign (id, text) VALUES (uuidv7(), 'Exit')"))
        assert session.scalar(text("SELECT translations FROM letters_sign")) == {}
        made = bound.create(session, system, {"text": "Way in", "translations": {"fr": {"text": "Entrée"}}})
        assert made.translations == {"fr": {"text": "Entrée"}}
        with pytest.raises(Invalid):
            bound.create(session, system, {"text": "x", "translations": {"fr": {"shown": "y"}}})
    assert migrate.differences(letters.database.url, letters.branches, "letters") == []


def test_it_suggests_automations_and_installs_none(letters: Platform) -> None:
    praise, remind = letters.registry.plugins["letters"].automations
    assert not isinstance(praise, str) and not isinstance(remind, str)
    assert (praise.name, praise.label) == ("praise", "Praise a writer")
    assert praise.said.plain == {
        "trigger": {"kind": "event", "event": "letters.letter.created"},
        "condition": {"rows": [{"field": "member.points", "operator": "ge", "value": 10.5}]},
        "actions": [
            {"action": "core.set_tag", "values": {"tag": "writer", "title": "Never translated"}, "on_error": "go_on"}
        ],
        "limits": {"per_member": {"times": 1, "period": "ever"}},
    }
    with letters.unit_of_work(Actor.system()) as session:
        assert session.scalar(text("SELECT count(*) FROM core_automation")) == 0


def test_what_is_ejected_is_the_same_and_passes_the_linters(workshop: Workshop, described: Callable[..., Path]) -> None:
    folder = described("letters", LETTERS)
    (folder / "actions.py").write_text(ACTIONS.lstrip())
    assert {"Praise a writer", "Remind writers", "Whoever writes ten letters hears of it."} <= set(texts_of(folder))
    assert "Never translated" not in texts_of(folder)

    def all_of(platform: Platform) -> Any:
        plugin = platform.registry.plugins["letters"]
        resources = {key: platform.registry.resources[f"letters.{key}"].resource for key in ("letter", "sign")}
        actors = [reader("x"), reader("x", new_id()), reader("x", None, "letters:letter:review")]
        return (
            declared(platform, "letters"),
            [str(one.visible(actor)) for one in resources.values() if one.visible for actor in actors],
            [(one.name, one.label, one.description, one.said.plain) for one in plugin.automations],  # type: ignore[union-attr]
        )

    before = all_of(workshop.load())
    assert len(before[1]) == 6
    eject(folder)
    lint(folder)
    workshop.tidy()
    assert all_of(workshop.load()) == before


AUTOMATION = HEAD + "automations:\n  a:\n    label: A\n    "
DOES = "actions: [{action: core.set_tag}]"
TOLD = {
    "no rule": (REST + "rows: [{}]", "8:12: `member`, `field`, `permission` or `run` is expected"),
    "unknown part": (REST + "rows: [{owner: a}]", "8:13: `owner` is not known here; expected are member, field, is"),
    "no member": (REST + "rows: [{member: title}]", "8:21: a field of type member is expected"),
    "no field": (REST + "rows: [{field: titel}]", "8:20: a field of type choice or boolean is expected"),
    "text": (REST + "rows: [{field: title}]", "8:20: a field of type choice or boolean is expected"),
    "values alone": (REST + "rows: [{is: [a], permission: 'shop:item:list'}]", "8:13: `field` is expected with it"),
    "no values": (
        FIELD + "s: {type: choice, values: [a, b]}\n    rows: [{field: s}]",
        "9:20: `is` is expected with it: the values of that choice",
    ),
    "other value": (
        FIELD + "s: {type: choice, values: [a, b]}\n    rows: [{field: s, is: [a, c]}]",
        "9:31: c is none of the values of s",
    ),
    "values of a yes": (
        FIELD + "s: {type: boolean}\n    rows: [{field: s, is: [a]}]",
        "9:23: nothing is expected: records where the field is yes are meant",
    ),
    "function and more": (
        REST + "rows: [{run: f, permission: 'shop:item:list'}]",
        "8:18: a rule with `run` says nothing else; the function decides",
    ),
    "unknown permission": (
        REST + "rows: [{permission: 'shop:item:see'}]",
        "8:25: nothing declares the permission shop:item:see",
    ),
    "its own translations": (
        FIELD + "x: {type: text, translated: true}\n      translations: {type: json}",
        "9:7: with `translated` the platform has a column translations of its own",
    ),
    "translated number": (FIELD + "x: {type: integer, translated: true}", "8:26: `translated` is not known here"),
    "no trigger": (AUTOMATION + DOES, "5:3: `trigger` is missing: What starts it"),
    "unknown trigger": (
        AUTOMATION + "trigger: {kind: moon}\n    " + DOES,
        "7:21: event, schedule or manual is expected",
    ),
    "trigger of no kind": (AUTOMATION + "trigger: {event: a.b.c}\n    " + DOES, "7:5: `kind` is missing; expected is"),
    "trigger without event": (AUTOMATION + "trigger: {kind: event}\n    " + DOES, "7:5: `event` is missing"),
    "unknown in a trigger": (
        AUTOMATION + "trigger: {kind: manual, event: x}\n    " + DOES,
        "7:29: `event` is not known here",
    ),
    "no event of its own": (
        AUTOMATION + "trigger: {kind: event, event: shop.item.sold}\n    " + DOES,
        "7:35: the plugin has no event shop.item.sold",
    ),
    "odd hour": (
        AUTOMATION + "trigger: {kind: schedule, hour: 25}\n    " + DOES,
        "7:37: at most 23 is expected, not '25'",
    ),
    "odd zone": (
        AUTOMATION + "trigger: {kind: schedule, zone: Mars}\n    " + DOES,
        "7:37: There is no such time zone. One is called like Europe/Berlin.",
    ),
    "odd operator": (
        AUTOMATION
        + "trigger: {kind: manual}\n    condition:\n      rows: [{field: member.tier, operator: like, value: a}]"
        "\n    " + DOES,
        "9:45: 'is', 'is_not'",
    ),
    "nothing to do": (AUTOMATION + "trigger: {kind: manual}\n    actions: []", "8:14: at least 1 is expected"),
    "step without action": (
        AUTOMATION + "trigger: {kind: manual}\n    actions: [{values: {}}]",
        "8:15: `action` is missing",
    ),
    "limit": (
        AUTOMATION + "trigger: {kind: manual}\n    limits: {in_all: {times: 0}}\n    " + DOES,
        "8:30: at least 1 is expected, not '0'",
    ),
}


@pytest.mark.parametrize("name", list(TOLD))
def test_each_mistake_is_told_with_its_place(name: str) -> None:
    written, expected = TOLD[name]
    [line] = mistakes(written)
    assert expected in line, line
