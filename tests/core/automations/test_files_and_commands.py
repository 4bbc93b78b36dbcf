"""Automations as YAML, and the commands of the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.automations import service, transfer
from core.automations.commands import automation as group
from core.automations.errors import FileInvalid
from tests.core.automations.laboratory import SYSTEM, Lab, step

GOOD = """
automations:
  - name: Welcome
    description: Says hello.
    trigger: {kind: event, event: lab.thing.happened}
    condition:
      match: any
      rows:
        - {field: event.amount, operator: ge, value: 3}
        - {field: event.word, operator: in, value: [a, "on"]}
    actions:
      - action: lab.note
        values: {text: "=event.word", number: 5}
        on_error: go_on
    limits: {per_member: {times: 1, period: ever}}
  - name: Every morning
    trigger: {kind: schedule, hour: 7, zone: Europe/Berlin}
    actions:
      - action: lab.greet
        values: {text: Good morning}
"""


def test_what_is_exported_is_imported_as_the_same_and_as_drafts(lab: Lab) -> None:
    made = lab.within(lambda session: transfer.read(session, SYSTEM, GOOD))
    assert [(one.name, one.state, one.latest) for one in made] == [
        ("Welcome", "draft", 1),
        ("Every morning", "draft", 1),
    ]
    told = lab.within(lambda session: transfer.write(session, SYSTEM))
    before = [lab.within(lambda session, one=one: service.definition_of(session, one)) for one in made]
    again = lab.within(lambda session: transfer.read(session, SYSTEM, told))
    assert [one.latest for one in again] == [1, 1]  # the same is no new version
    assert [lab.within(lambda session, one=one: service.definition_of(session, one)) for one in made] == before
    changed = told.replace("Good morning", "Good evening")
    lab.within(lambda session: transfer.read(session, SYSTEM, changed))
    assert lab.now(made[1].id).latest == 2
    one = lab.within(lambda session: transfer.write(session, SYSTEM, [made[1].id]))
    assert "Good evening" in one
    assert "Welcome" not in one


@pytest.mark.parametrize(
    ("change", "places"),
    [
        (("operator: ge", "operator: about"), ["9:33"]),
        (("times: 1", "times: 0"), ["15:27"]),
        (("    limits:", "    limit:"), ["15:5"]),
        (("zone: Europe/Berlin", "zone: Mars"), ["17:40"]),
        (("name: Every morning", "name: 5"), ["16:5"]),
        (("automations:", "automation:"), ["1:1"]),
        (("    condition:", "   condition:"), ["6:4"]),
        (("[a, ", "[&a a, "), ["10:53"]),
        (("Says hello.", "!!python/object:os.system x"), ["4:18"]),
        (("- name: Welcome\n    description", "- description"), ["3:5"]),
    ],
)
def test_what_is_wrong_in_a_file_is_told_by_line_and_column_and_nothing_is_made(
    lab: Lab, change: tuple[str, str], places: list[str]
) -> None:
    assert change[0] in GOOD
    with pytest.raises(FileInvalid) as refused:
        lab.within(lambda session: transfer.read(session, SYSTEM, GOOD.replace(*change)))
    assert list(refused.value.details) == places, refused.value.details
    assert lab.within(lambda session: service.listing(session, SYSTEM)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [",
        "- x",
        "automations: []",
        "automations: 5",
        "\t",
        "a: &x [*x]",
        "x" * 600_000,
        "automations:\n- " * 300,
    ],
    ids=["empty", "open", "list", "none", "number", "tab", "alias", "large", "deep"],
)
def test_what_is_no_file_of_automations_is_refused(lab: Lab, text: str) -> None:
    with pytest.raises(FileInvalid):
        lab.within(lambda session: transfer.read(session, SYSTEM, text))


def test_the_terminal_lists_exports_imports_and_tells_runs(lab: Lab, tmp_path: Path) -> None:
    def say(*words: Any) -> Result:
        return CliRunner().invoke(group, list(map(str, words)), obj=lab.platform)

    lab.automation(step("note"), name="Greeter")
    lab.happen(lab.member())
    lab.drain()
    assert "Greeter" in say("list").output
    assert "1 of 1" in say("list").output
    path = tmp_path / "rules.yaml"
    assert say("export", "--file", path).exit_code == 0
    path.write_text(path.read_text().replace("Greeter", "Copy"))
    assert "Copy: version 1, draft" in say("import", path).output
    path.write_text(path.read_text().replace("lab.note", "lab.gone"))
    assert say("import", path).exit_code == 0  # a draft may name what is not there
    path.write_text("automations:\n  - name: X\n")
    refused = say("import", path)
    assert (refused.exit_code, "2:5" in refused.output) == (1, True)
    assert "done" in say("runs", "greeter").output
    assert say("runs", "nobody").exit_code == 1
    assert say("export", "Greeter").output.startswith("automations:")
