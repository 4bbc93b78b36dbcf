"""The format of ``plugin.yaml`` for editors, as JSON Schema, and for people, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.yamlplugin.schema import PluginSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a ``plugin.yaml``."""
    made = PluginSpec.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, **made, "title": "plugin.yaml"}


def table() -> str:
    """Every key of the format in Markdown: in what it stands, what it takes, what it means."""
    schema = json_schema()
    rows = ["| In | Key | Takes | Meaning |", "| --- | --- | --- | --- |"]
    for place, part in _places(schema).items():
        found = _types(part) if isinstance(part, dict) and "kinds" in part else _keys(part)
        rows += [f"| {place} | {key} | {takes} | {meaning} |" for key, takes, meaning in found]
    return "\n".join(rows)


def _places(schema: dict[str, Any]) -> dict[str, Any]:
    """The parts that a file is made of, in the order in which people meet them."""
    parts = schema["$defs"]
    kinds = {
        what: {"kinds": {one["properties"]["type"]["const"]: one for name, one in parts.items() if name.endswith(what)}}
        for what in ("Setting", "Field")
    }
    return {
        "the file": schema,
        "a setting": kinds["Setting"],
        "a resource": parts["ResourceSpec"],
        "a field": kinds["Field"],
        "a rule of `rows`": parts["RowsSpec"],
        "a section": parts["SectionSpec"],
        "`inline`": parts["InlineSpec"],
        "an operation": parts["OperationSpec"],
        "a transition": parts["TransitionSpec"],
        "a computed column": parts["ComputedSpec"],
        "a subscriber": parts["SubscriberSpec"],
        "an automation": parts["AutomationSpec"],
    }


def _keys(part: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    required = part.get("required", ())
    for key, about in part["properties"].items():
        if about.get("const") is not False and not (key == "type" and "const" in about):
            yield f"`{key}`", _takes(about, key in required), about.get("description", "")


def _types(part: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each type, then the keys: of every type, or of those that are named."""
    kinds: dict[str, dict[str, Any]] = part["kinds"]
    order = sorted(kinds, key=lambda key: (key != "text", key != "long_text", key))
    for key in order:
        yield f"`type: {key}`", "", kinds[key]["description"].splitlines()[0]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for kind in order:
        for key, takes, meaning in _keys(kinds[kind]):
            found.setdefault((key, meaning), {})[kind] = takes
    for (key, meaning), takers in sorted(found.items(), key=lambda one: (-len(one[1]), one[0])):
        takes = next(iter(takers.values())) if len(set(takers.values())) == 1 else "a value of its type"
        most = len(takers) * 10 >= len(order) * 7  # that long text is not unique needs no words here
        yield key, takes if most else f"{', '.join(takers)}: {takes}", meaning


def _takes(about: dict[str, Any], required: bool) -> str:
    kind = _kind(about)
    if required:
        return f"{kind}, required"
    default = about.get("default")
    if default in (None, "", [], {}) or isinstance(default, (list, dict)):
        return kind
    return f"{kind}, by default `{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(about: dict[str, Any]) -> str:
    if "anyOf" in about:
        kinds = [_kind(one) for one in about["anyOf"] if one.get("type") != "null" and one.get("const") != ""]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in about:
        return ", ".join(f"`{one}`" for one in about["enum"])
    if "const" in about:
        return f"`{about['const']}`"
    if about.get("type") == "array":
        inner = about.get("items", {})
        return "a list" if "$ref" in inner or "type" not in inner else f"a list of {_kind(inner)}"
    return KINDS.get(about.get("type", ""), "a mapping")
