"""docs/integrators.md, "Without Python": its table is the format, and its plugin works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.db import migrate
from core.yamlplugin.described import table
from tests.core.workshop import Workshop, plain_logs, states, workshop

__all__ = ["plain_logs", "states", "workshop"]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "integrators.md").read_text()
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
