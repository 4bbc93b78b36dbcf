"""The API description: valid, complete, and of what is enabled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import create_app
from core.platform import Platform
from tests.core.doors import Person

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def document(people: Callable[..., Person]) -> Any:
    return people().get("/api/v1/openapi.json").json


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def test_it_is_a_valid_document(document: Any) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_operation_says_how_it_fails_and_what_it_does(document: Any) -> None:
    silent = [
        path
        for _, path, operation in operations(document)
        if "default" not in operation["responses"] or not operation.get("summary")
    ]
    assert silent == []


def test_a_failure_is_described_as_the_envelope_it_is(document: Any) -> None:
    failure = document["components"]["responses"]["DEFAULT_ERROR"]["content"]["application/json"]["schema"]
    shape = document["components"]["schemas"][failure["$ref"].split("/")[-1]]
    assert set(shape["required"]) == {"success", "error", "meta"}


def test_every_operation_says_who_may_use_it(document: Any) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {str(operation["security"]) for _, _, operation in operations(document)} == {"[]", "[{'bearer': []}]"}


def test_it_names_every_route_of_the_api(web: Flask, document: Any) -> None:
    described = {(path.replace("{", "<").replace("}", ">"), method) for method, path, _ in operations(document)}
    routes = set()
    for rule in web.url_map.iter_rules():
        if rule.rule.startswith("/api/") and rule.endpoint not in ("openapi", "api_docs"):
            path = rule.rule
            for kind in ("uuid:", "int:", "path:"):
                path = path.replace(f"<{kind}", "<")
            routes |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert routes == described


def test_no_schema_had_to_be_renamed(site: Platform) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Multiple schemas resolved to the name")
        create_app(site)


def test_a_second_application_describes_the_same(site: Platform, document: Any) -> None:
    assert create_app(site).test_client().get("/api/v1/openapi.json").json == document


def test_a_disabled_plugin_is_left_out_and_comes_back(
    people: Callable[..., Person], switch: Callable[[str, bool], None], document: Any
) -> None:
    switch("library", False)
    shown = people().get("/api/v1/openapi.json").json
    assert not any(path.startswith("/api/v1/library/") for path in shown["paths"])
    assert list(OpenAPIV31SpecValidator(shown).iter_errors()) == []
    switch("library", True)
    assert people().get("/api/v1/openapi.json").json == document


def test_every_body_has_an_example_that_fits(document: Any) -> None:
    from jsonschema import Draft202012Validator

    bodies = 0
    for method, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            whole = {**content["schema"], "components": document["components"]}
            problems = [one.message for one in Draft202012Validator(whole).iter_errors(content["example"])]
            assert problems == [], f"{method} {path}"
            bodies += 1
    assert bodies > 10


def test_every_operation_names_its_refusals(document: Any) -> None:
    for _, path, operation in operations(document):
        wanted = {"401", "404", "429", "503"} | ({"422"} if "requestBody" in operation else set())
        wanted |= {"403"} if operation["security"] else set()
        assert wanted <= set(operation["responses"]), path


def test_the_page_of_the_document_runs_no_script_but_ours(people: Callable[..., Person]) -> None:
    answer = people().get("/api/docs")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and answer.status_code == 200
    scripts = answer.text.split("<script")[1:]
    assert scripts and all(one.startswith(' src="/static/') for one in scripts)
