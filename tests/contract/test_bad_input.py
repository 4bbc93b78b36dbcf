"""What no client may send, at every door: each is a clear 4xx in the one envelope, and nothing of it is done.

The doors are read from the API description and from the pages themselves, so a new route is tried without being named.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from sqlalchemy import func, inspect, select, table

from core.db.base import metadata
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person

JSON = "application/json"
DEEP = 10_000
HUGE = "9" * 5000
NUL, SURROGATE = "a\x00b", "a\ud800b"
# Broken on purpose, or ends the session of who asks.
LEFT_OUT = ("/api/v1/library/broken", "/api/v1/core/auth/logout", "/api/auth/logout")
# A body that is not one object, or not JSON; each has tests of its own.
OTHER_BODIES = ("/api/v1/contributions/contributions/bulk",)
# What refused requests write on purpose: attempts are counted, answers under a key are kept, sessions are touched.
COUNTED = {"core_attempt", "core_idempotency", "core_session"}


@pytest.fixture
def document(people: Callable[..., Person]) -> Any:
    return people().get("/api/v1/openapi.json").json


def resolved(document: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def kinds(schema: Any) -> set[str]:
    found = schema.get("type", ())
    return {found} if isinstance(found, str) else set(found)


def writes(document: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """(method, path, schema, example) of each operation that takes a JSON object."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            if JSON in content and path not in OTHER_BODIES and not path.startswith(LEFT_OUT):
                schema = resolved(document, content[JSON]["schema"])
                example = content[JSON].get("example") or {}
                yield method.upper(), filled(path), schema, example


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", lambda _found: str(new_id()), path)


def raw_bodies(example: dict[str, Any], key: str) -> Iterator[tuple[str, bytes, str, int]]:
    """(what it is, body, content type, status) of bodies that are refused before anybody looks at the fields."""
    whole = json.dumps(example)
    rest = {name: value for name, value in example.items() if name != key}
    others = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in rest.items())

    def holding(written: str) -> bytes:
        return f'{{"{key}": {written}{others}}}'.encode()

    yield "cut off", whole[:-1].encode(), JSON, 400
    yield "more behind", f"{whole} {{}}".encode(), JSON, 400
    yield "a key twice", f'{{"{key}": 1, "{key}": 1{others}}}'.encode(), JSON, 400
    yield "a key twice below", holding('{"a": 1, "a": 2}'), JSON, 400
    yield "NaN", holding("NaN"), JSON, 400
    yield "infinity", holding("-Infinity"), JSON, 400
    yield "a float without end", holding("1e999"), JSON, 400
    yield "a number without end", holding(HUGE), JSON, 400
    yield "nested without end", holding("[" * DEEP + "]" * DEEP), JSON, 400
    yield "bytes", b"\xff\xfe\x00" + whole.encode(), JSON, 400
    yield "a surrogate's bytes", b'{"a": "\xed\xa0\x80"}', JSON, 400
    yield "UTF-16", whole.encode("utf-16"), f"{JSON}; charset=utf-16", 415
    yield "Latin-1", whole.encode(), f"{JSON}; charset=iso-8859-1", 415
    yield "text", whole.encode(), "text/plain", 415
    yield "XML", b"<a/>", "application/xml", 415
    yield "a form", b"a=1", "application/x-www-form-urlencoded", 415
    yield "too much", b" " * (10 * 1024 * 1024) + b"{}", JSON, 413
    yield "a list", b"[]", JSON, 422
    yield "a text", b'"text"', JSON, 422
    yield "an unknown field", json.dumps({**example, "surprise": 1}).encode(), JSON, 422


