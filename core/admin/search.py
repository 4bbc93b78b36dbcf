"""What the command palette finds: records of every resource, what plugins find by themselves, and things to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Response, jsonify, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from core import hooks, lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint
from core.automations import service as automations
from core.automations.queries import named
from core.errors import PermissionMissing, Unauthenticated
from core.fab.views import class_name
from core.gateway.request import platform
from core.hookspecs import Hit
from core.ids import uuid_of
from core.lists import views
from core.lists.conditions import search_for
from core.reports import run as reports
from core.resources.resource import BoundResource

pages = PageBlueprint("core_search", url_prefix="/admin/search")
SHORTEST, LONGEST = 2, 120
EACH = 5


@pages.get("", signed_in=True)
def search(session: Session, actor: Actor) -> Response:
    """Hits as JSON: ``[{label, hint, url}]``. Nothing for a text of fewer than two characters."""
    text = request.args.get("q", "").replace("\x00", "").strip()[:LONGEST]
    if len(text) < SHORTEST:
        return jsonify([])
    resources = list(_open_to(session, actor))
    hits = [
        *_reports(session, actor, text),
        *_views(session, actor, resources, text),
        *_automations(session, actor, text),
        *_deeds(actor, resources, text),
        *_records(session, actor, resources, text),
    ]
    for _plugin, found in hooks.collect(session, "search", actor=actor, text=text):
        hits += found
    return jsonify([{"label": hit.label, "hint": hit.hint, "url": hit.url} for hit in hits])


def _reports(session: Session, actor: Actor, text: str) -> Iterator[Hit]:
    """Reports with a word that begins like the text."""
    if not actor.can("core:report:list"):
        return
    for key, report in reports.available(session, actor).items():
        label = gettext(report.label)
        if text.lower() in label.lower():
            yield Hit(label, f"/admin/reports/{key.replace('.', '/')}", hint=gettext("Report"))


def _views(session: Session, actor: Actor, resources: Iterable[BoundResource], text: str) -> Iterator[Hit]:
    """Saved views by their name: the actor's own and shared ones."""
    by_key = {bound.key: bound for bound in resources}
    for view in views.named(session, actor, list(by_key), text, EACH) if actor.can(views.SAVE) else ():
        bound = by_key[view.resource]
        hint = gettext("View of %(list)s", list=gettext(bound.label_plural))
        yield Hit(view.name, f"{url_for(f'{class_name(bound)}.list')}?view={view.id}", hint=hint)


def _automations(session: Session, actor: Actor, text: str) -> Iterator[Hit]:
    """Automations by their name, and writing a new one."""
    hint = gettext("Automation")
    if actor.can(automations.CREATE) and text.lower() in (label := gettext("New automation")).lower():
        yield Hit(label, "/admin/automations/new", hint=hint)
    for one in named(session, text, EACH) if actor.can(automations.SEE) else ():
        yield Hit(one.name, f"/admin/automations/{one.id}", hint=hint)


def _open_to(session: Session, actor: Actor) -> Iterator[BoundResource]:
    """Resources of enabled plugins of which this actor may list at least their own."""
    off = lifecycle.disabled(session)
    for bound in platform().registry.resources.values():
        if bound.plugin in off or not {"list", "show"} <= set(bound.resource.actions):
            continue
        try:
            bound.visible(actor)
        except (PermissionMissing, Unauthenticated):
            continue
        yield bound


def _deeds(actor: Actor, resources: Iterable[BoundResource], text: str) -> Iterator[Hit]:
    """What can be made here, by its name."""
    for bound in resources:
        label = gettext("New: %(name)s", name=gettext(bound.label))
        may = "create" in bound.resource.actions and actor.can(bound.permission("create"))
        if (may or bound.resource.new_page) and text.lower() in label.lower() and actor.can(bound.permission("create")):
            url = bound.resource.new_page or url_for(f"{class_name(bound)}.add")
            yield Hit(label, url, hint=gettext(platform().registry.plugins[bound.plugin].label))


def _records(session: Session, actor: Actor, resources: Iterable[BoundResource], text: str) -> Iterator[Hit]:
    """Records whose searched columns begin with ``text``, or whose id it is: one statement for all resources."""
    by_key = {bound.key: bound for bound in resources}
    parts = [part for bound in by_key.values() if (part := _part(bound, actor, text)) is not None]
    if not parts:
        return
    for kind, key, label in session.execute(sa.union_all(*parts)):
        bound = by_key[kind]
        page = bound.resource.page
        url = page.format(id=key) if page else url_for(f"{class_name(bound)}.show", pk=key)
        yield Hit(label or str(key), url, hint=gettext(bound.label))


def _part(bound: BoundResource, actor: Actor, text: str) -> Any:
    model, resource = bound.resource.model, bound.resource
    key = getattr(model, resource.key)
    match = _matching(bound, key, text)
    if match is None:
        return None
    name = getattr(model, resource.search[0]) if resource.search else sa.cast(key, sa.Text)
    query = sa.select(sa.literal(bound.key), sa.cast(key, sa.Text), sa.cast(name, sa.Text)).where(match)
    if (visible := bound.visible(actor)) is not None:
        query = query.where(visible)
    return query.limit(EACH).subquery().select()


def _matching(bound: BoundResource, key: Any, text: str) -> sa.ColumnElement[bool] | None:
    if identifier := uuid_of(text):
        same: sa.ColumnElement[bool] = key == identifier
        return same if key.type.python_type is UUID else None
    return search_for(bound, text) if bound.resource.search else None
