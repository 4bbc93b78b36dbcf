"""The generated admin pages of a resource, on FAB's CRUD views."""

from __future__ import annotations

import re
from functools import wraps
from typing import Any

from flask import flash, g, has_request_context, redirect, render_template, request, url_for
from flask_appbuilder import ModelView, expose
from flask_babel import gettext, lazy_gettext
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError
from wtforms import BooleanField

from core.errors import DomainError
from core.fab.display import default_columns, name_members, state
from core.fab.forms import form_of, label_of
from core.fab.interface import COUNT_CAP, SEARCH, Interface
from core.gateway.errors import domain_error
from core.gateway.request import actor
from core.gateway.sentences import told
from core.i18n import _
from core.resource import BoundResource

# FAB's method for each of our actions.
METHODS = {"list": "list", "show": "show", "create": "add", "update": "edit", "delete": "delete"}
ACTIONS = {method: action for action, method in METHODS.items()}


FILTER = re.compile(r"_flt_(\d)_(\w+)")
MOST_ROWS = 100


def guarded(view: Any) -> Any:
    """Let pass who may reach at least some records; the gateway answers everybody else, as it does everywhere."""

    @wraps(view)
    def checked(self: Any, *arguments: Any, **path: Any) -> Any:
        self.bound.visible(actor(), ACTIONS[view.__name__])
        return view(self, *arguments, **path)

    return checked


class RequestFilters:
    """One Filters object a request. FAB keeps one a process, which two threads would share."""

    def __get__(self, view: Any, owner: type) -> Any:
        if view is None:
            return self
        template = view.__dict__.get("filters_template")
        if template is None or not has_request_context():
            return template
        kept = g.setdefault("filters", {})
        if id(view) not in kept:
            kept[id(view)] = view.datamodel.get_filters(view.search_columns)
        return kept[id(view)]

    def __set__(self, view: Any, value: Any) -> None:
        view.__dict__["filters_template"] = value


