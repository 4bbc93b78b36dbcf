"""What can be done with one record, as buttons of its page: its transitions, operations, and restoring it."""

from __future__ import annotations

from typing import Any

from flask import g, url_for
from flask_babel import gettext

from core.actor import Actor
from core.fab.tabs import registry
from core.gateway.request import actor
from core.resources.resource import RESTORE, BoundResource


def record_acts(key: str, record: Any) -> list[dict[str, Any]]:
    """The buttons of a record on a page that replaces the generated one: a global of every template, for
    ``buttons`` of ``guildhall/record_acts.html``."""
    return acts(registry().resources[key], actor(), record)


def acts(bound: BoundResource, who: Actor, record: Any, *, deleted: bool = False) -> list[dict[str, Any]]:
    """The buttons, transitions first: label, icon, url, danger, and ``asks`` where a page asks for more before."""
    if deleted:
        names = {RESTORE}
    else:
        names = {one.slug for one in bound.possible(who, record)}
        for one in bound.resource.operations:
            if who.can(one.permission) and (one.applies is None or one.applies(g.session, record)):
                names.add(one.name)
    order = {one.slug: place for place, one in enumerate(bound.resource.transitions)}
    chosen = [one for one in bound.operations if one.name in names]
    chosen.sort(key=lambda one: order.get(one.name, len(order)))
    return [
        {
            "label": gettext(one.label),
            "icon": one.icon,
            "danger": one.danger,
            "asks": one.form is not None or one.danger,
            "url": url_for("core_acts_pages.ask_get", resource=bound.key, key=str(bound.key_of(record)), name=one.name),
        }
        for one in chosen
    ]
