"""Everything the loaded plugins declare, checked and indexed once at boot.

A registry is reached through ``session.info["registry"]``; there is no global one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pluggy
from pydantic import ValidationError
from pydantic.errors import PydanticUserError

from core.access import role_grants
from core.automations.action import Action
from core.automations.errors import DefinitionInvalid, FileInvalid
from core.automations.suggestion import Suggestion, suggestions
from core.db.base import RESERVED_COLUMNS, metadata, owner_of
from core.events.event import Event, Subscriber
from core.events.subscribers import Source
from core.files.upload import TYPES, Upload
from core.generation import Cache
from core.jobs.job import Job, Schedule
from core.plugin import Permission, Plugin
from core.reports.report import Report
from core.resources.problems import SLUG as SLUG
from core.resources.problems import resource_problems
from core.resources.resource import BoundResource
from core.reviews.kind import ReviewKind
from core.routes import declared_twice
from core.settings import Settings
from core.switches.switch import Switch

PERMISSION = re.compile(r"^[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+$")
EVENT = re.compile(r"^[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+$")
LONGEST_NAME = 27  # with the number of a revision it fits the 32 characters that Alembic keeps
LONGEST_SUGGESTION = 80  # with the name of its plugin it fits an automation's origin
VERBS = {"list": "See the list of", "show": "See", "create": "Create", "update": "Change", "delete": "Delete"}


class DeclarationError(Exception):
    """A manifest declares something that cannot be; the message names what, and the other owner if there is one."""


@dataclass
class Registry:
    """What is loaded. ``add`` takes one plugin whole or not at all."""

    plugins: dict[str, Plugin] = field(default_factory=dict)
    resources: dict[str, BoundResource] = field(default_factory=dict)
    permissions: dict[str, Permission] = field(default_factory=dict)
    roles: dict[str, set[str]] = field(default_factory=dict)
    events: dict[str, type[Event]] = field(default_factory=dict)
    subscribers: dict[str, Subscriber] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    reviews: dict[str, ReviewKind] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    switches: dict[str, Switch] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    audited: dict[type, str] = field(default_factory=dict)
    soft_deleted: set[str] = field(default_factory=set)
    locked_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    hooks: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("guildhall"))
    cache: Cache = field(default_factory=Cache)
    live: list[Source] = field(default_factory=list)
    _by_event: dict[str, list[str]] = field(default_factory=dict)
    _owner_of_settings: dict[type, str] = field(default_factory=dict)

    def add(self, plugin: Plugin) -> None:
        """Check ``plugin`` and take it in. Raises DeclarationError; then nothing of it is registered."""
        bound = [BoundResource(plugin.name, resource) for resource in plugin.resources]
        problems = list(self._problems(plugin, bound))
        if problems:
            raise DeclarationError("; ".join(problems))
        self._add_hooks(plugin)
        for resource in bound:
            self.resources[resource.key] = resource
            if resource.resource.soft_delete:
                self.soft_deleted.add(resource.resource.table)
            if resource.resource.audit:
                self.audited[resource.resource.model] = resource.key
            for action in resource.resource.actions:
                name = resource.permission(action)
                self.permissions[name] = Permission(name, f"{VERBS[action]} {resource.label_plural.lower()}")
        for permission in plugin.permissions:
            self.permissions[permission.name] = permission
        for event in _events(plugin, bound):
            self.events[event.event_name] = event
        for subscriber in plugin.subscribers:
            key = f"{plugin.name}.{subscriber.name}"
            self.subscribers[key] = subscriber
            self._by_event.setdefault(subscriber.event_name, []).append(key)
        for job in plugin.jobs:
            self.jobs[f"{plugin.name}.{job.name}"] = job
        for upload in _uploads(plugin):
            self.uploads[f"{plugin.name}.{upload.name}"] = upload
        for review in plugin.reviews:
            self.reviews[f"{plugin.name}.{review.name}"] = review
        for report in plugin.reports:
            self.reports[f"{plugin.name}.{report.name}"] = report
        for switch in plugin.switches:
            self.switches[f"{plugin.name}.{switch.name}"] = switch
        for done in plugin.actions:
            self.actions[f"{plugin.name}.{done.name}"] = done
        for suggestion in suggestions(plugin.automations):
            self.suggestions[f"{plugin.name}.{suggestion.name}"] = suggestion
        for schedule in plugin.schedules:
            self.schedules[f"{plugin.name}.{schedule.name}"] = schedule
        if plugin.settings:
            self._owner_of_settings[plugin.settings] = plugin.name
        self.plugins[plugin.name] = plugin
        for role in plugin.roles:
            self.roles.setdefault(role.name, set()).update(role_grants(role.permissions, self.permissions))

    def _add_hooks(self, plugin: Plugin) -> None:
        before = set(vars(self.hooks.hook))
        try:
            if plugin.hookspecs:
                self.hooks.add_hookspecs(plugin.hookspecs)
            if plugin.hooks:
                self.hooks.register(plugin.hooks, name=plugin.name)
            callers = self.hooks.get_hookcallers(plugin.hooks) or []
            if unknown := sorted(caller.name for caller in callers if not caller.has_spec()):
                raise DeclarationError(f"it implements hooks that nobody specifies: {', '.join(unknown)}")
            own = [one for caller in callers for one in caller.get_hookimpls() if one.plugin_name == plugin.name]
            if wrapped := sorted(one.function.__name__ for one in own if one.wrapper or one.hookwrapper):
                raise DeclarationError(f"hooks cannot be wrapped: {', '.join(wrapped)}")
        except Exception as problem:
            if self.hooks.has_plugin(plugin.name):
                self.hooks.unregister(name=plugin.name)
            for name in vars(self.hooks.hook).keys() - before:
                delattr(self.hooks.hook, name)
            raise DeclarationError(str(problem)) from None

    def subscribers_of(self, event_name: str) -> list[str]:
        """Ids of the subscribers of an event, disabled plugins' too: their deliveries wait."""
        return self._by_event.get(event_name, [])

    def plugin_of_settings(self, settings: type[Settings]) -> str:
        return self._owner_of_settings[settings]

    def _problems(self, plugin: Plugin, bound: list[BoundResource]) -> Iterator[str]:
        name = plugin.name
        if not SLUG.match(name) or (name == "core" and self.plugins):
            yield f"the name {name!r} is not a free lower-case slug"
        if len(name) > LONGEST_NAME:
            yield f"the name {name!r} has more than {LONGEST_NAME} characters; names of revisions begin with it"
        if other := self.plugins.get(name):
            yield f"the plugin {name} is already loaded, version {other.version}"
        seen = {resource.permission(action) for resource in bound for action in resource.resource.actions}
        keys = [resource.key for resource in bound]
        if twice := {key for key in keys if keys.count(key) > 1}:
            yield f"two resources are called {', '.join(sorted(twice))}"
        for resource in bound:
            if unknown := [action for action in resource.resource.actions if action not in VERBS]:
                yield f"{resource.key} has the unknown action {', '.join(unknown)}"
            if not resource.resource.table.startswith(name + "_"):
                yield f"the table {resource.resource.table} must begin with {name}_"
            if bad := RESERVED_COLUMNS & set(resource.resource.columns_of_model):
                yield f"{resource.key}: the column name {', '.join(sorted(bad))} is reserved"
            yield from resource_problems(resource)
        for permission in plugin.permissions:
            if not PERMISSION.match(permission.name) or not permission.name.startswith(name + ":"):
                yield f"the permission {permission.name} must read {name}:<resource>:<action>"
            if permission.name in seen:
                yield f"the permission {permission.name} is declared twice"
            seen.add(permission.name)
        for event in _events(plugin, bound):
            if not EVENT.match(event.event_name) or not event.event_name.startswith(name + "."):
                yield f"the event {event.event_name} must read {name}.<thing>.<past verb>"
            if event.event_name in seen:
                yield f"the event {event.event_name} is declared twice"
            seen.add(event.event_name)
        for route in declared_twice((plugin.rest, plugin.pages, plugin.public_pages)):
            yield f"the route {route} is declared twice"
        several: tuple[tuple[str, Sequence[Any]], ...] = (
            ("subscriber", plugin.subscribers),
            ("job", plugin.jobs),
            ("schedule", plugin.schedules),
            ("review", plugin.reviews),
            ("report", plugin.reports),
            ("switch", plugin.switches),
            ("action", plugin.actions),
            ("upload", _uploads(plugin)),
        )
        for kind, things in several:
            names = [thing.name for thing in things]
            if twice := {one for one in names if names.count(one) > 1}:
                yield f"two {kind}s are called {', '.join(sorted(twice))}"
        for subscriber in plugin.subscribers:
            if subscriber.kind == "external" and subscriber.batch != 1:
                yield f"the external subscriber {subscriber.name} takes one event at a time"
        for review in plugin.reviews:
            if review.permission not in seen:
                yield f"the review {review.name} names the permission {review.permission}, which nothing declares"
        for switch in plugin.switches:
            known = {f"{name}.{one.name}" for one in plugin.subscribers} | {f"{name}.{one.name}" for one in plugin.jobs}
            if not SLUG.match(switch.name):
                yield f"the switch name {switch.name!r} is not a lower-case slug"
            if unknown := sorted({*switch.subscribers, *switch.jobs} - known):
                yield f"the switch {switch.name} stops {', '.join(unknown)}, which the plugin does not have"
        for action in plugin.actions:
            yield from _action_problems(action, {*seen, *self.permissions})
        yield from _suggestion_problems(plugin.automations)
        for report in plugin.reports:
            yield from _report_problems(report, seen)
        for resource in bound:
            for operation in resource.operations:
                if operation.permission not in seen:
                    what = f"the operation {operation.name} of {resource.key} takes {operation.permission}"
                    yield f"{what}, which nothing declares"
        for role in plugin.roles:
            for pattern in role.permissions:
                if pattern.count(":") != 2:
                    yield f"the role {role.name} grants {pattern}, which must read <plugin>:<resource>:<action>"
        if plugin.settings:
            try:
                plugin.settings(**self.locked_settings.get(name, {}))
            except ValidationError as problem:
                for error in problem.errors():
                    yield f"the setting {'.'.join(map(str, error['loc']))} cannot be used: {error['msg']}"
        for upload in _uploads(plugin):
            if not upload.allowed or upload.allowed - TYPES:
                wrong = ", ".join(sorted(upload.allowed - TYPES)) or "nothing"
                yield f"the upload {upload.name} allows {wrong}, which is no media type that can be taken"
        for schedule in plugin.schedules:
            if schedule.job not in {job.name for job in plugin.jobs}:
                yield f"the schedule {schedule.name} runs the unknown job {schedule.job}"
        for blueprint, called in ((plugin.rest, name), (plugin.pages, name), (plugin.public_pages, f"{name}_public")):
            if blueprint is not None and blueprint.name.split("_pages")[0] != called:
                yield f"the blueprint {blueprint.name} must be called {called}"
        for table in tables_of(name, [*self.plugins, name]):
            if bad := RESERVED_COLUMNS & set(metadata.tables[table].columns.keys()):
                yield f"{table}: the column name {', '.join(sorted(bad))} is reserved"


