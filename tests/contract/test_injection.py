"""No filter, search, order, cursor or id becomes part of a statement: what a request says is always a parameter.

sqlmap tries the same lists from outside: ``make sqlmap``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from core.fab.views import class_name
from core.platform import Platform
from tests.core.doors import Person

MARK = "zq7"
INJECTIONS = [
    f"' OR '{MARK}'='{MARK}",
    f"'; DROP TABLE core_member; -- {MARK}",
    f"\\'; SELECT '{MARK}'; --",
    f"$${MARK}$$ || (SELECT password FROM ab_user LIMIT 1)",
    f"{MARK}%(limit)s :name {{0}} %s",
    f'{MARK}" DESC NULLS LAST, "password',
    f"E'\\047{MARK}",
]


@pytest.fixture
def statements(site: Platform) -> Iterator[list[str]]:
    """The text of every statement that is sent, without its parameters."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(site.database.engine, "before_cursor_execute", note)


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([text, text]).encode()).decode().rstrip("=")


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_parameter_of_a_rest_route_is_part_of_a_statement(
    people: Callable[..., Person], statements: list[str], text: str
) -> None:
    admin, wrong = people("Admin"), []
    document = admin.get("/api/v1/openapi.json").json
    for template, item in document["paths"].items():
        path = re.sub(r"\{\w+\}", "01990000-0000-7000-8000-000000000000", template)
        parameters = [one for one in item.get("get", {}).get("parameters", ()) if one.get("in") == "query"]
        for one in parameters:
            for value in (text, cursor(text)) if one["name"] == "cursor" else (text,):
                answer = admin.get(path, query_string={one["name"]: value})
                if answer.status_code not in (200, 404, 422):
                    wrong.append((path, one["name"], answer.status))
    assert not wrong
    assert len(statements) > 50
    assert not [one for one in statements if MARK in one]


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_parameter_of_a_list_page_is_part_of_a_statement(
    site: Platform, web: Flask, people: Callable[..., Person], statements: list[str], text: str
) -> None:
    browser, wrong, tried = people("Admin", browser=True), [], 0
    for bound in site.registry.resources.values():
        name = class_name(bound)
        if f"{name}.list" not in web.view_functions:
            continue
        path = f"/admin/{bound.plugin}/{bound.name}/list/".replace("_", "-")
        filters = {f"_flt_{number}_{key}": text for key in bound.resource.filters for number in range(3)}
        order = {f"_oc_{name}": text, f"_od_{name}": text, f"page_{name}": text, f"psize_{name}": text}
        for given in ({"q": text}, filters, order):
            answer = browser.get(path, query_string=given)
            tried += 1
            if answer.status_code not in (200, 302):
                wrong.append((path, given, answer.status))
    assert not wrong
    assert tried > 20
    assert not [one for one in statements if MARK in one]
