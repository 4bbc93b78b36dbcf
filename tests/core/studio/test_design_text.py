"""The form of a design and its text say the same, and neither loses what the other does not show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.studio.design import look, starter
from core.studio.errors import NotShown
from core.studio.merging import merged
from core.studio.outline import outline
from core.yamlplugin.source import Unreadable, parse
from tests.core.studio.conftest import ROOM

FULL = """# A club. This comment stays.
name: club
version: 0.1.0
label: Club
requires: {wallet: ">=0.1"}   # for fees
settings:
  fee: {type: integer, default: 5, min: 0}
resources:
  # what members join
  meeting:
    label: Meeting
    order: held_on
    columns: [title, phase]
    fields:
      title: {type: text, required: true, max_length: 80}
      phase: {type: choice, values: [planned, held], default: planned, required: true}
      held_on:
        type: date   # the day
        required: true
    sections:
      - {title: When, fields: [held_on, phase]}
    transitions:
      - {field: phase, from: [planned], to: held, label: It was held}
    operations:
      - {name: remind, label: Remind, run: remind, permission: "club:meeting:remind"}
  note:
    fields:
      meeting: {type: reference, to: meeting}
      body: {type: long_text, required: true}
permissions:
  "club:meeting:remind": Remind members
roles:
  User: ["club:*:list"]
  Moderator: ["club:*:*", "wallet:transfer:list"]
subscribers:
  - {on: club.meeting.created, run: greet}
"""


def form_of(text: str) -> dict[str, Any]:
    """What the browser sends of an untouched form."""
    shown = outline(parse(text).value)
    assert shown is not None
    for resource in shown["resources"]:
        resource["was"] = resource["name"]
        for field in resource["fields"]:
            field["was"] = field["name"]
        for key in ("sections", "transitions", "inline"):
            for number, one in enumerate(resource[key]):
                one["was"] = str(number)
    for permission in shown["permissions"]:
        permission["was"] = permission["name"]
    return shown


def field_of(form: dict[str, Any], resource: int, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in form["resources"][resource]["fields"] if one["name"] == name)
    return found


@pytest.mark.parametrize("text", [FULL, ROOM.format(name="rooms"), starter("a", "A")], ids=["full", "room", "starter"])
def test_an_untouched_form_leaves_the_text_as_it_is_written(text: str) -> None:
    assert parse(merged(text, form_of(text), {})).value == parse(text).value
    once = merged(text, form_of(text), {})
    assert merged(once, form_of(once), {}) == once
    assert [line for line in text.splitlines() if "#" in line] == [line for line in once.splitlines() if "#" in line]


def test_what_the_form_does_not_show_stays() -> None:
    form = form_of(FULL)
    form["label"] = "The club"
    made = parse(merged(FULL, form, {})).value
    before = parse(FULL).value
    assert made == {**before, "label": "The club"}


def test_a_renamed_field_is_followed_wherever_it_is_named() -> None:
    form = form_of(FULL)
    field_of(form, 0, "held_on")["name"] = "day"
    field_of(form, 0, "phase")["name"] = "stage"
    made = parse(merged(FULL, form, {})).value["resources"]["meeting"]
    assert list(made["fields"]) == ["title", "stage", "day"]
    assert made["order"] == "day" and made["columns"] == ["title", "stage"]
    assert made["sections"][0]["fields"] == ["day", "stage"] and made["transitions"][0]["field"] == "stage"


def test_a_renamed_resource_is_followed_in_references_and_grants() -> None:
    form = form_of(FULL)
    form["resources"][0]["name"] = "session"
    made = parse(merged(FULL, form, {})).value
    assert made["resources"]["note"]["fields"]["meeting"]["to"] == "session"
    assert "wallet:transfer:list" in made["roles"]["Moderator"]
    assert {"club:session:*", "club:note:*"} <= set(made["roles"]["Moderator"])
    assert set(made["roles"]["User"]) == {"club:session:list", "club:note:list"}


def test_a_ticked_permission_is_granted_and_an_unticked_one_is_not() -> None:
    form = form_of(FULL)
    user = next(one for one in form["roles"] if one["name"] == "User")
    user["grants"] = ["note:create", "note:list", "nothing:list"]
    made = parse(merged(FULL, form, {})).value["roles"]
    assert made["User"] == ["club:note:list", "club:note:create"]
    assert made["Moderator"] == ["club:*:*", "wallet:transfer:list"]


def test_another_type_takes_what_it_does_not_know_along() -> None:
    form = form_of(FULL)
    field_of(form, 0, "title").update(type="integer", default="7")
    made = parse(merged(FULL, form, {})).value["resources"]["meeting"]["fields"]["title"]
    assert made == {"type": "integer", "required": True, "default": 7}


def test_a_reference_to_another_plugin_requires_it() -> None:
    form = form_of(FULL)
    field_of(form, 1, "meeting")["to"] = "badges.badge"
    assert parse(merged(FULL, form, {"badges": "0.3.0"})).value["requires"] == {"wallet": ">=0.1", "badges": ">=0.3.0"}


def test_two_of_one_name_are_refused_before_one_is_lost() -> None:
    form = form_of(FULL)
    field_of(form, 0, "phase")["name"] = "title"
    with pytest.raises(NotShown, match="title"):
        merged(FULL, form, {})


def test_a_mistake_has_its_line_its_column_and_its_part() -> None:
    found = look(FULL.replace("max_length: 80", "max_length: 0"))
    assert found.spec is None
    assert [(one.line, one.path) for one in found.mistakes if "max_length" in one.path] == [
        (15, "resources.meeting.fields.title.max_length")
    ]
    assert look(FULL.replace("label: Club", "label: [")).values is None
    assert look("a: &x 1\nb: *x").mistakes


def test_a_name_that_is_taken_or_kept_is_a_mistake() -> None:
    text = starter("rooms", "Rooms")
    assert look(text, taken={"rooms"}).mistakes[0].path == "name"
    assert look(text, kept="halls").mistakes[0].path == "name"
    assert look(text).spec is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "fields", "was", "type", "values", "roles", "resources"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from(["resources", "permissions", "roles", "name", "label"]), value=JSON)
def test_whatever_is_sent_as_a_form_is_carried_over_or_refused(key: str, value: Any) -> None:
    try:
        made = merged(FULL, {**form_of(FULL), key: value}, {})
    except (NotShown, Unreadable):
        return
    look(made)


@settings(max_examples=60, deadline=None)
@given(label=st.text(max_size=40), default=st.text(max_size=20))
def test_whatever_is_typed_stands_in_the_text_as_it_was_typed(label: str, default: str) -> None:
    form = form_of(FULL)
    form["label"] = label
    field_of(form, 0, "title")["default"] = default
    try:
        made = parse(merged(FULL, form, {})).value
    except Unreadable:  # characters that no YAML holds
        return
    assert made["label"] == label
    assert made["resources"]["meeting"]["fields"]["title"].get("default", "") == default
