"""Whatever fits the API description, and what does not, is answered as described: no 500, no undocumented answer.

Every operation is tried with generated requests by an Admin. ``SOAK=1`` tries more of them, at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.core.doors import Person

SOAK = bool(os.environ.get("SOAK"))
EXAMPLES = 150 if SOAK else 6
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# These end the session of who calls them, or fail on purpose; each has tests of its own.
LEFT_OUT = ("/api/v1/core/auth/", "/api/v1/core/me", "/api/auth/", "/api/v1/library/broken")


@pytest.fixture
def schema(web: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", web)


def test_no_operation_fails_or_answers_what_is_not_described(schema: Any, people: Callable[..., Person]) -> None:
    headers = {**people("Admin").headers, "Accept-Encoding": "identity"}  # schemathesis does not decompress
    problems: dict[str, str] = {}
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(LEFT_OUT):
            continue
        tried += 1
        try:
            attempt(operation, headers)
        except (Exception, FailureGroup) as problem:
            problems[operation.label] = f"{type(problem).__name__}: {problem}"[:1500]
    assert tried > 40
    assert problems == {}, "\n\n".join(f"{label}\n{told}" for label, told in problems.items())


def attempt(operation: Any, headers: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()