def _suggestion_problems(given: Sequence[Suggestion | str]) -> Iterator[str]:
    """What is wrong with the automations that a plugin suggests, whatever is there to be named."""
    try:
        found = list(suggestions(given))
    except FileInvalid as problem:
        for place, sentences in problem.details.items():
            yield f"the YAML of automations, {place}: {' '.join(sentences)}"
        return
    names = [one.name for one in found]
    if twice := {one for one in names if names.count(one) > 1}:
        yield f"two automations are called {', '.join(sorted(twice))}"
    for one in found:
        if not SLUG.match(one.name) or len(one.name) > LONGEST_SUGGESTION:
            yield f"the name {one.name!r} of an automation is not a lower-case slug of at most {LONGEST_SUGGESTION}"
        if not 1 <= len(one.label) <= 120 or len(one.description) > 500:
            yield f"the automation {one.name} takes a label of at most 120 characters, and a description of 500"
        try:
            _ = one.said
        except DefinitionInvalid as problem:
            for place, sentences in problem.details.items():
                yield f"the automation {one.name}, {place}: {' '.join(sentences)}"


def _action_problems(action: Action, declared: set[str]) -> Iterator[str]:
    """What an action says that could not be shown to an admin, or not be held."""
    if not SLUG.match(action.name):
        yield f"the action name {action.name!r} is not a lower-case slug"
    if action.permission not in declared:
        yield f"the action {action.name} takes {action.permission}, which nothing declares"
    try:
        action.form.model_json_schema()
    except PydanticUserError as problem:
        yield f"the form of the action {action.name} cannot be shown: {problem}"
    config = action.form.model_config
    if not config.get("frozen") or config.get("extra") != "forbid":
        yield f"the form of the action {action.name} must be frozen and forbid what it does not know"
    if unknown := sorted(set(action.choices or {}) - set(action.form.model_fields)):
        yield f"the action {action.name} offers choices for {', '.join(unknown)}, which its form does not have"