class ResourceView(ModelView):  # type: ignore[misc]
    """Base of every generated view; ``view_of`` makes the subclass of one resource."""

    bound: BoundResource
    page_size = 25
    plugin: str
    _filters = RequestFilters()

    def _init_properties(self) -> None:
        super()._init_properties()
        self.search_columns = [*self.bound.resource.filters]  # FAB takes all columns when none is named
        self._filters = self.datamodel.get_filters(self.search_columns)
        self.order_columns = self._sortable()

    def _sortable(self) -> list[str]:
        """Columns that an index serves, so that no header sorts a large table by hand."""
        indexed = {*self.datamodel.sorts, self.bound.resource.key, self.bound.resource.order.lstrip("-")}
        return [name for name in self.list_columns if name in indexed]

    def render_template(self, template: str, **context: Any) -> Any:
        return super().render_template(template, **{"bound": self.bound, "count_cap": COUNT_CAP, **context})

    def _quick(self) -> dict[str, str]:
        """The search over all searched columns at once."""
        names = ", ".join(str(gettext(label_of(self.bound, key))).lower() for key in self.bound.resource.search)
        text = gettext(_("Search by %(names)s…"), names=names)
        return {"param": SEARCH, "value": request.args.get(SEARCH, ""), "placeholder": text}

    def _get_list_widget(self, *arguments: Any, **named: Any) -> Any:
        widgets = super()._get_list_widget(*arguments, **named)
        shown = widgets["list"].template_args
        shown["value_columns"] = [dict(row) for row in shown["value_columns"]]
        name_members(self.bound, shown["value_columns"], plain=self.list_columns[0], names=g.pop("member_names"))
        return widgets

    def _get_show_widget(self, *arguments: Any, **named: Any) -> Any:
        widgets = super()._get_show_widget(*arguments, **named)
        shown = widgets["show"].template_args
        row = dict(zip(shown["include_columns"], shown["value_columns"], strict=True))
        name_members(self.bound, [row])
        shown["value_columns"] = [row[key] for key in shown["include_columns"]]
        return widgets

    @expose("/list/")
    @guarded
    def list(self) -> Any:
        widgets = self._list()
        if self.bound.resource.search:
            widgets["search"].template_args["quick"] = self._quick()
        return self.render_template(self.list_template, title=gettext(self.bound.label_plural), widgets=widgets)

    @expose("/show/<pk>", methods=["GET"])
    @guarded
    def show(self, pk: str) -> Any:
        if self.bound.resource.page:
            return redirect(self.bound.resource.page.format(id=pk))
        record = self.datamodel.get(pk, action="show")
        detail = ""
        if self.bound.resource.detail:
            context = self.bound.resource.detail(g.session, record)
            detail = Markup(render_template(self.bound.resource.detail_template, record=record, **context))
        widgets = self._get_show_widget(pk, record)
        title = self._title_of(record)
        return self.render_template(
            "guildhall/record.html", pk=pk, title=title, widgets=widgets, related_views=[], detail=detail
        )

    def _list(self) -> Any:
        """FAB's list by the address: what cannot be meant there is passed over."""
        name = type(self).__name__
        order = request.args.get(f"_oc_{name}", ""), request.args.get(f"_od_{name}", "")
        if order[0] not in self.order_columns or order[1] not in ("asc", "desc"):
            order = "", ""
        self._filters.clear_filters()
        for key, values in request.args.lists():
            found = FILTER.fullmatch(key)
            kinds = self._filters.get_search_filters().get(found[2], ()) if found else ()
            if found and int(found[1]) < len(kinds):
                self._filters.add_filter_index(found[2], int(found[1]), values)
        size = _number(f"psize_{name}", self.page_size, MOST_ROWS) or self.page_size
        widgets = self._get_list_widget(
            filters=self._filters,
            order_column=order[0],
            order_direction=order[1],
            page=_number(f"page_{name}", 0, COUNT_CAP // size),  # no pager leads further
            page_size=size,
        )
        self.update_redirect()
        return self._get_search_widget(form=self.search_form.refresh(), widgets=widgets)

    def _title_of(self, record: Any) -> str:
        """What the record calls itself, else the first of its searched columns, else its key."""
        text = str(record)
        if not text.startswith("<"):
            return text
        for key in self.bound.resource.search:
            if value := getattr(record, key):
                return str(value)
        key = str(self.bound.key_of(record))
        return f"{gettext(self.bound.label)} {key if len(key) < 20 else key[-6:]}"

    @expose("/add", methods=["GET", "POST"])
    @guarded
    def add(self) -> Any:
        form = self.add_form.refresh()
        if request.method == "POST" and form.validate():
            values = {key: form[key].data for key in self.add_columns}
            record = self._write(form, lambda: self.bound.create(g.session, actor(), _given(self.bound, values)))
            if record is not None:
                flash(gettext(_("%(label)s created."), label=gettext(self.bound.label)), "success")
                return redirect(self._url("show", record))
        title = gettext(_("New %(label)s"), label=gettext(self.bound.label).lower())
        return self.render_template(
            self.add_template, title=title, widgets=self._get_add_widget(form=form), below=self._below_form()
        )

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @guarded
    def edit(self, pk: str) -> Any:
        record = self.datamodel.get(pk, action="update")
        form = self.edit_form.refresh(request.form) if request.method == "POST" else self.edit_form.refresh(obj=record)
        if request.method == "POST" and form.validate():
            untouched = self.edit_form(formdata=None, obj=record)
            values = {key: form[key].data for key in self.edit_columns if _text(form[key]) != _text(untouched[key])}
            saved = self._write(form, lambda: self.bound.update(g.session, actor(), record, values))
            if saved is not None:
                flash(gettext(_("%(label)s saved."), label=gettext(self.bound.label)), "success")
                return redirect(self._url("show", saved))
        widgets = self._get_edit_widget(form=form)
        title, below = self._title_of(record), self._below_form()
        return self.render_template(self.edit_template, title=title, widgets=widgets, related_views=[], below=below)

    def _below_form(self) -> Markup:
        """What the resource adds to its form."""
        resource = self.bound.resource
        if not resource.form_template:
            return Markup()
        context = resource.form(g.session) if resource.form else {}
        return Markup(render_template(resource.form_template, **context))

    @expose("/delete/<pk>", methods=["POST"])
    @guarded
    def delete(self, pk: str) -> Any:
        record = self.datamodel.get(pk, action="delete")
        try:
            with g.session.begin_nested():
                self.bound.delete(g.session, actor(), record)
        except (DomainError, IntegrityError) as problem:
            known = domain_error(problem)
            flash(known.fill(gettext(known.sentence)) if known else str(problem), "danger")
            return redirect(self._url("show", record))
        flash(gettext(_("%(label)s deleted."), label=gettext(self.bound.label)), "success")
        return redirect(url_for(f"{self.endpoint}.list"))

    def _write(self, form: Any, write: Any) -> Any:
        """Carry out a write; a refusal is shown at its field or on top of the form, and nothing of it stays."""
        try:
            with g.session.begin_nested():
                return write()
        except Exception as problem:
            known = domain_error(problem)
            if known is None or known.status >= 500:
                raise
            placed = False
            for key, sentences in (known.details if isinstance(known.details, dict) else {}).items():
                if key in form:
                    texts = sentences if isinstance(sentences, (list, tuple)) else [sentences]
                    form[key].errors = [*form[key].errors, *(told(str(text)) for text in texts)]
                    placed = True
            if not placed:
                flash(known.fill(gettext(known.sentence)), "danger")
            return None

    def _url(self, method: str, record: Any) -> str:
        return url_for(f"{self.endpoint}.{method}", pk=self.bound.key_of(record))


def _text(field: Any) -> Any:
    """What a field shows. A form says less than the record (no seconds): what shows the same has not changed."""
    shown = field._value() if hasattr(field, "_value") and not isinstance(field, BooleanField) else field.data
    return shown.replace("\r\n", "\n") if isinstance(shown, str) else shown


def _number(name: str, otherwise: int, most: int) -> int:
    """A whole number of the address, ``otherwise`` where there is none, never more than ``most``."""
    given = request.args.get(name, "")
    return min(int(given[:9]), most) if given.isascii() and given.isdigit() else otherwise


def _given(bound: BoundResource, values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the form left empty where the column has a default."""
    columns = bound.resource.columns_of_model
    return {
        key: value
        for key, value in values.items()
        if value is not None
        or columns[key].nullable
        or (columns[key].default is None and columns[key].server_default is None)
    }


def view_of(bound: BoundResource) -> type[ResourceView]:
    """The view class of a resource."""
    resource = bound.resource
    name = class_name(bound)
    order = resource.order.removeprefix("-")
    shown = tuple(resource.columns) or default_columns(resource)
    excluded = {METHODS[action] for action in METHODS if action not in resource.actions}
    searched = tuple(dict.fromkeys([*resource.filters]))
    keys = {*resource.readable, *shown, *resource.writable, *searched}
    labels = {key: lazy_gettext(label_of(bound, key)) for key in keys}
    interface = Interface(bound)
    body: dict[str, Any] = {
        "bound": bound,
        "plugin": bound.plugin,
        "datamodel": interface,
        "route_base": f"/admin/{bound.plugin.replace('_', '-')}/{bound.name.replace('_', '-')}",
        "class_permission_name": bound.key,
        "method_permission_name": {method: action for action, method in METHODS.items()},
        "exclude_route_methods": excluded | {"action", "action_post", "download"},
        "base_permissions": [f"can_{action}" for action in resource.actions],
        "list_columns": list(shown),
        "show_columns": [k for k in resource.readable if not _is_secret(bound, k)],
        "add_columns": list(resource.writable),
        "edit_columns": list(resource.writable),
        "search_columns": list(searched),
        "label_columns": labels,
        "base_order": (order, "desc" if resource.order.startswith("-") else "asc"),
        "add_form": form_of(bound, resource.writable),
        "edit_form": form_of(bound, resource.writable),
        "search_form": form_of(bound, searched, search=True),
        "formatters_columns": {key: state(words) for key, words in resource.states.items()},
    }
    return type(name, (ResourceView,), body)


def class_name(bound: BoundResource) -> str:
    """The name FAB knows the view by: endpoint and template key."""
    return "".join(word.title() for word in bound.key.replace(".", "_").split("_")) + "View"


def _is_secret(bound: BoundResource, key: str) -> bool:
    return bool(bound.resource.columns_of_model[key].info.get("secret"))
