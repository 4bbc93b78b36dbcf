"""What the automations that a ``plugin.yaml`` suggests say that cannot be carried out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.automations.definition import Definition
from core.yamlplugin.expectations import expected, given_instead
from core.yamlplugin.schema import AutomationSpec, PluginSpec
from core.yamlplugin.source import Path_, Problem, Source
from core.yamlplugin.value_checks import half_read

PARTS = ("trigger", "condition", "actions", "limits")


def definition_of(spec: AutomationSpec) -> dict[str, Any]:
    """The definition as automations keep it, as JSON: what is not given is left out."""
    return {key: _plain(value) for key in PARTS if (value := getattr(spec, key))}


def of_automations(source: Source, spec: PluginSpec, events: Collection[str]) -> Iterator[Problem]:
    """Of each; ``events`` are those of this plugin. Whether others have what it names is told when it is taken over."""
    for name, one in spec.automations.items():
        path: Path_ = ("automations", name)
        try:
            definition = Definition.model_validate(definition_of(one))
        except ValidationError as problem:
            found = problem.errors(include_url=False)
            for error in found:  # a list whose items are wrong counts as too short as well
                inside = error["loc"] in [other["loc"][: len(error["loc"])] for other in found if other is not error]
                if not inside:
                    yield _problem(source, path, error)
            continue
        event = getattr(definition.trigger, "event", "")
        if event.split(".")[0] == spec.name and event not in events and not half_read(source, spec):
            known = ", ".join(sorted(events))
            yield source.problem((*path, "trigger", "event"), f"the plugin has no event {event}; it has {known}")


def _problem(source: Source, path: Path_, error: ErrorDetails) -> Problem:
    steps = list(error["loc"])
    if steps[:1] == ["trigger"] and steps[1:2] and steps[1] in ("event", "schedule", "manual"):
        del steps[1]  # the kind of trigger, which pydantic names in between
    if steps[:1] == ["condition"] and len(steps) > 4 and steps[3] == "value":
        del steps[4:]  # each kind of value that it could have been
    here: Path_ = (*path, *steps)
    if error["type"] == "missing":
        return source.problem(here[:-1], f"`{steps[-1]}` is missing", key=True)
    if error["type"] == "extra_forbidden":
        return source.problem(here, f"`{steps[-1]}` is not known here", key=True)
    if error["type"] == "union_tag_not_found":
        return source.problem(here, "`kind` is missing; expected is one of event, schedule, manual", key=True)
    if error["type"] == "union_tag_invalid":
        return source.problem((*here, "kind"), "event, schedule or manual is expected")
    if error["type"] == "value_error":
        return source.problem(here, str(error["ctx"]["error"]))
    return source.problem(here, f"{expected(error)}{given_instead(error)}")


def _plain(value: Any) -> Any:
    """A value as JSON has it: YAML is read with exact numbers."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value
