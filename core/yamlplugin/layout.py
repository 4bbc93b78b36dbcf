"""Expressions of Python as text, laid out as ruff lays them out at 120 columns.

Every value goes through ``literal``: nothing that a file says becomes code.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any

WIDTH = 120
STEP = 4


@dataclass(frozen=True)
class Name:
    """A name that the generated module has, such as ``models.Event``."""

    text: str


@dataclass(frozen=True)
class Call:
    """``func(*args, **kwargs)``; an open one always has a line for each of them."""

    func: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True)
class Long:
    """Text that stands alone, in brackets where it takes several lines."""

    text: str


def said(text: str) -> Any:
    """``text`` marked for translation."""
    return Call("_", [text]) if text else ""


def literal(value: object) -> str:
    """A value as Python writes it. Raises TypeError for what is no plain value."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and isfinite(value)):
        return repr(value)
    raise TypeError(f"no plain value: {value!r}")


def _quoted(text: str) -> str:
    """In double quotes, or in single ones where that needs fewer backslashes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    made = []
    for one in text:
        if one in (mark, "\\"):
            made.append("\\" + one)
        elif one == "\n":
            made.append("\\n")
        elif one == "\t":
            made.append("\\t")
        elif one.isprintable():
            made.append(one)
        else:
            made.append(one.encode("unicode_escape").decode())
    return mark + "".join(made) + mark


def columns(text: str) -> int:
    """How wide a line of text is: letters of East Asia take two columns, marks above a letter none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def rendered(node: Any, indent: int = 0, before: int | None = None, after: int = 0) -> str:
    """``node`` where ``before`` columns stand in its line already and ``after`` follow it."""
    used = indent if before is None else before
    text = _flat(node)
    if used + columns(text) + after <= WIDTH and not (isinstance(node, Call) and node.open):
        return text
    inner, pad, end = indent + STEP, " " * (indent + STEP), " " * indent
    if isinstance(node, Long):
        return "(\n" + "".join(f"{pad}{part}\n" for part in _parts(node.text, inner)) + end + ")"
    if isinstance(node, str) or not isinstance(node, (Call, dict, list, tuple)):
        return text
    if isinstance(node, Call) and len(node.args) == 1 and not node.kwargs and isinstance(node.args[0], str):
        parts = _parts(node.args[0], inner)
        comma = "," if len(parts) == 1 and inner + columns(parts[0]) < WIDTH else ""
        return f"{node.func}(\n" + "".join(f"{pad}{part}{comma}\n" for part in parts) + end + ")"
    opening, closing, items = _items(node)
    lines = []
    for prefix, value in items:
        shown = rendered(value, inner, inner + columns(prefix), 1)
        lines.append(f"{pad}{prefix}{shown},\n")
    return opening + "\n" + "".join(lines) + end + closing


def _items(node: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    if isinstance(node, Call):
        args = [("", one) for one in node.args]
        return f"{node.func}(", ")", [*args, *((f"{key}=", one) for key, one in node.kwargs.items())]
    if isinstance(node, dict):
        return "{", "}", [(f"{literal(key)}: ", one) for key, one in node.items()]
    return (
        ("[", "]", [("", one) for one in node]) if isinstance(node, list) else ("(", ")", [("", one) for one in node])
    )


def _flat(node: Any) -> str:
    if isinstance(node, Name):
        return node.text
    if isinstance(node, Long):
        return literal(node.text)
    if isinstance(node, Decimal):
        whole = node.as_tuple().exponent == 0
        return f"Decimal({int(node) if whole else literal(str(node))})"
    if isinstance(node, (Call, dict, list, tuple)):
        opening, closing, items = _items(node)
        comma = "," if isinstance(node, tuple) and len(node) == 1 else ""
        return opening + ", ".join(prefix + _flat(one) for prefix, one in items) + comma + closing
    return literal(node)


def _parts(text: str, indent: int) -> list[str]:
    """``text`` as literals that fit a line each, broken after spaces where there are some."""
    if indent + columns(literal(text)) <= WIDTH:
        return [literal(text)]
    parts: list[str] = []
    while text:
        most = min(len(text), max(WIDTH - indent - 3, 1))
        while most > 1 and indent + columns(literal(text[:most])) + 1 > WIDTH:
            most -= 1
        if most < len(text):
            most = text.rfind(" ", most // 2, most) + 1 or most
        parts.append(literal(text[:most]))
        text = text[most:]
    return parts or ['""']
