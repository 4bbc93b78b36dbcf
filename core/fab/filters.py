"""Typed filters of generated lists. A value that cannot be read finds nothing; it never breaks the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask_appbuilder.models.filters import BaseFilter
from flask_appbuilder.models.sqla.filters import SQLAFilterConverter
from flask_babel import lazy_gettext
from marshmallow import ValidationError

from core.i18n import _
from core.rest.resource import field_of
from core.rest.schema import storable

Compare = Callable[[Any, Any], Any]


class TypedFilter(BaseFilter):  # type: ignore[misc]
    """Compares a column with a value of its own type."""

    compare: Compare

    def apply(self, query: Any, value: Any) -> Any:
        column = getattr(self.model, self.column_name)
        kind = column.type
        raw = str(value)
        if not storable(raw):
            return query.filter(sa.false())
        if isinstance(kind, sa.Boolean):
            raw = "true" if raw in ("y", "true", "1") else "false"
        if isinstance(kind, sa.DateTime) and len(raw) in (10, 16):
            raw = f"{raw}T00:00Z" if len(raw) == 10 else f"{raw}Z"
        if isinstance(kind, sa.Integer):
            raw = int(raw) if raw.removeprefix("-").isdecimal() and len(raw) < 20 else raw  # type: ignore[assignment]
        try:
            typed = field_of(column, written=False).deserialize(raw)
        except ValidationError:
            return query.filter(sa.false())
        return query.filter(type(self).compare(column, typed))


def _filter(name: str, arg: str, compare: Compare) -> type[TypedFilter]:
    return type(
        f"Filter_{arg}", (TypedFilter,), {"name": lazy_gettext(name), "arg_name": arg, "compare": staticmethod(compare)}
    )


EQUAL = _filter(_("is"), "eq", lambda column, value: column == value)
OTHER = _filter(_("is not"), "neq", lambda column, value: column.is_distinct_from(value))
FROM = _filter(_("at least"), "gt", lambda column, value: column >= value)
UNTIL = _filter(_("at most"), "lt", lambda column, value: column <= value)
AFTER = _filter(_("from"), "from", lambda column, value: column >= value)
BEFORE = _filter(_("before"), "to", lambda column, value: column < value)
BEGINS = _filter(
    _("starts with"),
    "sw",
    lambda column, value: sa.func.lower(column).startswith(value.lower(), autoescape=True),
)


class Converter(SQLAFilterConverter):  # type: ignore[misc]
    """Which filters a column has, by its type; only declared filter columns have any."""

    def convert(self, name: str) -> list[BaseFilter] | None:
        bound = self.datamodel.bound
        if name not in bound.resource.filters:
            return None
        return [kind(name, self.datamodel) for kind in self._kinds(bound, bound.resource.columns_of_model[name])]

    @staticmethod
    def _kinds(bound: Any, column: Any) -> list[type[TypedFilter]]:
        kind = column.type
        if isinstance(kind, sa.Enum) or column.key in bound.resource.states or column.info.get("choices"):
            return [EQUAL, OTHER]
        if isinstance(kind, sa.Boolean):
            return [EQUAL, OTHER]
        if isinstance(kind, sa.String):
            return [BEGINS, EQUAL, OTHER]
        if isinstance(kind, (sa.DateTime, sa.Date)):
            return [AFTER, BEFORE]
        if isinstance(kind, sa.Uuid):
            return [EQUAL]
        return [FROM, UNTIL, EQUAL]
