"""Every mistake of a plugin.yaml is told at once: its line, its column, and what is expected."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.yamlplugin.python import modules
from core.yamlplugin.reading import parse_plugin
from core.yamlplugin.source import Unreadable
from tests.core.yamlplugin.test_yaml_loading import SHOP

HEAD = "name: shop\nversion: 0.1.0\nlabel: Shop\n"
RESOURCE = HEAD + "resources:\n  item:\n    fields:\n      title: {type: text, required: true}\n"
FIELD = RESOURCE + "      "
REST = RESOURCE + "    "
TOLD = {
    "nothing": ("", "1:1: a mapping is expected that begins with `name: …`"),
    "no label": ("name: shop\nversion: 0.1.0", "1:1: `label` is missing: What people call it; the heading of its part"),
    "number for text": (
        "name: shop\nversion: 0.1.0\nlabel: 7",
        '3:8: text is expected, not the number 7; write "7" in',
    ),
    "version as a number": (
        "name: shop\nversion: 1.0\nlabel: S",
        '2:10: text is expected, not the number 1.0; write "1.0"',
    ),
    "odd version": ("name: shop\nversion: one\nlabel: S", "2:10: a version such as 0.1.0 is expected, not 'one'"),
    "odd name": (
        "name: My Shop\nversion: 0.1.0\nlabel: S",
        "1:7: small letters, digits and single underscores, such as",
    ),
    "unknown key": (HEAD + "resource: {}", "4:1: `resource` is not known here; did you mean `resources`?"),
    "far from known": (
        FIELD + "x: {type: boolean, zzzz: 1}",
        "8:26: `zzzz` is not known here; expected are label, help",
    ),
    "option of another type": (FIELD + "x: {type: boolean, max_length: 3}", "8:26: `max_length` is not known here"),
    "unknown type": (
        FIELD + "x: {type: texd}",
        "8:17: the type 'texd' is not known; expected is one of text, long_text",
    ),
    "no type": (FIELD + "x: {required: true}", "8:7: `type` is missing; expected is one of text, long_text, integer"),
    "field that is no mapping": (FIELD + "x: text", "8:10: a mapping of names to values is expected, not 'text'"),
    "nothing where something": (REST + "columns:", "8:13: a list is expected, not nothing"),
    "name of a field": (FIELD + "dueDate: {type: date}", "8:7: `dueDate` is no name that can be used: small letters"),
    "field of Python": (FIELD + "class: {type: text}", "8:7: a field cannot be called `class`"),
    "reserved field": (FIELD + "metadata: {type: text}", "8:7: a field cannot be called `metadata`"),
    "reserved column": (FIELD + "data: {type: text}", "8:7: a field cannot be called `data`"),
    "field of the key": (FIELD + "id: {type: text}", "8:7: a field cannot be called `id`"),
    "default of no choice": (
        FIELD + "x: {type: choice, values: [a, b], default: c}",
        "one of a, b is expected, not 'c'",
    ),
    "value twice": (FIELD + "x: {type: choice, values: [a, a]}", "8:37: the value a stands here twice"),
    "colour of no value": (
        FIELD + "x: {type: choice, values: [a], colours: {b: red}}",
        "8:48: b is none of its values",
    ),
    "no such colour": (
        FIELD + "x: {type: choice, values: [a], colours: {a: pink}}",
        "'purple' is expected, not 'pink'",
    ),
    "default too exact": (
        FIELD + "x: {type: decimal, places: 1, default: 1.25}",
        "8:46: 18 digits with 1 after the point",
    ),
    "default too long": (
        FIELD + "x: {type: text, max_length: 2, default: abc}",
        "8:47: at most 2 characters are expected",
    ),
    "number too large": (
        FIELD + "x: {type: integer, default: 99999999999999999999}",
        "8:35: at most 9223372036854775807",
    ),
    "no such resource": (
        FIELD + "x: {type: reference, to: order}",
        "8:32: there is no resource order; expected is one of item",
    ),
    "not required plugin": (
        FIELD + "x: {type: reference, to: wallet.asset}",
        "8:32: `requires` does not name the plugin wallet",
    ),
    "emptied though required": (
        FIELD + "x: {type: reference, to: item, required: true, on_delete: clear}",
        "8:65: a field that is required cannot be emptied",
    ),
    "long names": (FIELD + f"{'x' * 40}: {{type: text}}", ""),
    "owner that is no field": (
        REST + "owner: author_id",
        "8:12: there is no field author_id; expected is one of id, title",
    ),
    "owner that is no member": (REST + "owner: title", "8:12: a field of type member is expected"),
    "column that is no field": (REST + "columns: [title, price]", "8:22: there is no field price"),
    "column twice": (REST + "columns: [title, title]", "8:22: title stands here twice"),
    "field in two sections": (
        REST + "sections: [{title: A, fields: [title]}, {title: B, fields: [title]}]",
        "8:65: title stands here twice",
    ),
    "order of what may be empty": (
        FIELD + "x: {type: date}\n    order: -x",
        "9:12: the field that lists are sorted by is",
    ),
    "words alone": (
        FIELD + "x: {type: long_text, search: true}",
        "8:36: a field of type text that is searched is expected",
    ),
    "bulk of something personal": (
        FIELD + "m: {type: member, required: true}\n      n: {type: text, bulk: true}",
        "9:29: n may hold something personal, which is never changed in bulk",
    ),
    "inline of nothing": (REST + "inline: [{resource: order, by: item_id}]", "8:25: there is no resource order"),
    "inline by no reference": (
        REST + "inline: [{resource: item, by: title}]",
        "8:35: a field of item that refers to item",
    ),
    "restorable without deletion": (
        REST + "actions: [list, create]\n    restorable: true",
        "9:17: the actions create and",
    ),
    "soft deletion without one": (
        REST + "actions: [list]\n    soft_delete: true",
        "9:18: the action delete is expected",
    ),
    "permission of another": (
        HEAD + 'permissions: {"wallet:x:y": Y}',
        "4:15: shop:<resource>:<action> is expected, not wallet:x:y",
    ),
    "permission there already": (
        RESOURCE + 'permissions: {"shop:item:list": L}',
        "8:15: the resource item has the permission",
    ),
    "grant of nothing": (
        RESOURCE + 'roles: {User: ["shop:order:*"]}',
        "8:16: shop:order:* fits no permission of this plugin",
    ),
    "operation without permission": (
        REST + 'operations: [{name: x, label: X, run: x, permission: "shop:item:close"}]',
        "8:58: nothing declares the permission shop:item:close",
    ),
    "setting without a default": (
        HEAD + "settings: {x: {type: integer}}",
        "4:12: `default` is missing: every setting has one",
    ),
    "setting out of bounds": (
        HEAD + "settings: {x: {type: integer, default: 7, max: 5}}",
        "4:40: at most 5 is expected, not 7",
    ),
    "bounds crossed": (
        HEAD + "settings: {x: {type: integer, default: 9, min: 9, max: 5}}",
        "`max` is expected to be at least",
    ),
    "setting of pydantic": (
        HEAD + "settings: {model_config: {type: integer, default: 7}}",
        "4:12: a setting cannot be called",
    ),
    "event of its own that is not": (
        RESOURCE + "subscribers: [{on: shop.item.sold, run: x}]",
        "8:20: the plugin has no event shop.item.sold; it has shop.item.created, shop.item.deleted, shop.item.updated",
    ),
    "two of one handler": (
        HEAD + "subscribers: [{on: a.b.c, run: x}, {on: a.b.d, run: x}]",
        "4:53: two subscribers run x; write a function for each",
    ),
    "when of no setting": (
        HEAD + "subscribers: [{on: a.b.c, run: x, when: y}]",
        "4:41: a setting of type boolean is expected",
    ),
    "icon that is not there": (REST + "icon: calender", "8:11: there is no icon 'calender'; there are calendar"),
    "versions": (HEAD + "requires: {wallet: new}", '4:20: versions such as ">=0.1" are expected, not'),
    "language": (HEAD + "translations: {tlhh: {Shop: x}}", "4:16: 'tlhh' is no language, such as fr or pt_BR"),
    "transition of no choice": (
        REST + "transitions: [{field: title, from: [a], to: b}]",
        "8:27: a field of type choice is",
    ),
    "transition of no value": (
        FIELD + "s: {type: choice, values: [a, b], default: a}\n    transitions: [{field: s, from: [a], to: c}]",
        "9:19: c is none of the values of s",
    ),
    "states without a beginning": (
        FIELD + "s: {type: choice, values: [a, b]}\n    transitions: [{field: s, from: [a], to: b}]",
        "8:7: `default` is expected: transitions say how s goes on, it how s begins",
    ),
    "circle": (
        HEAD
        + "resources:\n  a: {fields: {b_id: {type: reference, to: b}}}\n"
        + "  b: {fields: {a_id: {type: reference, to: a}}}",
        "resources refer to each other in a circle: ",
    ),
    "alike": (
        HEAD + "resources:\n  a_1: {fields: {x: {type: date}}}\n  a1: {fields: {x: {type: date}}}",
        "6:3: a1 and a_1 are too",
    ),
}


def told(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(Unreadable) as refused:
        parse_plugin(dedent(text), folder)
    return str(refused.value).splitlines()


@pytest.mark.parametrize("name", [name for name in TOLD if TOLD[name][1]])
def test_a_mistake_is_told_with_its_place_and_what_is_expected(name: str) -> None:
    text, expected = TOLD[name]
    [line] = told(text)
    assert expected in line, line


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    lines = told("""
        name: shop
        version: 0.1.0
        colour: red
        resources:
          item:
            fields:
              title: {type: text, max_length: "9"}
              price: {type: money}
          order:
            owner: buyer_id
            fields:
              item_id: {type: reference, to: item}
              other_id: {type: reference, to: thing}
        subscribers:
          - {on: shop.item.created, run: thank}
          - {run: x}
        roles: {User: ["shop:item:list"]}
    """)
    assert [line.split(": ", 1)[0].removeprefix("plugin.yaml:") for line in lines] == [
        "2:1",
        "4:1",
        "8:39",
        "9:21",
        "11:12",
        "14:39",
        "17:5",
    ]


def test_a_wrong_field_hides_no_other_mistake() -> None:
    lines = told(FIELD + "x: {type: money}\n    owner: author_id\n    columns: [x, y]")
    assert [line.split(": ", 1)[0].removeprefix("plugin.yaml:") for line in lines] == ["8:17", "9:12", "10:18"]


WORDS = [
    *"abc",
    "item",
    "title",
    "text",
    "choice",
    "null",
    "7",
    "1.5",
    "true",
    "[]",
    "{}",
    "[a]",
    "{a: b}",
    '""',
    "fields",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(WORDS)), min_size=1, max_size=4))
def test_whatever_is_written_is_read_or_told(changes: list[tuple[int, str]]) -> None:
    parts = re.split(r"([a-z_0-9.]+)", dedent(SHOP))
    for place, word in changes:
        parts[1 + 2 * (place % (len(parts) // 2))] = word
    with contextlib.suppress(Unreadable):
        for text in modules(parse_plugin("".join(parts)))[0].values():
            compile(text, "written", "exec")


def test_many_mistakes_are_told_as_far_as_somebody_would_read() -> None:
    lines = told(HEAD + "".join(f"x{n}: 1\n" for n in range(90)))
    assert len(lines) == 51
    assert lines[-1] == "plugin.yaml: and 40 more"


def test_the_name_is_that_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    assert told(HEAD, folder) == ["plugin.yaml:1:7: the folder is called store, the plugin shop"]


def test_functions_are_looked_for_without_running_them(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    text = HEAD + "subscribers: [{on: a.b.c, run: x}, {on: a.b.d, run: y}, {on: a.b.e, run: z}]"
    assert told(text, folder) == ["plugin.yaml:4:32: there is no actions.py beside it with the function x"]
    (folder / "actions.py").write_text("raise SystemExit\ndef x(session, actor): ...\nfrom z import z\n")
    assert told(text, folder) == [
        "plugin.yaml:4:32: the function x takes 2 values; 3 are expected",
        "plugin.yaml:4:53: actions.py has no function y",
    ]
    (folder / "actions.py").write_text("def (:")
    assert told(text, folder) == ["plugin.yaml:4:32: actions.py cannot be read: invalid syntax (actions.py, line 1)"]


def test_names_that_are_too_long_for_postgresql_are_told() -> None:
    name = "n" * 40
    lines = told(HEAD.replace("shop", name) + f"resources:\n  {name}:\n    fields:\n      {name}: {{type: text}}")
    assert "letters too long together for PostgreSQL" in lines[0]
