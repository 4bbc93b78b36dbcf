"""Conditions as CEL: what lines compile to, and the variables that expressions see."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from core.automations.definition import Condition, Row
from core.expressions import Expression, Expressions, moment

ROOTS = ("event", "member", "record")
EXPRESSIONS = Expressions(dict.fromkeys(ROOTS, "map"))
LINES = Expressions(
    dict.fromkeys(ROOTS, "map"), longest=20_000
)  # what lines compile to is longer than what people write
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?")
_ORDER = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def compiled(condition: Condition) -> str:
    """The condition as CEL; empty where it always holds."""
    if condition.cel:
        return condition.cel.strip()
    joined = " && " if condition.match == "all" else " || "
    return joined.join(f"({line(row)})" for row in condition.rows)


def ready(condition: Condition) -> Expression | None:
    """The condition ready to be asked; None where it always holds. Raises BadExpression."""
    text = compiled(condition)
    if not text:
        return None
    return (EXPRESSIONS if condition.cel else LINES).condition(text)


def line(row: Row) -> str:
    """One line as CEL. What is not there makes it false, or true where it says what the field is not."""
    there, field = _there(row.field), row.field
    if row.operator == "is_set":
        return there
    if row.operator == "is_not_set":
        return f"!({there})"
    value = literal(row.value)
    if row.operator in _ORDER:
        held = f"{field} {_ORDER[row.operator]} {_moment(row.value) or value}"
    elif row.operator == "contains":
        held = f"(type({field}) == string ? {field}.contains({value}) : {value} in {field})"
    elif row.operator == "starts_with":
        held = f"{field}.startsWith({value})"
    elif row.operator in ("in", "not_in"):
        held = f"{field} in {value}"
    else:
        moment = _moment(row.value)
        held = f"{field} == {value}" + (f" || {field} == {moment}" if moment else "")
    held = f"{there} && ({held})"
    return f"!({held})" if row.operator in ("is_not", "not_in") else held


def literal(value: Any) -> str:
    """A JSON value as CEL has it."""
    if isinstance(value, list):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _there(field: str) -> str:
    parts = field.split(".")
    return " && ".join(f"has({'.'.join(parts[:length])})" for length in range(2, len(parts) + 1))


def _moment(value: Any) -> str:
    """A text that says when, as expressions see times; empty for any other value."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return ""
    try:
        return literal(moment(datetime.fromisoformat(value)))
    except (ValueError, OverflowError):
        return ""
