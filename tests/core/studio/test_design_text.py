"""The form of a design and its text say the same, and neither loses what the other does not show."""

from __future__ import annotations

from decimal import Decimal
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
  fee: {type: integer, default: 5, min: 0}   # in points
  mode: {type: choice, values: [open, closed], default: open}
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
      - {field: phase, from: [planned], to: held, label: It was held}   # it is over
    operations:
      - {name: remind, label: Remind, run: remind, permission: "club:meeting:remind", form: {why: {type: text}}}
    computed:
      # how many came
      guests: {run: guests, label: Guests, type: integer}
    rows: [{field: phase, is: [held]}]
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
        for computed in resource["computed"]:
            computed["was"] = computed["name"]
        for key in ("sections", "transitions", "inline", "operations"):
            for number, one in enumerate(resource[key]):
                one["was"] = str(number)
    for named in (*shown["permissions"], *shown["settings"]):
        named["was"] = named["name"]
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


def test_settings_buttons_computed_columns_and_files_are_entered_in_the_form() -> None:
    form = form_of(FULL)
    meeting = form["resources"][0]
    form["settings"][0].update(default="7", max="9", label="Fee")
    form["settings"][1].update(values="open, closed,late", default="late")
    form["settings"].append({"was": "", "name": "ratio", "type": "decimal", "default": "0.5", "label": "", "help": ""})
    form["settings"].append({"was": "", "name": "loud", "type": "boolean", "default": "false", "label": "", "help": ""})
    meeting["operations"][0].update(label="Remind all", danger=True)
    act = {
        "name": "end",
        "label": "End",
        "run": "end",
        "permission": "club:meeting:update",
        "icon": "",
        "help": "Over.",
    }
    meeting["operations"].append({"was": "", "danger": False, **act})
    meeting["computed"][0].update(name="visitors", label="Visitors")
    meeting["computed"].append({"was": "", "name": "late", "run": "late", "label": "Late", "type": "text", "help": ""})
    blank = {**field_of(form, 0, "title"), "was": "", "max_length": "", "required": False, "translated": False}
    meeting["fields"].append({**blank, "name": "photo", "type": "file", "allowed": ["images"], "max_bytes": "5000"})
    field_of(form, 0, "title")["translated"] = True
    text = merged(FULL, form, {})
    made = parse(text).value
    assert made["settings"] == {
        "fee": {"type": "integer", "default": 7, "min": 0, "max": 9, "label": "Fee"},
        "mode": {"type": "choice", "values": ["open", "closed", "late"], "default": "late"},
        "ratio": {"type": "decimal", "default": Decimal("0.5")},
        "loud": {"type": "boolean", "default": False},
    }
    now = made["resources"]["meeting"]
    assert now["operations"][0]["form"] == {"why": {"type": "text"}}  # the form does not show it
    assert (now["operations"][0]["label"], now["operations"][0]["danger"]) == ("Remind all", True)
    assert now["operations"][1] == {key: value for key, value in act.items() if value}
    assert now["computed"] == {
        "visitors": {"run": "guests", "label": "Visitors", "type": "integer"},
        "late": {"run": "late", "label": "Late"},
    }
    assert now["fields"]["photo"] == {"type": "file", "allowed": ["images"], "max_bytes": 5000}
    assert now["fields"]["title"]["translated"] is True and now["rows"] == [{"field": "phase", "is": ["held"]}]
    assert look(text).mistakes == []
    for comment in ("# in points", "# it is over", "# how many came", "# for fees", "# the day"):
        assert comment in text
    again = form_of(text)
    again["settings"][0].update(type="text", default="x")
    again["settings"][1]["default"] = ""
    wrong = merged(text, again, {})
    assert parse(wrong).value["settings"]["fee"] == {"type": "text", "default": "x", "label": "Fee"}
    assert [one.path for one in look(wrong).mistakes] == ["settings.mode"]


def test_comments_go_with_the_parts_of_a_list() -> None:
    form = form_of(FULL)
    blank = {"was": "", "field": "phase", "from": ["held"], "to": "planned", "label": "", "permission": ""}
    form["resources"][0]["transitions"].insert(0, {**blank, "reason": False})
    lines = merged(FULL, form, {}).splitlines()
    assert "      - {field: phase, from: [planned], to: held, label: It was held}   # it is over" in lines
    assert "      - {field: phase, from: [held], to: planned}" in lines


def test_a_renamed_field_is_followed_wherever_it_is_named() -> None:
    form = form_of(FULL)
    field_of(form, 0, "held_on")["name"] = "day"
    field_of(form, 0, "phase")["name"] = "stage"
    made = parse(merged(FULL, form, {})).value["resources"]["meeting"]
    assert list(made["fields"]) == ["title", "stage", "day"]
    assert made["order"] == "day" and made["columns"] == ["title", "stage"]
    assert made["sections"][0]["fields"] == ["day", "stage"] and made["transitions"][0]["field"] == "stage"
    assert made["rows"] == [{"field": "stage", "is": ["held"]}]


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
        (16, "resources.meeting.fields.title.max_length")
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
@given(key=st.sampled_from(["resources", "settings", "permissions", "roles", "name", "label"]), value=JSON)
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
