"""Any text at all is read in bounded work: as plain values with their places, or refused with a place."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.scanner import Scanner

from core.yamlplugin import source
from core.yamlplugin.source import MOST_BYTES, MOST_VALUES, Unreadable, parse, read

BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True))
HOSTILE = {
    "anchors": (BOMB, "1:4: an anchor is not taken here"),
    "alias of itself": ("&a [*a]", "1:1: an anchor"),
    "merge": ("a: {x: 1}\nb: {<<: *a}", "2:9: an alias is not taken here"),
    "python tag": ("a: !!python/object/apply:os.system [ls]", "1:4: a tag is not taken here"),
    "local tag": ("a: !x {}", "1:4: a tag"),
    "tag of text": ("a: !!str 1", "1:4: a tag"),
    "tag that is declared": ("%TAG ! foo\n---\na: !x 1", "3:4: a tag"),
    "empty tag": ("a: ! b", "1:4: a tag"),
    "deep list": ("[" * 90_000, "1:14: this is nested more than 12 levels deep"),
    "deep mapping": ("".join(" " * n + "a:\n" for n in range(500)), "13:13: this is nested more than 12 levels"),
    "list as a name": ("? [a]\n: b", "1:3: a name is expected"),
    "mapping as a name": ("{" * 90_000, "1:2: a name is expected"),
    "same name twice": ("a: 1\nb: {c: 1, c: 2}\na: 2", "2:11: 'c' stands here twice; first in line 2"),
    "many values": ("[" + "1," * 60_000, f"there are more than {MOST_VALUES:,} values"),
    "too large": ("#" * (MOST_BYTES + 1), f"1:1: the file is larger than {MOST_BYTES:,} bytes"),
    "ten megabytes": ("a: b\n" * 2_000_000, "1:1: the file is larger"),
    "second document": ("a: 1\n---\nb: 2", "2:1: one document is expected; a second begins here"),
    "not YAML": ("a: [1, 2\nb: 3", "2:2: this is no YAML: expected ',' or ']', but got ':'"),
    "tab": ("a:\n\t- b", "2:1: this is no YAML"),
    "letter beyond Unicode": ('"\\U99999999"', "1:1: this is no YAML"),
    "newer YAML": ("%YAML 9.9\n---\na: 1", "1:1: this is no YAML"),
    "control letter": ("a: \x07", "1:1: this is no YAML"),
    "escaped NUL": ('a: "\\0"', "1:4: this text holds a control character"),
    "half a letter": ('a: "\\ud800"', "1:4: this text holds a control character"),
    "not closed": ("a: '" + "x" * 1000, "this is no YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_with_its_place(name: str) -> None:
    text, told = HOSTILE[name]
    with pytest.raises(Unreadable) as refused:
        parse(text)
    assert f"plugin.yaml:{told}" in str(refused.value) or told in str(refused.value)


def test_what_is_not_encoded_as_text_is_refused() -> None:
    with pytest.raises(Unreadable, match="2:1: the file is not encoded as UTF-8"):
        parse(b"a: 1\nb: \xff")


def test_reading_stops_where_it_is_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    fetch = Scanner.fetch_more_tokens
    monkeypatch.setattr(Scanner, "fetch_more_tokens", lambda self: fetched.append(1) or fetch(self))  # type: ignore[func-returns-value]
    with pytest.raises(Unreadable):
        parse("[" * 190_000)
    assert len(fetched) < 2_000


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "plugin.yaml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(Unreadable, match="larger than"):
        read(path)


def test_values_are_those_of_the_core_schema() -> None:
    text = (
        'a: [1, -2, 2.50, "3", yes, on, true, ~, null, 0.1.0, 1e3, 0o7, 2026-01-01, "x\\ty"]\nb: |\n  two\n  lines\nc:'
    )
    found: Any = parse(text).value
    assert found["a"][:4] == [1, -2, Decimal("2.50"), "3"]
    assert found["a"][4:] == ["yes", "on", True, None, None, "0.1.0", "1e3", "0o7", "2026-01-01", "x\ty"]
    assert (found["b"], found["c"]) == ("two\nlines\n", None)


def test_every_value_has_its_place() -> None:
    made = parse("# a comment\nname: a\nlist:\n  - {x: 1}\n  - y\n")
    assert made.place(("name",)) == (2, 7)
    assert made.place(("name",), key=True) == (2, 1)
    assert made.place(("list", 0, "x")) == (4, 9)
    assert made.place(("list", 1)) == (5, 5)
    assert made.place(("list", 7, "gone")) == (4, 3)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abc:-[]{}#&*!|>'\"%@?, \n\t\\01x~<.", max_size=60))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unreadable):
        source.parse(text)
