"""The rows of an inline: records of another resource that refer to one record."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import g, url_for
from sqlalchemy.orm import joinedload

from core.fab.display import name_members, say, show_files, state, translate
from core.fab.forms import label_of
from core.fab.guard import class_name
from core.gateway.request import actor
from core.lists.columns import first_columns
from core.resources.resource import BoundResource, Inline


def related_rows(inline: Inline, other: BoundResource, key: Any) -> dict[str, Any]:
    """What ``guildhall/record_related.html`` shows of the records of ``other`` that refer to ``key``."""
    resource, model = other.resource, other.resource.model
    shown = tuple(inline.columns) or first_columns(other)
    shown = tuple(name for name in shown if name != inline.by)
    order = resource.order.removeprefix("-")
    columns = [getattr(model, order), getattr(model, resource.key)]
    query = sa.select(model).where(getattr(model, inline.by) == key)
    if (visible := other.visible(actor())) is not None:
        query = query.where(visible)
    relations = sa.inspect(model).relationships
    for name in {name.split(".")[0] for name in shown}:
        if name in relations and not relations[name].uselist:
            query = query.options(joinedload(getattr(model, name)))
    descending = resource.order.startswith("-")
    ordered = query.order_by(*(one.desc() if descending else one.asc() for one in columns))
    found = list(g.session.scalars(ordered.limit(inline.limit + 1)))
    records = found[: inline.limit]
    other.fill(g.session, records, shown)
    rows = [{name: _value(record, name) for name in shown} for record in records]
    name_members(other, rows)
    translate(other, rows, records)
    show_files(other, rows, records, small=True)
    say(other, rows, records)
    view = class_name(other)
    may = {
        action: action in resource.actions and actor().can(other.permission(action)) for action in ("create", "update")
    }
    for row, record in zip(rows, records, strict=True):
        pk = other.key_of(record)
        for name, words in resource.states.items():
            if name in row:
                row[name] = state(words)(row[name])
        if "show" in resource.actions:
            row["url"] = resource.page.format(id=pk) if resource.page else url_for(f"{view}.show", pk=pk)
        row["edit_url"] = url_for(f"{view}.edit", pk=pk) if may["update"] else ""
    everything = url_for(f"{view}.list")
    if inline.by in resource.filters:
        everything = url_for(f"{view}.list", **{f"_flt_0_{inline.by}": key})
    return {
        "rows": rows,
        "columns": [{"name": name, "label": label_of(other, name)} for name in shown],
        "more": len(found) > inline.limit,
        "list_url": everything,
        "add_url": url_for(f"{view}.add", **{inline.by: key})
        if may["create"] and inline.by in resource.writable
        else "",
        "may_update": may["update"],
    }


def _value(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = getattr(record, name, None)
    return record
