"""Forms made from a pydantic model: of a plugin's settings, of an operation upon many records."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from flask_babel import gettext
from pydantic import BaseModel
from sqlalchemy.orm import Session

from core.resources.operation import Operation
from core.wording import field_label, words


def fields_of(
    model: type[BaseModel],
    values: Mapping[str, Any],
    locked: Collection[str] = (),
    offered: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> list[dict[str, Any]]:
    """The fields of ``model`` for a template: name, label, kind (bool, select, number, text), help, value, choices,
    required, locked. ``values`` are those to show; without one, the default. ``offered`` are pairs of value and label
    to choose from, by field, where the type does not say them."""
    fields = []
    for name, field in model.model_fields.items():
        kind = _without_none(field.annotation)
        choices: list[str] = []
        if get_origin(kind) is Literal:
            choices = [str(value) for value in get_args(kind)]
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            choices = [str(member.value) for member in kind]
        pairs = [(choice, gettext(words(choice))) for choice in choices]
        if offered and name in offered:
            pairs = [(value, gettext(label)) for value, label in offered[name]]
        chosen = bool(choices) or (offered is not None and name in offered)
        shown = "bool" if kind is bool else "select" if chosen else "number" if kind is int else "text"
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        fields.append(
            {
                "name": name,
                "label": gettext(field_label(name, field.title)),
                "kind": shown,
                "help": gettext(field.description) if field.description else "",
                "value": _plain(values.get(name, default)),
                "choices": pairs,
                "required": field.is_required(),
                "locked": name in locked,
            }
        )
    return fields


def asked_by(session: Session, operation: Operation, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields that an operation asks for before, as ``fields_of`` has them."""
    offered = {name: choices(session) for name, choices in (operation.choices or {}).items()}
    return fields_of(operation.form, given, offered=offered) if operation.form else []


def _without_none(kind: Any) -> Any:
    """The type of a field that may also be left out."""
    parts = [one for one in get_args(kind) if one is not NoneType] if get_origin(kind) in (Union, UnionType) else []
    return parts[0] if len(parts) == 1 else kind


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
