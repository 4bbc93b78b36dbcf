"""FAB's way to the tables, mended: bounded counts, eager loading, keys that may be text, no commit."""

from __future__ import annotations

from typing import Any

from flask import g, request
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import Column, asc, desc, func, select
from sqlalchemy.orm import joinedload, selectinload

from core.db.base import names_member
from core.fab.display import default_columns
from core.fab.filters import Converter
from core.gateway.request import actor
from core.members.models import Member
from core.resource import BoundResource
from core.rest.resource import prefix_search

COUNT_CAP = 10_000
SEARCH = "q"


def _sorts(bound: BoundResource) -> dict[str, tuple[str, ...]]:
    """By each column that a whole index begins with: the columns of the shortest such index, and the key."""
    keys = {column.name: key for key, column in bound.resource.columns_of_model.items()}
    found: dict[str, tuple[str, ...]] = {}
    for index in sorted(bound.resource.model.__table__.indexes, key=lambda one: (len(one.expressions), str(one.name))):
        whole = index.dialect_options["postgresql"]["where"] is None
        if whole and all(isinstance(part, Column) and part.name in keys for part in index.expressions):
            names = [keys[part.name] for part in index.expressions]
            found.setdefault(names[0], tuple(dict.fromkeys([*names, bound.resource.key])))
    return found


class Interface(SQLAInterface):  # type: ignore[misc]
    """The datamodel of a generated view. It reads; writing goes through the resource's services."""

    filter_converter_class = Converter

    def __init__(self, bound: BoundResource) -> None:
        super().__init__(bound.resource.model)
        self.bound = bound
        shown = [name.split(".")[0] for name in bound.resource.columns or default_columns(bound.resource)]
        self.eager = tuple(name for name in shown if self.is_relation(name))
        columns = bound.resource.columns_of_model
        self.sorts = _sorts(bound)
        self.people = tuple(name for name in shown if name in columns and names_member(columns[name]))

    def apply_filters(self, query: Any, filters: Any) -> Any:
        query = super().apply_filters(query, filters)
        if (visible := self.bound.visible(actor())) is not None:
            query = query.filter(visible)
        if self.bound.resource.search and (term := request.args.get(SEARCH, "").strip()):
            query = query.filter(prefix_search(self.bound, term[:120].replace("\x00", "")))
        return query

    def query(
        self,
        filters: Any = None,
        order_column: str = "",
        order_direction: str = "",
        page: int | None = None,
        page_size: int | None = None,
        *_select: Any,
    ) -> tuple[int, list[Any]]:
        """The rows of a page, and how many there are in all, in one statement; ``g.member_names`` names their members.

        The number is asked for alone where the page is beyond the last row.
        """
        query = self.session.query(self.obj)
        names = [select(Member.display_name).where(Member.id == getattr(self.obj, key)) for key in self.people]
        also = [self._counted(query, filters), *(name.scalar_subquery() for name in names)]
        found = self.apply_all(
            query.add_columns(*also), filters, order_column, order_direction, page, page_size
        ).all()  # fmt: skip
        g.member_names = {
            getattr(row[0], key): name for row in found for key, name in zip(self.people, row[2:], strict=True) if name
        }
        if found or not page:
            return (found[0][1] if found else 0), [row[0] for row in found]
        return self.query_count(query, filters), []

    def query_count(self, query: Any, filters: Any = None, select_columns: Any = None) -> int:
        """How many rows there are, up to COUNT_CAP + 1: counting millions would take longer than the page."""
        return self.session.scalar(select(self._counted(query, filters))) or 0

    def _counted(self, query: Any, filters: Any) -> Any:
        bounded = self.apply_filters(query, filters).with_entities(self.get_pk()).order_by(None).limit(COUNT_CAP + 1)
        return select(func.count()).select_from(bounded.subquery()).scalar_subquery()

    def apply_order_by(self, query: Any, order_column: str, order_direction: str, *arguments: Any, **named: Any) -> Any:
        """Sort as an index is sorted, so that it serves: its other columns decide among equals, and then the key."""
        if order_column not in self.sorts:
            return super().apply_order_by(query, order_column, order_direction, *arguments, **named)
        turned = asc if order_direction == "asc" else desc
        return query.order_by(*(turned(getattr(self.obj, key)) for key in self.sorts[order_column]))

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
