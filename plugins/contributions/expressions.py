"""Conditions of rules in CEL (see ``core.expressions``): a filter of one event.

An expression sees ``details`` (the event's), ``kind`` (its type's code), ``source``, ``tier`` and ``occurred_at`` (a
timestamp, UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guildhall import BadExpression, Expressions

LONGEST = 500
_CONDITIONS = Expressions(
    {"details": "map", "kind": "text", "source": "text", "tier": "text", "occurred_at": "time"},
    longest=LONGEST,
    nested=True,
)


def compiled(expression: str) -> Any:
    """The expression ready to be asked. Raises BadExpression."""
    return _CONDITIONS.condition(expression)


def holds(expression: str, values: Mapping[str, Any]) -> bool:
    """Whether the condition holds. What it asks for and is not there, or of another kind, makes it false.

    Raises BadExpression when it takes too long.
    """
    return _CONDITIONS.holds(expression, values)


__all__ = ["LONGEST", "BadExpression", "compiled", "holds"]
