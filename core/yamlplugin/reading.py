"""Reads a ``plugin.yaml``: what is in it, or every problem it has, each with its place and what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.yamlplugin import schema
from core.yamlplugin.checks import problems_of
from core.yamlplugin.expectations import expected, given_instead
from core.yamlplugin.schema import PluginSpec
from core.yamlplugin.source import Path_, Problem, Source, Unreadable, parse, read

FILE = "plugin.yaml"
SAID = ("label", "label_plural", "description", "help", "title")
FIELD_TYPES: dict[str, type[schema.AnyField]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(schema.FieldSpec)[0])
}
SETTING_TYPES: dict[str, type[schema.AnySetting]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(schema.SettingSpec)[0])
}
_PARTS: dict[str, type[schema.Part]] = {
    "resources": schema.ResourceSpec,
    "rows": schema.RowsSpec,
    "sections": schema.SectionSpec,
    "inline": schema.InlineSpec,
    "operations": schema.OperationSpec,
    "transitions": schema.TransitionSpec,
    "subscribers": schema.SubscriberSpec,
    "automations": schema.AutomationSpec,
}


def read_plugin(folder: Path) -> tuple[Source, PluginSpec]:
    """The ``plugin.yaml`` of ``folder``. Raises Unreadable with all its problems; nothing of the plugin is run."""
    source = read(folder / FILE)
    return source, _checked(source, folder)


def parse_plugin(text: str, folder: Path | None = None) -> PluginSpec:
    """``text`` as a ``plugin.yaml``, perhaps one of ``folder``, whose name and ``actions.py`` it then must fit.

    Raises Unreadable.
    """
    return _checked(parse(text), folder)


def texts_of(folder: Path) -> list[str]:
    """What the ``plugin.yaml`` of ``folder``, if there is one, says to people; nothing where it cannot be read."""
    try:
        _source, spec = read_plugin(folder)
    except (OSError, Unreadable):
        return []
    return sorted(set(_said(spec.model_dump(exclude={"translations", "roles", "requires"}))))


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("permissions", {}).values()
        for key, one in value.items():
            if isinstance(one, str) and key in SAID:
                yield one
            else:
                yield from _said(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _said(one)


def _checked(source: Source, folder: Path | None) -> PluginSpec:
    if not isinstance(source.value, dict):
        raise Unreadable(source.file, [Problem(1, 1, "a mapping is expected that begins with `name: …`")])
    try:
        spec, problems = PluginSpec.model_validate(source.value), []
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
        problems = [_problem(source, error) for error in errors]
        spec = _remainder(source.value, [error["loc"] for error in errors])
    problems += problems_of(source, spec, folder)
    if problems:
        raise Unreadable(source.file, problems)
    return spec


def _remainder(value: dict[str, Any], wrong: list[tuple[int | str, ...]]) -> PluginSpec:
    """What is left without the parts that are wrong, so that the others are looked at too."""
    kept: dict[Any, Any] = {"name": "unnamed", "version": "0", "label": "?"}
    kept |= {key: part for key, part in value.items() if key not in {loc[0] for loc in wrong if loc}}
    inside = [loc for loc in wrong if loc[0] == "resources"]
    if isinstance(value.get("resources"), dict) and ("resources",) not in inside:
        whole = {loc[1] for loc in inside if loc[2:3] != ("fields",) or len(loc) < 4}
        kept["resources"] = {
            key: {**part, "fields": _without(part["fields"], [loc[3] for loc in inside if loc[1] == key])}
            for key, part in value["resources"].items()
            if key not in whole
        }
        kept["resources"] = {key: part for key, part in kept["resources"].items() if part["fields"]}
    return PluginSpec.model_validate(kept)


def _without(fields: dict[str, Any], wrong: list[int | str]) -> dict[str, Any]:
    return {key: part for key, part in fields.items() if key not in wrong}


def _problem(source: Source, error: ErrorDetails) -> Problem:
    path, name = _path(source.value, error["loc"])
    kind = error["type"]
    if error["loc"][-1] == "[key]":
        return source.problem(path, f"`{path[-1]}` is no name that can be used: {expected(error)}", key=True)
    if kind == "missing":
        about = _model(source, path).model_fields
        found = next((one for key, one in about.items() if (one.alias or key) == name), None)
        told = f": {found.description}" if found is not None and found.description else ""
        return source.problem(path, f"`{name}` is missing{told}", key=True)
    if kind == "extra_forbidden":
        known = [one.alias or key for key, one in _model(source, path[:-1]).model_fields.items()]
        near = get_close_matches(str(name), known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"expected are {', '.join(known)}"
        return source.problem(path, f"`{name}` is not known here; {hint}", key=True)
    if kind == "union_tag_not_found":
        return source.problem(path, f"`type` is missing; expected is one of {_tags(path)}", key=True)
    if kind == "union_tag_invalid":
        given = error["input"].get("type")
        return source.problem((*path, "type"), f"the type {given!r} is not known; expected is one of {_tags(path)}")
    return source.problem(path, f"{expected(error)}{given_instead(error)}")


def _path(value: Any, loc: tuple[int | str, ...]) -> tuple[Path_, str | int]:
    """Where an error stands in the file, without the names of types that the loc goes through; and the last name."""
    path: list[str | int] = []
    name: str | int = ""
    for step in loc:
        if step == "[key]":
            continue
        inside = isinstance(value, dict) and step in value
        inside |= isinstance(value, list) and isinstance(step, int) and step < len(value)
        name = step
        if inside:
            value = value[step]
            path.append(step)
        elif isinstance(value, dict) and value.get("type") == step:
            continue
    return tuple(path), name


def _tags(path: Path_) -> str:
    return ", ".join(SETTING_TYPES if len(path) > 1 and path[-2] in ("settings", "form") else FIELD_TYPES)


def _model(source: Source, path: Path_) -> type[schema.Part]:
    """The model of the mapping at ``path``."""
    value: Any = source.value
    for step in path:
        value = value[step]
    if len(path) < 2:
        return PluginSpec
    around = str(path[-2])
    if around in ("settings", "form", "fields") and isinstance(value, dict):
        types: dict[str, Any] = FIELD_TYPES if around == "fields" else SETTING_TYPES
        found: type[schema.Part] = types.get(str(value.get("type")), schema.AnyField)
        return found
    return _PARTS.get(around, PluginSpec)
