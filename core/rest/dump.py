"""Dumping with a schema as marshmallow does, with what never changes decided once for each schema instead of each row.

The rules are marshmallow's (``Schema._serialize``, ``fields.Field.serialize``, ``utils.get_value``): a value is the
item of that key, else the attribute; what is missing takes the field's default or is left out. A test holds the two
against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

import marshmallow as ma
from marshmallow import fields as base
from marshmallow import missing
from marshmallow import utils as reading
from marshmallow.decorators import POST_DUMP, PRE_DUMP


def dumper(schema: Any) -> Callable[[Any], Any] | None:
    """A function that dumps one object as ``schema`` would; None where the schema or a field has ways of its own."""
    if schema._hooks[PRE_DUMP] or schema._hooks[POST_DUMP]:
        return None
    if type(schema).get_attribute is not ma.Schema.get_attribute:
        return None
    fields = schema.dump_fields
    if any(type(field).serialize is not base.Field.serialize for field in fields.values()):
        return None
    rows = [
        (
            name, name if field.data_key is None else field.data_key, _source(name, field), _unchanged(field),
            field._serialize, field,
        )
        for name, field in fields.items()
    ]  # fmt: skip
    made_as = schema.dict_class

    def dump(given: Any) -> Any:
        made = made_as()
        keyed = hasattr(given, "__getitem__")
        for name, key, source, unchanged, write, field in rows:
            if source is None:
                value = _value(given, name, field)
            elif keyed:
                try:
                    value = given[source]
                except (KeyError, IndexError, TypeError, AttributeError):
                    value = getattr(given, source, missing)
            else:
                value = getattr(given, source, missing)
            if value is missing:
                value = field.dump_default() if callable(field.dump_default) else field.dump_default
                if value is missing:
                    continue
            made[key] = value if type(value) in unchanged else write(value, name, given)
        return made

    return dump


def _source(name: str, field: base.Field[Any]) -> str | None:
    """The one key or attribute that the field reads; None where it is not as simple as that."""
    key = field.attribute if field.attribute is not None else name
    simple = field._CHECK_ATTRIBUTE and type(field).get_value is base.Field.get_value and "." not in key
    return key if simple else None


def _value(given: Any, name: str, field: base.Field[Any]) -> Any:
    return field.get_value(given, name, accessor=reading.get_value) if field._CHECK_ATTRIBUTE else None


def _unchanged(field: base.Field[Any]) -> frozenset[type]:
    """Types whose values the field writes as they are."""
    kind: Any = type(field)
    if kind._serialize is base.String._serialize:
        return frozenset({str, NoneType})
    if kind._serialize is base.Number._serialize:
        whole = isinstance(field, base.Integer) and kind._format_num is base.Number._format_num and not field.as_string
        return frozenset({int, NoneType}) if whole else frozenset({NoneType})
    if kind._serialize is base.Field._serialize:
        return frozenset({str, int, float, bool, dict, list, tuple, NoneType})
    return frozenset()
