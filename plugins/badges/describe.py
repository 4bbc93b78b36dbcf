"""What an editor of criteria needs to know: the kinds of conditions, their parameters, and what to choose from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import _
from plugins.contributions import ContributionType

from .catalogue import kinds
from .criteria import DEEPEST, MOST_LEAVES
from .leaf import Leaf
from .models import Badge

LABELS = {
    "value": _("Points"),
    "event": _("Type of contribution"),
    "count": _("How many"),
    "days": _("Days"),
    "level": _("Level"),
    "date": _("Date"),
    "badge": _("Badge"),
    "where": _("Where (CEL)"),
}


def describe(session: Session) -> dict[str, Any]:
    """Groups, limits and leaves; each parameter has ``name``, ``label``, ``kind`` (integer, text, date, choice),
    ``required``, ``minimum``, ``maximum``, ``default``, and ``options`` where it is a choice."""
    types = select(ContributionType.code, ContributionType.label).order_by(ContributionType.code)
    badges = select(Badge.slug, Badge.name).order_by(Badge.slug)
    options = {
        "event": [{"value": "*", "label": _("any")}, *_pairs(session, types)],
        "badge": _pairs(session, badges),
    }
    return {
        "groups": [
            {"word": "all", "label": _("All of")},
            {"word": "any", "label": _("At least one of")},
            {"word": "not", "label": _("Not")},
        ],
        "deepest": DEEPEST,
        "most": MOST_LEAVES,
        "leaves": [_leaf(name, leaf, options) for name, leaf in sorted(kinds(session).items())],
    }


def _pairs(session: Session, query: Any) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in session.execute(query)]


def _leaf(name: str, leaf: type[Leaf], options: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    schema = leaf.model_json_schema()
    required = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    return {
        "type": name,
        "label": leaf.label,
        "sentence": leaf.wanted,
        "parameters": [_parameter(key, about, key in required, options.get(key)) for key, about in fields],
    }


def _parameter(
    name: str, about: dict[str, Any], required: bool, options: list[dict[str, str]] | None
) -> dict[str, Any]:
    about = {**about, **next((one for one in about.get("anyOf", ()) if one.get("type") != "null"), {})}
    kind = "date" if about.get("format") == "date" else "integer" if about.get("type") == "integer" else "text"
    top = about["exclusiveMaximum"] - 1 if "exclusiveMaximum" in about else about.get("maximum")
    return {
        "name": name,
        "label": LABELS.get(name, about.get("title", name)),
        "kind": "choice" if options is not None else kind,
        "required": required,
        "minimum": about.get("minimum"),
        "maximum": top,
        "default": about.get("default"),
        "options": options,
    }
