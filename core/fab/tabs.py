"""The tabs of a record: its page, what refers to it, its history, what the staff wrote about it."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, url_for
from flask_babel import gettext

from core import lifecycle
from core.comments import service as comments
from core.errors import PermissionMissing, Unauthenticated
from core.fab.guard import class_name
from core.gateway.request import actor
from core.history import reading
from core.i18n import _
from core.registry import Registry
from core.resources.resource import BoundResource, Inline

OWN = "guildhall.tabs"


def tabs(bound: BoundResource, record: Any, active: str) -> list[dict[str, Any]]:
    """The tabs that this actor may open, for ``ui.tabs``; none where there is but one.

    A page of the core's own may bring other tabs: ``app.extensions[OWN]`` has a function for each such resource.
    ``active`` is details, history, comments or the number of an inline.
    """
    if own := current_app.extensions[OWN].get(bound.key):
        found: list[dict[str, Any]] = own(g.session, actor(), record, active)
        return found
    name, key = class_name(bound), bound.key_of(record)
    page = bound.resource.page
    found = [
        {
            "label": gettext(_("Details")),
            "url": page.format(id=key) if page else url_for(f"{name}.show", pk=key),
            "active": active == "details",
        }
    ]
    for number, inline in enumerate(bound.resource.inline):
        if related := listable(inline):
            found.append(
                {
                    "label": gettext(inline.title or related.label_plural),
                    "url": url_for(f"{name}.related", pk=key, number=number),
                    "active": active == str(number),
                }
            )
    if bound.resource.audit and actor().can(reading.SEES):
        url = url_for(f"{name}.history", pk=key)
        found.append({"label": gettext(_("History")), "url": url, "active": active == "history"})
    if comments.may_see(actor(), bound, comments.about_whom(bound, record)):
        found.append(
            {
                "label": gettext(_("Comments")),
                "url": url_for(f"{name}.comments", pk=key),
                "count": comments.count(g.session, bound, key) or None,
                "active": active == "comments",
            }
        )
    return found if len(found) > 1 else []


def record_tabs(key: str, record: Any) -> list[dict[str, Any]]:
    """The tabs of a record on a page that replaces the generated one: a global of every template, for ``ui.tabs``."""
    return tabs(registry().resources[key], record, "details")


def registry() -> Registry:
    found: Registry = current_app.extensions["guildhall"].registry
    return found


def listable(inline: Inline) -> BoundResource | None:
    """The resource whose records an inline shows, where this actor may list them and its plugin is on."""
    for bound in registry().resources.values():
        if bound.resource.model is inline.model and "list" in bound.resource.actions:
            if bound.plugin in lifecycle.disabled(g.session):
                return None
            try:
                bound.visible(actor())
            except (PermissionMissing, Unauthenticated):
                return None
            return bound
    return None