def _report_problems(report: Report, permissions: set[str]) -> Iterator[str]:
    """What a report says of columns that cannot be drawn, and of permissions that nobody could hold."""
    names = [column.name for column in report.columns]
    if not SLUG.match(report.name):
        yield f"the report name {report.name!r} is not a lower-case slug"
    if twice := {name for name in names if names.count(name) > 1}:
        yield f"the report {report.name} has two columns called {', '.join(sorted(twice))}"
    drawn = [report.chart.x, *report.chart.series] if report.chart else []
    if missing := [name for name in drawn if name not in names]:
        yield f"the report {report.name} draws columns that it does not have: {', '.join(missing)}"
    if report.permission not in permissions:
        yield f"the report {report.name} names the permission {report.permission}, which nothing declares"


def _events(plugin: Plugin, bound: list[BoundResource]) -> list[type[Event]]:
    return [*plugin.events, *(event for resource in bound for event in resource.events.values())]


def _uploads(plugin: Plugin) -> list[Upload]:
    """What the plugin takes files for: by itself, and for columns of its resources."""
    return [*plugin.uploads, *(upload for resource in plugin.resources for upload in resource.files.values())]


def tables_of(plugin: str, names: list[str]) -> list[str]:
    return [table for table in metadata.tables if owner_of(table, names) == plugin]
