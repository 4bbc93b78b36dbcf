"""FAB's way to the tables, mended: bounded counts, eager loading, keys that may be text, no commit."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from core.fab.filters import Converter
from core.gateway.request import actor
from core.resource import BoundResource
from core.rest.resource import prefix_search

COUNT_CAP = 10_000
SEARCH = "q"


class Interface(SQLAInterface):  # type: ignore[misc]
    """The datamodel of a generated view. It reads; writing goes through the resource's services."""

    filter_converter_class = Converter

    def __init__(self, bound: BoundResource) -> None:
        super().__init__(bound.resource.model)
        self.bound = bound
        shown = [name.split(".")[0] for name in bound.resource.columns]
        self.eager = tuple(name for name in shown if self.is_relation(name))

    def apply_filters(self, query: Any, filters: Any) -> Any:
        query = super().apply_filters(query, filters)
        if (visible := self.bound.visible(actor())) is not None:
            query = query.filter(visible)
        if self.bound.resource.search and (term := request.args.get(SEARCH, "").strip()):
            query = query.filter(prefix_search(self.bound, term[:120].replace("\x00", "")))
        return query

    def query_count(self, query: Any, filters: Any = None, select_columns: Any = None) -> int:
        """How many rows there are, up to COUNT_CAP + 1: counting millions would take longer than the page."""
        bounded = self.apply_filters(query, filters).with_entities(self.get_pk()).order_by(None).limit(COUNT_CAP + 1)
        return self.session.scalar(select(func.count()).select_from(bounded.subquery())) or 0

    def apply_all(self, query: Any, *arguments: Any, **named: Any) -> Any:
        for name in self.eager:
            many = self.is_relation_many_to_many(name) or self.is_relation_one_to_many(name)
            query = query.options((selectinload if many else joinedload)(getattr(self.obj, name)))
        return super().apply_all(query, *arguments, **named)

    def get(self, id: Any, filters: Any = None, select_columns: Any = None, *, action: str = "show") -> Any:
        """The record with this key, which may be text. Raises NotFound, as BoundResource.get does."""
        options = [joinedload(getattr(self.obj, name)) for name in self.eager]
        return self.bound.get(self.session, actor(), id, action, options)

    def add(self, item: Any, commit: bool = True) -> None:
        raise NotImplementedError("records are written by the resource's services")

    edit = delete = delete_all = add
