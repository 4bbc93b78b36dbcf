"""What a ``plugin.yaml`` says that cannot be carried out, though each part of it is well-formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from core.yamlplugin import schema
from core.yamlplugin.automation_checks import of_automations
from core.yamlplugin.functions import of_functions
from core.yamlplugin.resource_checks import of_resources
from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Path_, Problem, Source
from core.yamlplugin.value_checks import half_read, of_settings, own_permissions

ICONS = Path(__file__).resolve().parents[1] / "admin" / "static" / "icons.txt"
UNSHOWN = (("requires",), ("translations",), ("automations",))


def problems_of(source: Source, spec: PluginSpec, folder: Path | None) -> list[Problem]:
    """Every problem of the file as a whole; with ``folder``, whether its name and ``actions.py`` fit too."""
    named = spec.name == source.value.get("name")  # else every name that begins with it would seem wrong, too
    return [
        *_of_head(source, spec, folder if named else None),
        *of_settings(source, ("settings",), spec.settings, settings=True),
        *(_of_permissions(source, spec) if named else ()),
        *of_resources(source, spec),
        *_of_subscribers(source, spec),
        *of_automations(source, spec, own_events(spec)),
        *of_functions(source, spec, folder),
        *_of_icons(source, source.value, ()),
    ]


def _of_head(source: Source, spec: PluginSpec, folder: Path | None) -> Iterator[Problem]:
    if folder is not None and spec.name != folder.name:
        yield source.problem(("name",), f"the folder is called {folder.name}, the plugin {spec.name}")
    try:
        Version(spec.version)
    except InvalidVersion:
        yield source.problem(("version",), f"a version such as 0.1.0 is expected, not {spec.version!r}")
    for need, versions in spec.requires.items():
        try:
            SpecifierSet(versions)
        except InvalidSpecifier:
            yield source.problem(("requires", need), f'versions such as ">=0.1" are expected, not {versions!r}')
    for language in spec.translations:
        try:
            Locale.parse(language)
        except (ValueError, UnknownLocaleError):
            yield source.problem(
                ("translations", language), f"{language!r} is no language, such as fr or pt_BR", key=True
            )


def _of_icons(source: Source, value: Any, path: Path_) -> Iterator[Problem]:
    """An icon that the sprite does not have would leave a gap."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        here = (*path, key)
        if key == "icon" and isinstance(one, str) and path[:1] not in UNSHOWN and one not in _icons():
            near = ", ".join(get_close_matches(one, _icons(), 3, 0.4)) or "in core/admin/static/icons.txt"
            yield source.problem(here, f"there is no icon {one!r}; there are {near}")
        yield from _of_icons(source, one, here)


@cache
def _icons() -> frozenset[str]:
    return frozenset(ICONS.read_text("utf-8").split())


def _of_permissions(source: Source, spec: PluginSpec) -> Iterator[Problem]:
    known = own_permissions(spec)
    for name in spec.permissions:
        plugin, thing, action = name.split(":")
        here = ("permissions", name)
        if plugin != spec.name:
            yield source.problem(here, f"{spec.name}:<resource>:<action> is expected, not {name}", key=True)
        elif thing in spec.resources and action in spec.resources[thing].actions:
            yield source.problem(here, f"the resource {thing} has the permission {name} already", key=True)
    for role, grants in spec.roles.items():
        for position, grant in enumerate(grants):
            plugin, thing, action = grant.split(":")
            if plugin == spec.name and not half_read(source, spec) and not _granted(thing, action, known):
                yield source.problem(("roles", role, position), f"{grant} fits no permission of this plugin")


def _granted(thing: str, action: str, known: Iterable[str]) -> bool:
    parts = (name.split(":") for name in known)
    return any(thing in ("*", one[1]) and action in ("*", one[2]) for one in parts)


def own_events(spec: PluginSpec) -> set[str]:
    """Every event that the records of its resources publish one by one."""
    verbs = {"create": "created", "update": "updated", "delete": "deleted"}
    return {
        f"{spec.name}.{name}.{verb}"
        for name, resource in spec.resources.items()
        if resource.events
        for verb in (
            *(verb for action, verb in verbs.items() if action in resource.actions),
            *(["transitioned"] if resource.transitions else []),
            *(["restored"] if resource.soft_delete else []),
        )
    }


def _of_subscribers(source: Source, spec: PluginSpec) -> Iterator[Problem]:
    own = own_events(spec)
    names = [one.run for one in spec.subscribers]
    for at, one in enumerate(spec.subscribers):
        here: Path_ = ("subscribers", at)
        if one.run in names[:at]:
            yield source.problem((*here, "run"), f"two subscribers run {one.run}; write a function for each")
        if one.on.split(".")[0] == spec.name and one.on not in own and not half_read(source, spec):
            yield source.problem((*here, "on"), f"the plugin has no event {one.on}; it has {', '.join(sorted(own))}")
        wrong = one.when in (source.value.get("settings") or {}) and one.when not in spec.settings  # told already
        if one.when and not wrong and not isinstance(spec.settings.get(one.when), schema.BooleanSetting):
            yield source.problem((*here, "when"), "a setting of type boolean is expected")
