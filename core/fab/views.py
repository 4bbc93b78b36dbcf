"""The generated admin pages of a resource, on FAB's CRUD views."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import Uuid

from core.content_languages import TRANSLATIONS
from core.fab.comment_pages import CommentPages
from core.fab.display import state
from core.fab.forms import form_of, label_of
from core.fab.guard import METHODS, missing
from core.fab.history_pages import HistoryPages
from core.fab.interface import Interface
from core.fab.listing import Listing
from core.fab.record_pages import RecordPages
from core.fab.sections import fieldsets
from core.lists.columns import first_columns, offered_columns
from core.lists.reading import COUNT_CAP
from core.lists.state import class_name
from core.resources.declaration import DELETED_AT
from core.resources.resource import BoundResource


class ResourceView(Listing, RecordPages, HistoryPages, CommentPages):
    """Base of every generated view; ``view_of`` makes the subclass of one resource."""

    plugin: str

    def render_template(self, template: str, **context: Any) -> Any:
        return super().render_template(template, **{"bound": self.bound, "count_cap": COUNT_CAP, **context})


def view_of(bound: BoundResource) -> type[ResourceView]:
    """The view class of a resource."""
    resource = bound.resource
    name = class_name(bound)
    order = resource.order.removeprefix("-")
    shown = first_columns(bound)
    excluded = {METHODS[action] for action in METHODS if action not in resource.actions}
    keys = {*resource.readable, *offered_columns(bound), *resource.writable, *resource.filters, DELETED_AT}
    labels = {key: lazy_gettext(label_of(bound, key)) for key in keys}
    interface = Interface(bound)
    told = [k for k in resource.readable if k != TRANSLATIONS or not resource.translated]
    readable = [k for k in told if not _is_secret(bound, k) and not _is_number(bound, k)]
    body: dict[str, Any] = {
        "bound": bound,
        "plugin": bound.plugin,
        "datamodel": interface,
        "route_base": bound.page_path,
        "class_permission_name": bound.key,
        "method_permission_name": {method: action for action, method in METHODS.items()},
        "exclude_route_methods": excluded | missing(resource) | {"action", "action_post", "download"},
        "base_permissions": [f"can_{action}" for action in resource.actions],
        "list_columns": list(shown),
        "show_columns": readable,
        "add_columns": list(resource.writable),
        "edit_columns": list(resource.writable),
        "search_columns": list(resource.filters),
        "label_columns": labels,
        "base_order": (order, "desc" if resource.order.startswith("-") else "asc"),
        "add_form": form_of(bound, resource.writable),
        "edit_form": form_of(bound, resource.writable),
        "search_form": form_of(bound, (), search=True),
        "formatters_columns": {key: state(words) for key, words in resource.states.items()},
    }
    if resource.sections:
        body["add_fieldsets"] = body["edit_fieldsets"] = fieldsets(resource, resource.writable)
        body["show_fieldsets"] = fieldsets(resource, readable)
    return type(name, (ResourceView,), body)


def _is_number(bound: BoundResource, key: str) -> bool:
    """Whether a column is the long number of the record, which its page has below the title."""
    return key == bound.resource.key and isinstance(bound.resource.columns_of_model[key].type, Uuid)


def _is_secret(bound: BoundResource, key: str) -> bool:
    return bool(bound.resource.columns_known[key].info.get("secret"))


__all__ = ["ResourceView", "class_name", "view_of"]
