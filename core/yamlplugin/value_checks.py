"""What settings, defaults and permissions of a ``plugin.yaml`` say that cannot be carried out."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from typing import Any

from core.settings import Settings
from core.yamlplugin import schema
from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Path_, Problem, Source

# Annotations of the generated classes are read in the class itself: a member of these names would stand in their way.
TAKEN_KINDS = frozenset({"bool", "int", "str"})


def of_settings(
    source: Source, path: Path_, given: Mapping[str, schema.AnySetting], *, settings: bool
) -> Iterator[Problem]:
    """Of settings, each of which has a default, or of an operation's form."""
    for name, one in given.items():
        here = (*path, name)
        if keyword.iskeyword(name) or name in TAKEN_KINDS or hasattr(Settings, name):
            yield source.problem(here, f"a setting cannot be called `{name}`; the name has a use of its own", key=True)
        default = getattr(one, "default", None)
        if default is None and settings:
            yield source.problem(here, f"`default` is missing: every setting has one; {name} has none", key=True)
        least, most = getattr(one, "min", None), getattr(one, "max", None)
        if least is not None and most is not None and least > most:
            yield source.problem((*here, "max"), f"`max` is expected to be at least `min`, which is {least}")
        elif default is not None and (why := unfit(one, default)):
            yield source.problem((*here, "default"), why)
        yield from of_values(source, here, one)


def unfit(one: Any, default: Any) -> str:
    """Why ``default`` is no value that the field or setting takes; nothing when it is."""
    if (values := getattr(one, "values", None)) is not None:
        return "" if default in values else f"one of {', '.join(values)} is expected, not {default!r}"
    if isinstance(default, str) and len(default) > getattr(one, "max_length", len(default)):
        return f"at most {one.max_length} characters are expected"
    least, most = getattr(one, "min", None), getattr(one, "max", None)
    if least is not None and default < least:
        return f"at least {least} is expected, not {default}"
    if most is not None and default > most:
        return f"at most {most} is expected, not {default}"
    if isinstance(one, schema.DecimalField):
        digits = default.as_tuple()
        before, after = max(len(digits.digits) + int(digits.exponent), 0), max(-int(digits.exponent), 0)
        if after > one.places or before > one.digits - one.places:
            return f"{one.digits} digits with {one.places} after the point are expected at most, not {default}"
    return ""


def of_values(source: Source, path: Path_, one: Any) -> Iterator[Problem]:
    """Of a fixed list of values."""
    values = getattr(one, "values", ())
    for position, value in enumerate(values):
        if value in values[:position]:
            yield source.problem((*path, "values", position), f"the value {value} stands here twice")


def own_permissions(spec: PluginSpec) -> set[str]:
    """Every permission that the plugin will have, as far as it can be read."""
    found = set(spec.permissions)
    for name, resource in spec.resources.items():
        found |= {f"{spec.name}:{name}:{action}" for action in resource.actions}
    return found


def half_read(source: Source, spec: PluginSpec) -> bool:
    """Whether some parts were wrong already, so that others may refer to what only seems not to be there."""
    given = source.value
    resources = given.get("resources") or {}
    return len(resources) != len(spec.resources) or len(given.get("permissions") or {}) != len(spec.permissions)


def unknown_permission(source: Source, spec: PluginSpec, path: Path_, name: str) -> Iterator[Problem]:
    """Of something that takes the permission ``name``."""
    if name and not half_read(source, spec) and name not in own_permissions(spec):
        yield source.problem(path, f"nothing declares the permission {name}; list it under `permissions`")
