"""A design's text, looked at: what it says, and every mistake with its line, its column and the part it is in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.registry import LONGEST_NAME as LONGEST_NAME
from core.yamlplugin.reading import parse_plugin
from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Source, Unreadable, parse

# What a new design begins with.
STARTER = """name: {name}
version: 0.1.0
label: {label}
resources:
  item:
    title: title
    fields:
      title: {{type: text, required: true, search: true}}
"""


@dataclass(frozen=True)
class Mistake:
    """A mistake of the text; ``path`` names the part it is in, such as ``resources.event.fields.title``."""

    line: int
    column: int
    message: str
    path: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Design:
    """A text as it was read: ``spec`` is None while it has mistakes, ``values`` while it is no YAML."""

    text: str
    values: Any
    spec: PluginSpec | None
    mistakes: list[Mistake]


def starter(name: str, label: str) -> str:
    """The text that a new design begins with, whatever is typed as its name."""
    return STARTER.format(name=_plain(name), label=_plain(label))


def _plain(text: str) -> str:
    """A line of text as YAML has it: in quotes, but where none are needed."""
    bare = re.fullmatch(r"[^\W\d_][\w .,()-]*(?<! )", text) and text.lower() not in ("true", "false", "null")
    return text if bare else json.dumps(text, ensure_ascii=False)


def look(text: str, folder: Path | None = None, *, kept: str = "", taken: Collection[str] = ()) -> Design:
    """Read ``text``; ``folder`` is the plugin's own, where it is installed, for its ``actions.py``.

    ``kept`` is the name that an installed plugin keeps; ``taken`` are names that others have.
    """
    try:
        source = parse(text)
    except Unreadable as problem:
        return Design(text, None, None, [Mistake(one.line, one.column, one.message) for one in problem.problems])
    try:
        spec = parse_plugin(text, folder)
    except Unreadable as problem:
        mistakes = [Mistake(one.line, one.column, one.message, _path(source, one)) for one in problem.problems]
        return Design(text, source.value, None, mistakes)
    line, column = source.place(("name",))
    if kept and spec.name != kept:
        said = f"an installed plugin keeps its name, {kept}"
    elif len(spec.name) > LONGEST_NAME:
        said = f"at most {LONGEST_NAME} characters are expected: the names of revisions begin with it"
    elif spec.name in taken:
        said = f"the name {spec.name} is taken by another plugin"
    else:
        return Design(text, source.value, spec, [])
    return Design(text, source.value, None, [Mistake(line, column, said, "name")])


def _path(source: Source, problem: Any) -> str:
    """The innermost part that begins where the problem stands."""
    place = (problem.line, problem.column)
    found = [path for places in (source.values, source.keys) for path, at in places.items() if at == place]
    return ".".join(str(step) for step in max(found, key=len, default=()))
