"""Behind the list pages: saved views, columns, what filters search, and lists as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, jsonify, request, url_for
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, tried
from core.clock import now
from core.errors import NotFound
from core.export.csv import csv_lines
from core.fab.views import class_name
from core.gateway.request import platform
from core.i18n import _
from core.ids import uuid_of
from core.lists import export, lookup, views
from core.lists.state import ListState
from core.resources.resource import BoundResource

pages = PageBlueprint("core_lists", url_prefix="/admin/lists")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def listed(session: Session, actor: Actor, key: str) -> BoundResource:
    """The resource ``key`` whose list the actor may open. Raises NotFound, PermissionMissing."""
    bound = platform().registry.resources.get(key)
    if bound is None or "list" not in bound.resource.actions or bound.plugin in lifecycle.disabled(session):
        raise NotFound()
    bound.visible(actor)
    return bound


def home_of(bound: BoundResource) -> str:
    """The address of its list."""
    return url_for(f"{class_name(bound)}.list")


def back_to(bound: BoundResource) -> str:
    """Where the form came from, if that is the list itself."""
    home, back = home_of(bound), request.form.get("back", "")
    return back if back.split("?")[0] == home and "\n" not in back else home


def asked_state(bound: BoundResource) -> ListState:
    return ListState.of(bound, request.form.get("query", ""))


@pages.post("/<resource>/columns", signed_in=True)
def columns(session: Session, actor: Actor, resource: str) -> Any:
    """Keep which columns the actor wants to see, in the order that they were sent."""
    bound = listed(session, actor, resource)
    chosen, dense = request.form.getlist("column"), "dense" in request.form
    if chosen:
        tried(session, lambda: views.choose(session, actor, bound, columns=chosen, dense=dense))
    else:
        flash(_("Choose at least one column."), "danger")
    return redirect(_without_columns(bound))


@pages.post("/<resource>/columns/reset", signed_in=True)
def reset(session: Session, actor: Actor, resource: str) -> Any:
    bound = listed(session, actor, resource)
    views.reset(session, actor, bound)
    return redirect(_without_columns(bound))


def _without_columns(bound: BoundResource) -> str:
    state = asked_state(bound)
    pairs = [pair for pair in state.pairs() if pair[0] != "cols"]
    view = uuid_of(request.form.get("view", ""))
    return f"{home_of(bound)}?{urlencode([*pairs, ('view', str(view) if view else 'all')])}"


@pages.post("/<resource>/views", signed_in=True, once=True)
def save(session: Session, actor: Actor, resource: str) -> Any:
    bound, form = listed(session, actor, resource), request.form
    kept: list[UUID] = []

    def change() -> None:
        shared, first = "shared" in form, "first" in form
        view = views.save(session, actor, asked_state(bound), form.get("name", ""), shared=shared, first=first)
        kept.append(view.id)

    if not tried(session, change):
        return redirect(back_to(bound))
    flash(_("Saved as {name}."), name=form.get("name", "").strip())
    return redirect(f"{home_of(bound)}?view={kept[0]}")


@pages.post("/<resource>/views/<uuid:key>", signed_in=True)
def change(session: Session, actor: Actor, resource: str, key: UUID) -> Any:
    """Rename a view, share it or stop, or give it what is shown now."""
    bound, form = listed(session, actor, resource), request.form
    state = asked_state(bound) if "query" in form else None
    shared = form["shared"] == "yes" if "shared" in form else None
    if tried(
        session,
        lambda: views.change(session, actor, bound, key, name=form.get("name"), state=state, shared=shared),
    ):
        flash(_("Saved."))
    return redirect(back_to(bound))


@pages.post("/<resource>/views/<uuid:key>/delete", signed_in=True)
def delete(session: Session, actor: Actor, resource: str, key: UUID) -> Any:
    bound = listed(session, actor, resource)
    views.remove(session, actor, bound, key)
    flash(_("The view is gone."))
    return redirect(f"{home_of(bound)}?view=all")


@pages.post("/<resource>/views/<uuid:key>/first", signed_in=True)
def first(session: Session, actor: Actor, resource: str, key: UUID) -> Any:
    bound = listed(session, actor, resource)
    views.choose(session, actor, bound, first=key)
    flash(_("This view opens first for you now."))
    return redirect(back_to(bound))


@pages.post("/<resource>/views/none/first", signed_in=True)
def no_first(session: Session, actor: Actor, resource: str) -> Any:
    bound = listed(session, actor, resource)
    views.choose(session, actor, bound, first=None)
    flash(_("The list opens with everything again."))
    return redirect(back_to(bound))


@pages.get("/<resource>/lookup/<column>", signed_in=True)
def find(session: Session, actor: Actor, resource: str, column: str) -> Response:
    """What a column of a filter or of the form refers to, by how its name begins, as JSON: ``[{value, text}]``."""
    bound = listed(session, actor, resource)
    target = None
    if column in {*bound.resource.filters, *bound.resource.writable}:
        target = lookup.target_of(platform().registry, actor, bound, column)
    if target is None:
        raise NotFound()
    found = lookup.search(session, actor, target, request.args.get("q", ""))
    return jsonify([{"value": one.key, "text": one.label} for one in found])


@pages.get("/<resource>/export", signed_in=True)
def export_list(session: Session, actor: Actor, resource: str) -> Any:
    """What the address of the list shows, as CSV or XLSX; written into the trail."""
    bound = listed(session, actor, resource)
    state = ListState.read(bound, request.args.items(multi=True))
    shown = views.columns_of(state, views.shown(session, actor, bound).columns)
    format: Literal["csv", "xlsx"] = "xlsx" if request.args.get("format") == "xlsx" else "csv"
    export.begin(session, actor, state, shown, format)
    if format == "xlsx" and export.too_long(session, actor, state):
        flash(export.SheetFull.sentence, "danger")
        return redirect(f"{home_of(bound)}?{state.query or 'view=all'}")
    response = _csv(actor, state, shown) if format == "csv" else _xlsx(actor, state, shown)
    name = f"{bound.path}-{now():%Y-%m-%d}.{format}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _csv(actor: Actor, state: ListState, shown: Sequence[str]) -> Response:
    made = export.table(platform().unit_of_work, actor, state, shown)
    return Response(csv_lines(made), mimetype="text/csv")


def _xlsx(actor: Actor, state: ListState, shown: Sequence[str]) -> Response:
    file = export.xlsx(export.table(platform().unit_of_work, actor, state, shown, export.SHEET))
    response = Response(iter(lambda: file.read(65_536), b""), mimetype=XLSX)
    response.call_on_close(file.close)
    return response
