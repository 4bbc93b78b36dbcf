"""docs/integrators.md, "Without Python": its table is the format, and its plugin works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Any

from core.db import migrate
from core.yamlplugin.described import table
from core.yamlplugin.reading import parse_plugin
from tests.core.workshop import Workshop, plain_logs, states, workshop

__all__ = ["plain_logs", "states", "workshop"]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "integrators.md").read_text()
LETTERS = """name: letters
version: 0.1.0
label: Letters
permissions: {"letters:letter:review": Review letters}
resources:
  letter:
    fields:
      author_id: {type: member}
      reader_id: {type: member}
      state: {type: choice, values: [draft, in_review, sent, read]}
      open: {type: boolean}
"""
FILE = re.compile(r"<!-- yaml: (\S+)/(\S+) -->\n```(?:yaml|python)\n(.*?)```", re.DOTALL)


def test_the_table_is_what_guildhall_plugin_schema_prints() -> None:
    [written] = re.findall(r"<!-- plugin\.yaml -->\n(.*?)\n\n", PAGE, re.DOTALL)
    assert written == table(), "write into docs/integrators.md what `guildhall plugin schema --table` prints"


def test_its_plugin_is_enabled_and_migrates_as_written(workshop: Workshop, states: Any) -> None:
    files = FILE.findall(PAGE)
    assert {name for _plugin, name, _text in files} == {"plugin.yaml", "actions.py"}
    for plugin, name, text in files:
        (workshop.folder / plugin).mkdir(exist_ok=True)
        (workshop.folder / plugin / name).write_text(text)
    platform = workshop.boot()
    assert states(platform)[plugin] == ("enabled", "")
    migrate.revision(platform.database.url, platform.branches, plugin, "The first tables")
    platform.upgrade()
    assert migrate.differences(platform.database.url, platform.branches, plugin) == []


def test_its_parts_are_read_as_written() -> None:
    parts = dict(re.findall(r"<!-- part of (a resource|the file) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
    spec = parse_plugin(f"{LETTERS}{indent(parts['a resource'], '    ')}{parts['the file']}")
    assert [one.member or one.field or one.run for one in spec.resources["letter"].rows] == [
        *("author_id", "reader_id", "state", "open", "of_my_department")
    ]
    assert list(spec.automations) == ["praise"]
