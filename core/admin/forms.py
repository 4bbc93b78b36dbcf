"""Forms made from a pydantic model: of a plugin's settings, of an operation upon many records."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin

from flask_babel import gettext
from pydantic import BaseModel

from core.wording import field_label, words


def fields_of(model: type[BaseModel], values: Mapping[str, Any], locked: Collection[str] = ()) -> list[dict[str, Any]]:
    """The fields of ``model`` for a template: name, label, kind (bool, select, number, text), help, value, choices,
    required, locked. ``values`` are those to show; without one, the default."""
    fields = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        choices: list[str] = []
        if get_origin(kind) is Literal:
            choices = [str(value) for value in get_args(kind)]
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            choices = [str(member.value) for member in kind]
        shown = "bool" if kind is bool else "select" if choices else "number" if kind is int else "text"
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        fields.append(
            {
                "name": name,
                "label": gettext(field_label(name, field.title)),
                "kind": shown,
                "help": gettext(field.description) if field.description else "",
                "value": _plain(values.get(name, default)),
                "choices": [(choice, gettext(words(choice))) for choice in choices],
                "required": field.is_required(),
                "locked": name in locked,
            }
        )
    return fields


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
