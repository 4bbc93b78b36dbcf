"""Conditions of rules in CEL (the Common Expression Language): a filter of one event, compiled once, bounded.

An expression sees ``details`` (the event's), ``kind`` (its type's code), ``source``, ``tier`` and ``occurred_at`` (a
timestamp, UTC). It has at most 500 characters; the engine stops a comprehension that runs away, and its regular
expressions take linear time. See https://github.com/google/cel-spec for the language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

LONGEST = 500


class BadExpression(ValueError):
    """Why an expression cannot be used."""


@cache
def _environment() -> tuple[Any, Any]:
    from cel_expr_python import cel  # 8 MB of C++ that a community without conditions never needs

    variables = {
        "details": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "kind": cel.Type.STRING,
        "source": cel.Type.STRING,
        "tier": cel.Type.STRING,
        "occurred_at": cel.Type.TIMESTAMP,
    }
    return cel, cel.NewEnv(variables=variables)


@lru_cache(maxsize=2000)
def compiled(expression: str) -> Any:
    """The expression ready to be asked. Raises BadExpression."""
    if len(expression) > LONGEST:
        raise BadExpression(f"it may have at most {LONGEST} characters")
    cel, environment = _environment()
    try:
        ready = environment.compile(expression)
    except RuntimeError as problem:
        raise BadExpression(_first_line(problem)) from None
    if ready.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadExpression(f"it must be true or false, not {ready.return_type().name()}")
    return ready


def holds(expression: str, values: Mapping[str, Any]) -> bool:
    """Whether the condition holds. What it asks for and is not there, or of another kind, makes it false.

    Raises BadExpression when it takes too long.
    """
    try:
        return compiled(expression).eval(data=values).value() is True
    except RuntimeError as problem:
        raise BadExpression(_first_line(problem)) from None


def _first_line(problem: Exception) -> str:
    line = str(problem).split("\n")[0]
    return line.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: <input>:").removesuffix(" [INVALID_ARGUMENT]")
