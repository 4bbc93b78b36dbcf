"""The contract with integrators, read off the declarations themselves: one page, and a snapshot to compare with.

``guildhall contract`` prints ``docs/contract.md``, ``guildhall contract --json`` prints ``docs/contract.json``. A test
fails when either is not what the code says, and when anything in it has no description.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from core import hookspecs
from core.automations.action import Action
from core.automations.suggestion import Suggestion
from core.events.event import Subscriber
from core.jobs.job import Job, Schedule
from core.plugin import Gauge, HealthCheck, MenuItem, Permission, Plugin, Role, Upload, Widget
from core.registry import Registry
from core.reports.report import Chart, Parameter, Report, ReportColumn
from core.resources.computed import Computed
from core.resources.operation import Operation
from core.resources.resource import Inline, Resource, Section
from core.resources.transition import Transition
from core.switches.switch import Switch

VERSION = 1
DECLARATIONS = (
    *(Plugin, Resource, Section, Inline, Transition, Computed, Operation, Subscriber, Job, Schedule, Permission, Role),
    *(MenuItem, Widget, HealthCheck, Gauge, Upload),
    *(Report, ReportColumn, Chart, Parameter, Switch, Action, Suggestion),
)
BULLET = re.compile(r"^- ((?:``\w+``(?:, )?)+): ")


def describe(registry: Registry) -> dict[str, Any]:
    """Everything that a plugin may rely on, as plain JSON: what changes here is a change of the contract."""
    return {
        "contract": VERSION,
        "declarations": {kind.__name__: [field.name for field in dataclasses.fields(kind)] for kind in DECLARATIONS},
        "hooks": {name: list(hook["arguments"]) for name, hook in hooks(registry).items()},
        "events": {
            name: {"version": event.event_version, "schema": event.model_json_schema()}
            for name, event in sorted(registry.events.items())
        },
        "settings": {
            plugin.name: sorted(plugin.settings.model_fields) for plugin in registry.plugins.values() if plugin.settings
        },
        "permissions": sorted(registry.permissions),
    }


def hooks(registry: Registry) -> dict[str, dict[str, Any]]:
    """Every hook that is specified: by whom, with which arguments, and its description."""
    found = {}
    for plugin in registry.plugins.values():
        for name, function in inspect.getmembers(plugin.hookspecs, callable) if plugin.hookspecs else ():
            if not isinstance(getattr(function, "guildhall_spec", None), dict):
                continue
            text = inspect.getdoc(function) or ""
            arguments = list(inspect.signature(function).parameters)
            found[name] = {"plugin": plugin.name, "arguments": arguments, "text": text}
    return dict(sorted(found.items()))


def fields_of(kind: type) -> dict[str, str]:
    """The described fields of a declaration: from the bullets of its docstring, else "" for each."""
    described = {field.name: "" for field in dataclasses.fields(kind)}
    names: list[str] = []
    for line in (inspect.getdoc(kind) or "").splitlines():
        if match := BULLET.match(line):
            names = re.findall(r"``(\w+)``", match.group(1))
            for name in names:
                described[name] = line[match.end() :]
        elif line.startswith("  ") and names:
            for name in names:
                described[name] += " " + line.strip()
        else:
            names = []
    return described


def markdown(registry: Registry) -> str:
    """The contract page."""
    lines = [
        "# The contract",
        "",
        f"Version {VERSION}. Made from the code by `guildhall contract`; a test holds it true. What stands here keeps",
        "its name and meaning; a change that breaks a plugin raises the version and is in the changelog.",
        "",
        "## The manifest",
        "",
        'A plugin\'s `plugin.py` holds one object, `plugin = Plugin("name", version=…, …)`. It is data: importing it',
        "does nothing, and the loader checks all of it before anything runs.",
        "",
        *_table("field", fields_of(Plugin)),
        "",
        "## Resources",
        "",
        "`Resource(Model, …)` makes pages, REST, OpenAPI, permissions, audit and events of a model.",
        "",
        *_table("field", fields_of(Resource)),
    ]
    for kind in DECLARATIONS[2:]:
        names = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
        lines += ["", f"## {kind.__name__}", "", names + ".", "", _text(inspect.getdoc(kind))]
    lines += ["", "## Hooks", "", "Implement one with `@hookimpl`; take as few of its arguments as you need.", ""]
    lines += [_text(inspect.getdoc(hookspecs)).partition("\n\n")[2], ""]
    for name, hook in hooks(registry).items():
        lines += [
            f"### {name}({', '.join(hook['arguments'])})",
            "",
            f"Specified by {hook['plugin']}. {_text(hook['text'])}",
            "",
        ]
    lines += ["## Events", "", "Names, payloads, and when they are not published.", ""]
    for name, event in sorted(registry.events.items()):
        payload = ", ".join(f"`{key}`" for key in event.model_fields)
        lines += [f"### {name}", "", f"Version {event.event_version}: {payload}. {_text(inspect.getdoc(event))}", ""]
    lines += ["## Settings", ""]
    for plugin in registry.plugins.values():
        if plugin.settings:
            described = {
                name: f"{field.description or ''} Default: `{field.get_default(call_default_factory=True)!r}`."
                for name, field in plugin.settings.model_fields.items()
            }
            lines += [f"### {plugin.name}", "", *_table("setting", described), ""]
    lines += [
        "## Permissions",
        "",
        *_table("permission", {k: p.label for k, p in sorted(registry.permissions.items())}),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _text(docstring: str | None) -> str:
    return re.sub(r"``", "`", docstring or "")


def _table(head: str, rows: dict[str, str]) -> list[str]:
    return [
        f"| {head} | |",
        "|---|---|",
        *(f"| `{name}` | {_text(text).replace('|', chr(92) + '|')} |" for name, text in rows.items()),
    ]
