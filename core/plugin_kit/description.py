"""Whether what a plugin adds to the API description is sound."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema_rs
from flask import Flask

from core.platform import Platform
from core.plugin_kit.finding import Finding
from core.plugin_kit.people import person
from core.rest.described import METHODS

Document = dict[str, Any]


def examine(app: Flask, platform: Platform, names: Iterable[str]) -> Iterator[Finding]:
    """Look at the operations of these plugins in the document that is served."""
    answer = person(app, platform, roles=["Admin"]).get("/api/v1/openapi.json")
    if answer.status_code != 200:
        for name in names:
            yield Finding(name, "OPENAPI_BREAKS", f"The API description answers {answer.status_code} with this plugin.")
        return
    document: Document = answer.json
    named = Counter(str(one.get("operationId", "")) for _path, _method, one in _operations(document))
    for path, method, operation in _operations(document):
        tags = operation.get("tags") or [""]
        for name in (one for one in names if one in tags):
            for sentence in _problems(document, path, operation, named):
                yield Finding(name, "OPENAPI_INVALID", f"{method.upper()} {path} {sentence}", "rest.py")


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _problems(document: Document, path: str, operation: Document, named: Counter[str]) -> Iterator[str]:
    if not operation.get("summary"):
        yield "says nothing about itself: give its view a docstring."
    if named[operation.get("operationId", "")] != 1:
        yield f"shares its operationId {operation.get('operationId')} with another: rename its view."
    if not operation.get("responses"):
        yield "describes no answer: decorate its view by rest.response."
    declared = {one.get("name") for one in operation.get("parameters", ()) if one.get("in") == "path"}
    declared |= {one.get("name") for one in document["paths"][path].get("parameters", ()) if one.get("in") == "path"}
    if missing := sorted(set(re.findall(r"{(\w+)}", path)) - declared):
        yield f"does not describe {', '.join(missing)} of its path."
    for schema in _schemas(operation):
        for reference in _references(schema):
            if _resolved(document, reference) is None:
                yield f"refers to {reference}, which is not there."
        for one in [schema, *filter(None, (_resolved(document, ref) for ref in _references(schema)))]:
            try:
                jsonschema_rs.meta.validate(one)
            except jsonschema_rs.ValidationError as problem:
                yield f"has a schema that is no JSON Schema: {problem.message}"


def _schemas(part: Any) -> Iterator[Document]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "schema" and isinstance(value, dict):
                yield value
            else:
                yield from _schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from _schemas(value)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _resolved(document: Document, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found
