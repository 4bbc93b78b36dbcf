"""What the API description says beside what the routes declare: every refusal, and an example of every body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.gateway.errors import HTTP

METHODS = ("get", "post", "put", "patch", "delete")
ALWAYS = (401, 404, 429, 500, 503)  # a bad token, a plugin that is off, a limit, our mistake, no database
FORMATS = {
    "uuid": "01990000-0000-7000-8000-000000000000",
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
}
Document = dict[str, Any]


def complete(document: Document) -> Document:
    """Add to ``document``, in place, what every route has in common; returns it."""
    parts = document["components"]
    answers = parts.setdefault("responses", {})
    for operation in operations(document):
        _fold_form(operation, parts["schemas"])
        operation["responses"].get("204", {}).pop("content", None)  # there is none
        for status in _refusals(operation):
            code, sentence = HTTP.get(status, HTTP[500]) if status != 503 else ("UNAVAILABLE", "Try again in a moment.")
            name = f"Failure{status}"
            answers[name] = {
                "description": f"{sentence} (`{code}` or a code that says more.)",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
            }
            operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "schema" in content and not {"example", "examples"} & content.keys():
                content["example"] = example(content["schema"], parts["schemas"])
    return document


def operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        for method in METHODS:
            if method in item and "responses" in item[method]:
                yield item[method]


def _fold_form(operation: Document, schemas: Document) -> None:
    """A route that takes a file and fields beside it has one body; flask-smorest describes only one of the two."""
    forms = [one for one in operation.get("parameters", ()) if one.get("in") == "formData"]
    if not forms:
        return
    operation["parameters"] = [one for one in operation["parameters"] if one not in forms]
    body = operation.setdefault("requestBody", {"content": {"multipart/form-data": {}}})["content"]
    whole: Document = {"type": "object", "properties": {}, "required": []}
    for part in (*(content.get("schema", {}) for content in body.values()), *(one["schema"] for one in forms)):
        known = schemas[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        whole["properties"] |= known.get("properties", {})
        whole["required"] += known.get("required", [])
    body.clear()
    body["multipart/form-data"] = {"schema": whole}


def _refusals(operation: Document) -> list[int]:
    """The statuses that this operation may answer beside its own."""
    body, query = "requestBody" in operation, bool(operation.get("parameters"))
    found = [*ALWAYS]
    found += [400, 413, 415] if body else []
    found += [422] if body or query else []
    found += [403] if operation.get("security") else []
    found += [409]  # a key in use, a lock that is not given in time
    return sorted(found)


def example(schema: Document, schemas: Document, depth: int = 0) -> Any:
    """A value that fits ``schema``; the first of what it names as an example, a default or a choice."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, depth + 1)
    for key in ("example", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if schema.get("default") is not None:
        return schema["default"]
    for key in ("anyOf", "oneOf", "allOf"):
        if several := [one for one in schema.get(key, ()) if one.get("type") != "null"]:
            return example(several[0], schemas, depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else None)
    kind = next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds
    if kind == "object":
        inner = schema.get("properties", {}).items() if depth < 6 else ()
        return {name: example(one, schemas, depth + 1) for name, one in inner if not one.get("readOnly")}
    if kind == "array":
        return [example(schema.get("items", {}), schemas, depth + 1)] if depth < 6 else []
    if kind == "string":
        text = FORMATS.get(schema.get("format", ""), "text")
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", len(text) + 1000)]
    if kind in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 10**9))
    return True if kind == "boolean" else {}
