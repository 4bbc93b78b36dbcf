"""The JSON Schema of a type's details: checked when it is written, asked for each contribution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from .errors import DetailsUnfit

LONGEST = 8000


class BadSchema(ValueError):
    """Why a JSON Schema cannot be used."""


def check(schema: Any) -> None:
    """Refuse a schema that could not be asked. Raises BadSchema."""
    if not isinstance(schema, Mapping):
        raise BadSchema("it must be a JSON object")
    text = json.dumps(schema, sort_keys=True)
    if len(text) > LONGEST:
        raise BadSchema(f"it may have at most {LONGEST} characters")
    if any(not one.startswith("#") for one in _references(schema)):
        raise BadSchema("a $ref may only point into the schema itself")
    _validator(text)


def require(schema: Mapping[str, Any], details: Mapping[str, Any]) -> None:
    """Raise DetailsUnfit, naming the place and the rule, unless ``details`` meet the schema."""
    problem = next(_validator(json.dumps(schema, sort_keys=True)).iter_errors(details), None)
    if problem is None:
        return
    path = [str(step) for step in problem.schema_path]
    expected: Any = schema
    for step in problem.schema_path:
        expected = expected[step] if isinstance(expected, Mapping | list) else None
    place = "/".join(["details", *(str(step) for step in problem.instance_path)])
    raise DetailsUnfit(place=place, rule=path[-1] if path else "", expected=json.dumps(expected)[:200])


@lru_cache(maxsize=500)
def _validator(text: str) -> Any:
    import jsonschema_rs

    try:
        options = jsonschema_rs.RegexOptions()  # linear time, whatever the pattern
        return jsonschema_rs.Draft202012Validator(json.loads(text), pattern_options=options)
    except (ValueError, jsonschema_rs.ReferencingError) as problem:
        raise BadSchema(str(problem).split("\n")[0]) from None


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name in ("$ref", "$dynamicRef", "$schema", "$id") and isinstance(value, str):
                if name in ("$ref", "$dynamicRef"):
                    yield value
                continue
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