def hostile(document: Any, schema: Any) -> Iterator[Any]:
    """Values that a field of this schema cannot take."""
    schema = resolved(document, schema)
    found = kinds(schema)
    if "string" in found:
        yield from (5, 1.5, True, {}, ["x"], NUL, SURROGATE)
        if schema.get("enum") or schema.get("format") in ("uuid", "date-time", "date") or schema.get("pattern"):
            yield from ("", "no such thing", "../../etc/passwd", "'; DROP TABLE core_member; --")
        if schema.get("format") == "date-time":
            yield from ("2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "0001-01-01T00:00:00+23:00")
        if "maxLength" in schema:
            yield "x" * (schema["maxLength"] + 1)
    elif "integer" in found:
        yield from (1.5, True, "x", 10**30, -(10**30), {}, [], NUL)
    elif "boolean" in found:
        yield from ("perhaps", 5, {}, [], NUL)
    elif "array" in found:
        yield from ("x", 5, {"a": 1}, NUL, [NUL], [SURROGATE])
        for value in hostile(document, schema.get("items") or {}):
            yield [value]
    elif "object" in found:
        yield from (
            "x",
            5,
            1.5,
            [],
            NUL,
            {"a": NUL},
            {"amount": 1.5, "asset": "USD"} if "amount" in schema.get("properties", {}) else {SURROGATE: 1},
        )
        for name, part in schema.get("properties", {}).items():
            for value in hostile(document, part):
                yield {**(schema.get("example") or {}), name: value}


class Judge:
    """Collects what was not refused as it should be."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.tried = 0

    def look(self, told: str, answer: Any, *statuses: int) -> None:
        self.tried += 1
        body = answer.get_json(silent=True)
        good = answer.status_code in statuses and isinstance(body, dict) and body.get("success") is False
        good = good and bool(re.fullmatch(r"[A-Z][A-Z0-9_]*", body["error"]["code"])) and bool(body["error"]["message"])
        if not good:
            self.wrong.append(f"{told}: {answer.status_code} {answer.get_data(as_text=True)[:160]}")

    @property
    def told(self) -> str:
        return "\n".join([f"{len(self.wrong)} of {self.tried}:", *self.wrong[:60]])


def rows(site: Platform) -> dict[str, int]:
    """How many rows every table has."""
    with site.unit_of_work() as session:
        there = set(inspect(session.connection()).get_table_names())  # other tests' plugins have models and no tables
        return {
            name: session.scalar(select(func.count()).select_from(table(name))) or 0
            for name in there & metadata.tables.keys()
            if name not in COUNTED
        }


def test_no_body_that_cannot_be_read_is_taken(site: Platform, people: Callable[..., Person], document: Any) -> None:
    admin, judge = people("Admin"), Judge()
    before = rows(site)
    for method, path, schema, example in writes(document):
        key = next(iter(schema.get("properties", {})), "a")
        for told, body, kind, status in raw_bodies(example, key):
            if told == "an unknown field" and "properties" not in schema:
                continue  # any field is known
            # Who reads the body itself, as webhooks do, may first miss the record or find the payload unreadable.
            statuses = (status,) if "properties" in schema else (400, 404, 413, 415, 422)
            answer = admin.http.open(path, method=method, data=body, content_type=kind, headers=admin.headers)
            judge.look(f"{method} {path}, {told}", answer, *statuses)
            if "twice" in told and answer.status_code == 400 and "properties" in schema:
                assert answer.json["error"]["code"] == "DUPLICATE_KEY"
    assert not judge.wrong, judge.told
    assert judge.tried > 300
    assert rows(site) == before


def test_no_value_that_a_field_cannot_hold_is_taken(
    site: Platform, people: Callable[..., Person], document: Any
) -> None:
    admin, judge = people("Admin"), Judge()
    before = rows(site)
    for method, path, schema, example in writes(document):
        for name, part in schema.get("properties", {}).items():
            for value in hostile(document, part):
                body = json.dumps({**copy.deepcopy(example), name: value}).encode()
                answer = admin.http.open(path, method=method, data=body, content_type=JSON, headers=admin.headers)
                judge.look(f"{method} {path}, {name}={value!r:.60}", answer, 422)
    assert not judge.wrong, judge.told
    assert judge.tried > 300
    assert rows(site) == before


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def queries(parameter: Any) -> Iterator[str]:
    """Values that a parameter of an address cannot take, quoted."""
    name, schema = parameter["name"], parameter["schema"]
    yield from ("%00", "a%00b", "x" * 100_000)
    if name == "cursor":
        yield from ("nonsense", "é", cursor(), cursor(1), cursor(NUL, NUL), cursor(10**30, "x"), cursor(1, 2, 3, 4, 5))
        yield base64.urlsafe_b64encode(b"[" * 3000).decode()
    found = kinds(schema)
    if "integer" in found:
        yield from ("", "x", "1.5", "1e3", HUGE, "-" + HUGE, "٣" * 40, "0x10")
        if "minimum" in schema:
            yield str(schema["minimum"] - 1)
        if "maximum" in schema:
            yield str(schema["maximum"] + 1)
    if "boolean" in found:
        yield "perhaps"
    if schema.get("format") in ("uuid", "date-time", "date") or schema.get("enum"):
        yield from ("x", quote("' OR 1=1 --"), quote("../../etc/passwd"), quote("2024-13-45T99:99:99Z"))


def reads(document: Any) -> Iterator[tuple[str, list[Any]]]:
    for path, item in document["paths"].items():
        operation = item.get("get", {})
        found = [one for one in operation.get("parameters", ()) if one.get("in") == "query"]
        if found:
            yield path, found


def test_no_address_that_a_list_cannot_mean_is_answered(people: Callable[..., Person], document: Any) -> None:
    admin, judge = people("Admin"), Judge()
    for template, parameters in reads(document):
        path, statuses = filled(template), (404, 422) if "{" in template else (422,)
        needed = [f"{one['name']}=x" for one in parameters if one.get("required")]
        for one in parameters:
            for value in [*queries(one), f"1&{one['name']}=2"]:
                judge.look(f"{path}?{one['name']}={value:.40}", admin.get(f"{path}?{one['name']}={value}"), *statuses)
        judge.look(f"{path}?surprise", admin.get("&".join([f"{path}?surprise=1", *needed])), *statuses)
    assert not judge.wrong, judge.told
    assert judge.tried > 100


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%5c..%5cboot.ini",
        "%00",
        "a%00b",
        "%ed%a0%80",
        "x" * 5000,
    ],
)
def test_no_path_leads_out(people: Callable[..., Person], document: Any, name: str) -> None:
    admin, judge = people("Admin"), Judge()
    for path, item in document["paths"].items():
        if "{" in path and "get" in item:
            judge.look(f"{path} {name:.40}", admin.get(re.sub(r"\{\w+\}", name, path)), 400, 404, 405, 422)
    assert not judge.wrong, judge.told
    for folder in ("/static/", "/api/", "/files/", "/admin/"):
        assert admin.get(folder + name).status_code in (302, 308, 404, 405)


@pytest.mark.parametrize(
    "value", ["x\r\nX-Injected: yes", "x\nSet-Cookie: a=b", "é\r\n\r\n<script>", "//evil.example/\r\nX-Injected: 1"]
)
def test_no_parameter_becomes_a_header(web: Flask, people: Callable[..., Person], value: str) -> None:
    browser = people("Admin", browser=True)
    query = urlencode(dict.fromkeys(("next", "q", "url", "back", "lang", "name", "format", "cursor"), value))
    wrong = []
    for rule in web.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments and "broken" not in rule.endpoint:
            answer = browser.get(f"{rule.rule}?{query}")
            told = "".join(f"{name}: {text}\n" for name, text in answer.headers)
            if answer.status_code >= 500 or "\nX-Injected:" in told or "Set-Cookie: a=b" in told:
                wrong.append((rule.rule, answer.status))
            if (answer.location or "").startswith(("//", "http")) and "localhost" not in answer.location:
                wrong.append((rule.rule, answer.location))
    assert not wrong, "\n".join(map(str, wrong[:40]))
