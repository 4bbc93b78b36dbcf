"""FAB's way to the tables, mended: eager loading, keys that may be text, no filters and no writing of its own."""

from __future__ import annotations

from typing import Any

from flask_appbuilder.models.sqla.filters import SQLAFilterConverter
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy.orm import joinedload

from core.gateway.request import actor
from core.lists.columns import first_columns, relations
from core.resources.resource import BoundResource


class NoFilters(SQLAFilterConverter):  # type: ignore[misc]
    """FAB's filters belong to lists of its own; ours are in ``core.lists``."""

    def convert(self, name: str) -> None:
        return None


class Interface(SQLAInterface):  # type: ignore[misc]
    """The datamodel of a generated view. It reads one record; lists are read by ``core.lists.reading``."""

    filter_converter_class = NoFilters

    def __init__(self, bound: BoundResource) -> None:
        super().__init__(bound.resource.model)
        self.bound = bound
        self.eager = relations(bound, first_columns(bound))

    def get(self, id: Any, filters: Any = None, select_columns: Any = None, *, action: str = "show") -> Any:
        """The record with this key, which may be text. Raises NotFound, as BoundResource.get does."""
        options = [joinedload(getattr(self.obj, name)) for name in self.eager]
        return self.bound.get(self.session, actor(), id, action, options)

    def add(self, item: Any, commit: bool = True) -> None:
        raise NotImplementedError("records are written by the resource's services")

    edit = delete = delete_all = add
