"""The generated list of a resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import g, redirect, request, url_for
from flask_appbuilder import ModelView, expose
from flask_babel import gettext
from sqlalchemy import Boolean

from core.db.base import names_member
from core.fab.controls import controls
from core.fab.display import name_members, say, show_files, translate
from core.fab.forms import label_of
from core.fab.guard import guarded
from core.gateway.request import actor
from core.i18n import _
from core.ids import uuid_of
from core.imports.plan import importable
from core.lists import views
from core.lists.bulk import MOST as MOST_AT_ONCE
from core.lists.columns import first_columns, offered_columns, sortable, value_of
from core.lists.export import EXPORT
from core.lists.reading import COUNT_CAP, Rows, page
from core.lists.state import COLUMNS, DELETED, SEARCH, ListState, class_name
from core.resources.declaration import DELETED_AT
from core.resources.resource import RESTORE, BoundResource

PAGE_SIZE, MOST_ROWS = 25, 100
SIZES = (25, 50, 100)
VIEW, EVERYTHING = "view", "all"
Dicts = list[dict[str, Any]]


class Listing(ModelView):  # type: ignore[misc]
    """The list side of a generated view."""

    bound: BoundResource

    @expose("/list/")
    @guarded
    def list(self) -> Any:
        mine = views.shown(g.session, actor(), self.bound)
        asked = uuid_of(request.args.get(VIEW, "")) or (mine.first if not request.args else None)
        active = next((view for view in mine.views if view.id == asked), None)
        if active is not None and not set(request.args) - {VIEW}:
            return redirect(self._address(ListState.of(self.bound, active.query), active.id))
        state = ListState.read(self.bound, request.args.items(multi=True))
        columns = views.columns_of(state, mine.columns)
        shown = (*columns, DELETED_AT) if state.deleted else columns
        size = _number(f"psize_{class_name(self.bound)}", PAGE_SIZE, MOST_ROWS) or PAGE_SIZE
        number = _number(f"page_{class_name(self.bound)}", 0, COUNT_CAP // size)  # no pager leads further
        rows = page(g.session, actor(), state, shown, number=number, size=size)
        self.update_redirect()
        view_id = active.id if active else None
        made = self._rows(shown, rows, state.deleted)
        full = replace(state, columns=tuple(columns), lost=())
        return self.render_template(
            "guildhall/list.html",
            title=self._title(state),
            state=state,
            full=full,
            home=url_for(f"{self.endpoint}.list"),
            heads=self._heads(state, shown, view_id, made),
            rows=made,
            total=rows.total,
            pager=self._pager(state, view_id, number, size, rows),
            quick=self._quick(),
            controls=controls(state, lambda other: self._address(other, view_id), rows.names),
            clear_url=self._address(replace(state, filters=(), term="", lost=()), view_id),
            lost=[name.replace("_", " ") for name in state.lost],
            tabs=self._tabs(mine, active),
            view=active,
            modified=active is not None and ListState.of(self.bound, active.query).query != full.query,
            mine=mine,
            may_share=actor().can(views.SHARE),
            may_keep=actor().session_id is not None and actor().can(views.SAVE),
            offered=self._offered(columns),
            many=self._many(state.deleted),
            deleted_url=self._deleted_url(state),
            most=MOST_AT_ONCE,
            may_export=actor().can(EXPORT),
            may_import=importable(actor(), self.bound),
            kept=self._kept(state, size),
        )

    def _title(self, state: ListState) -> Any:
        name = gettext(self.bound.label_plural)
        return gettext(_("Deleted: %(what)s"), what=name.lower()) if state.deleted else name

    def _address(self, state: ListState, view_id: UUID | None = None, **further: Any) -> str:
        """The address of a state, which keeps the view that it came from."""
        pairs = [*state.pairs(), *((name, str(value)) for name, value in further.items())]
        if view_id is not None or not pairs:
            pairs.append((VIEW, str(view_id) if view_id is not None else EVERYTHING))
        return f"{url_for(f'{self.endpoint}.list')}?{urlencode(pairs)}"

    def _quick(self) -> dict[str, str] | None:
        """The search over all searched columns at once."""
        if not self.bound.resource.search:
            return None
        names = ", ".join(str(gettext(label_of(self.bound, key))).lower() for key in self.bound.resource.search)
        text = gettext(_("Search by %(names)s…"), names=names)
        return {"param": SEARCH, "value": request.args.get(SEARCH, ""), "placeholder": text}

    def _heads(self, state: ListState, columns: Sequence[str], view_id: UUID | None, rows: Dicts) -> Dicts:
        order, known = state.sort or self.bound.resource.order, self.bound.resource.columns_known
        heads, lead = [], lead_of(self.bound, columns)
        for name in columns:
            mine = order.lstrip("-") == name
            head: dict[str, Any] = {"name": name, "label": gettext(label_of(self.bound, name))}
            head["direction"] = ("desc" if order.startswith("-") else "asc") if mine else None
            counts = _counts(known[name]) if name in known else any(_is_number(row["cells"][name]) for row in rows)
            head["kind"] = "num" if counts else ""
            head["lead"] = name == lead
            if name in sortable(self.bound):
                down = order == name or (not mine and head["kind"] == "num") or (not mine and _is_date(known[name]))
                turned = replace(state, sort=f"-{name}" if down else name, lost=())
                head["sort_url"] = self._address(turned, view_id)
            heads.append(head)
        return heads

    def _rows(self, columns: Sequence[str], rows: Rows, deleted: bool) -> Dicts:
        """What each row shows, and where it leads."""
        bound, me = self.bound, actor()
        cells = [{name: value_of(record, name) for name in columns} for record in rows.records]
        name_members(bound, cells, plain=lead_of(bound, columns), names=rows.names)
        translate(bound, cells, rows.records)
        show_files(bound, cells, rows.records, small=True)
        say(bound, cells, rows.records)
        formats = self.formatters_columns
        for row in cells:
            row.update(
                {name: formats[name](row[name]) for name in columns if name in formats and row[name] is not None}
            )
        may = {
            action: action in bound.resource.actions and me.can(bound.permission(action)) and not deleted
            for action in ("update", "delete")
        }
        shows = "show" in bound.resource.actions
        made = []
        for record, row in zip(rows.records, cells, strict=True):
            key = bound.key_of(record)
            edit = url_for(f"{self.endpoint}.edit", pk=key) if may["update"] else ""
            url = (bound.resource.page.format(id=key) or url_for(f"{self.endpoint}.show", pk=key)) if shows else edit
            if deleted:
                url = url_for(f"{self.endpoint}.show", pk=key, deleted="yes") if shows else ""
            remove = url_for(f"{self.endpoint}.deletion", pk=key) if may["delete"] else ""
            made.append({"key": key, "cells": row, "url": url, "edit": edit, "delete": remove})
        return made

    def _pager(self, state: ListState, view_id: UUID | None, number: int, size: int, rows: Rows) -> dict[str, Any]:
        name = class_name(self.bound)
        given = {} if size == PAGE_SIZE else {f"psize_{name}": size}

        def at(other: int) -> str:
            return self._address(state, view_id, **given, **{f"page_{name}": other})

        first = number * size + 1
        last = min(first + size - 1, rows.total)
        further = last < rows.total and number < COUNT_CAP // size
        sizes = [(one, self._address(state, view_id, **{f"psize_{name}": one}), one == size) for one in SIZES]
        return {
            "first": first,
            "last": last,
            "previous": at(number - 1) if number else "",
            "next": at(number + 1) if further else "",
            "sizes": sizes if rows.total > SIZES[0] else [],
        }

    def _tabs(self, mine: views.Shown, active: Any) -> Dicts:
        """The saved views as links; everything comes first."""
        home = url_for(f"{self.endpoint}.list")
        found = [{"label": gettext(_("All")), "url": f"{home}?{VIEW}={EVERYTHING}", "active": active is None}]
        for view in mine.views:
            address = self._address(ListState.of(self.bound, view.query), view.id)
            icon = "users" if view.shared else ""
            found.append({"label": view.name, "url": address, "active": view is active, "icon": icon})
        return found

    def _kept(self, state: ListState, size: int) -> Sequence[tuple[str, str]]:
        """What the form of the filters carries along."""
        carried = (COLUMNS, DELETED)
        kept = [(name, value) for name, value in state.pairs() if name.startswith("_o") or name in carried]
        return kept if size == PAGE_SIZE else [*kept, (f"psize_{class_name(self.bound)}", str(size))]

    def _offered(self, columns: Sequence[str]) -> Dicts:
        """The columns to choose from: those that are shown, in their order, then the others."""
        rest = [name for name in offered_columns(self.bound) if name not in columns]
        return [
            {
                "name": name,
                "label": gettext(label_of(self.bound, name)),
                "shown": name in columns,
                "first": name in first_columns(self.bound),
            }
            for name in [*columns, *rest]
        ]

    def _deleted_url(self, state: ListState) -> str:
        """Where the deleted records are, for who may restore them; from there, the way back to the others."""
        if not (self.bound.resource.soft_delete and actor().can(self.bound.permission("delete"))):
            return ""
        return self._address(ListState(self.bound, columns=state.columns, deleted=not state.deleted))

    def _many(self, deleted: bool) -> Dicts:
        """What can be done with many at once."""
        bound, me = self.bound, actor()
        found: Dicts = []
        if deleted:
            label, icon = gettext(_("Restore…")), "arrow-back-up"
            return [{"what": f"do-{RESTORE}", "label": label, "icon": icon, "danger": False}]
        if bound.resource.bulk and me.can(bound.permission("update")):
            found.append({"what": "edit", "label": gettext(_("Edit…")), "icon": "pencil", "danger": False})
        for one in bound.operations:
            if me.can(one.permission) and not (one.name == RESTORE and bound.resource.soft_delete):
                label = gettext(one.label) + "…"
                found.append({"what": f"do-{one.name}", "label": label, "icon": one.icon, "danger": one.danger})
        if "delete" in bound.resource.actions and me.can(bound.permission("delete")):
            found.append({"what": "delete", "label": gettext(_("Delete…")), "icon": "trash", "danger": True})
        return found


def lead_of(bound: BoundResource, columns: Sequence[str]) -> str:
    """The column that names a record: the first that is no number, moment or yes and no; else the first of all."""
    known = bound.resource.columns_known
    plain = (name for name in columns if name not in known or not _only_measures(known[name]))
    return next(plain, columns[0])


def _only_measures(column: Any) -> bool:
    return _counts(column) or _is_date(column) or isinstance(column.type, Boolean)


def _counts(column: Any) -> bool:
    """Whether a column holds numbers that are read as such."""
    return issubclass(column.type.python_type, (int, float, Decimal)) and not (
        isinstance(column.type, Boolean) or column.primary_key or names_member(column)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_date(column: Any) -> bool:
    return issubclass(column.type.python_type, date)


def _number(name: str, otherwise: int, most: int) -> int:
    """A whole number of the address, ``otherwise`` where there is none, never more than ``most``."""
    given = request.args.get(name, "")
    return min(int(given[:9]), most) if given.isascii() and given.isdigit() else otherwise
