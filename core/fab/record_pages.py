"""The generated pages of one record: show, create, change, delete, and what refers to it."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_appbuilder import ModelView, expose
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy.exc import IntegrityError
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField

from core.audit.trail import because
from core.content_languages import text_for_reader
from core.db import locks
from core.db.base import metadata
from core.db.dependants import MOST_COUNTED, dependants
from core.errors import DomainError, NotFound
from core.fab import seen
from core.fab.acts import acts
from core.fab.differences import Teller, label_of_table
from core.fab.display import name_members, say, show_files, translate
from core.fab.forms import label_of, offer
from core.fab.guard import guarded
from core.fab.related import related_rows
from core.fab.seen import text_of
from core.fab.tabs import listable, registry, tabs
from core.fab.uploads import taken, takes_uploads
from core.gateway.request import actor
from core.gateway.sentences import told
from core.history import reading
from core.history.restore import lock_of
from core.i18n import _
from core.lists.state import DELETED
from core.members.standing import reason_given
from core.refusals import domain_error
from core.resources.declaration import DELETED_AT
from core.resources.resource import BoundResource
from core.rest import sent_forms


class RecordPages(ModelView):  # type: ignore[misc]
    """The record side of a generated view."""

    bound: BoundResource

    def _get_show_widget(self, *arguments: Any, **named: Any) -> Any:
        widgets = super()._get_show_widget(*arguments, **named)
        shown = widgets["show"].template_args
        row = dict(zip(shown["include_columns"], shown["value_columns"], strict=True))
        name_members(self.bound, [row])
        translate(self.bound, [row], [arguments[1]])
        show_files(self.bound, [row], [arguments[1]])
        say(self.bound, [row], [arguments[1]])
        shown["value_columns"] = [row[key] for key in shown["include_columns"]]
        return widgets

    @expose("/show/<pk>", methods=["GET"])
    @guarded
    def show(self, pk: str) -> Any:
        if self.bound.resource.page:
            return redirect(self.bound.resource.page.format(id=pk))
        bound, deleted = self.bound, self.bound.resource.soft_delete and DELETED in request.args
        record = bound.get(g.session, actor(), pk, deleted=True) if deleted else self.datamodel.get(pk, action="show")
        bound.fill(g.session, [record])
        detail = ""
        if self.bound.resource.detail:
            context = self.bound.resource.detail(g.session, record)
            detail = Markup(render_template(self.bound.resource.detail_template, record=record, **context))
        widgets = self._get_show_widget(pk, record)
        title = self._title_of(record)
        return self.render_template(
            "guildhall/record.html",
            pk=pk,
            title=title,
            widgets=widgets,
            related_views=[],
            detail=detail,
            tabs=[] if deleted else tabs(bound, record, "details"),
            acts=acts(bound, actor(), record, deleted=deleted),
            deleted_at=getattr(record, DELETED_AT) if deleted else None,
        )

    @expose("/related/<pk>/<int:number>", methods=["GET"])
    @guarded
    def related(self, pk: str, number: int) -> Any:
        """The records of another resource that refer to this one."""
        actor().require(self.bound.permission("show"))
        record = self.datamodel.get(pk, action="show")
        inlines = self.bound.resource.inline
        other = listable(inlines[number]) if number < len(inlines) else None
        if other is None:
            raise NotFound()
        return self.render_template(
            "guildhall/record_related.html",
            title=self._title_of(record),
            pk=pk,
            tabs=tabs(self.bound, record, str(number)),
            inline=inlines[number],
            other=other,
            **related_rows(inlines[number], other, self.bound.key_of(record)),
        )

    def _title_of(self, record: Any) -> str:
        """What the resource or the record calls it, else the first of its searched columns, else its key."""
        if self.bound.resource.title:
            return self.bound.resource.title(g.session, record)
        text = str(record)
        if not text.startswith("<"):
            translated = self.bound.resource.translated
            return next((text_for_reader(record, key) for key in translated if getattr(record, key) == text), text)
        for key in self.bound.resource.search:
            if value := getattr(record, key):
                return str(value)
        key = str(self.bound.key_of(record))
        return f"{gettext(self.bound.label)} {key if len(key) < 20 else key[-6:]}"

    @expose("/add", methods=["GET", "POST"])
    @takes_uploads
    @guarded
    def add(self) -> Any:
        if request.method == "POST":
            sent, refused = taken(self.bound)
            form = offer(self.add_form(formdata=sent), self.bound, actor())
            valid = _valid(form, refused)
        else:
            form, valid = offer(self.add_form.refresh(), self.bound, actor()), False
            _fill(form, [key for key in self.add_columns if request.args.get(key)])
        if valid:
            answer = sent_forms.once(g.session, actor(), lambda: self._create(form))
            if answer is not None:
                return answer
        title = gettext(_("New %(label)s"), label=gettext(self.bound.label).lower())
        return self.render_template(
            self.add_template, title=title, widgets=self._get_add_widget(form=form), below=self._below_form()
        )

    def _create(self, form: Any) -> Any:
        """The way to the record that a checked form makes; None where it is refused."""
        values = {key: form[key].data for key in self.add_columns}
        record = self._write(form, lambda: self.bound.create(g.session, actor(), _given(self.bound, values)))
        if record is None:
            return None
        flash(gettext(_("%(label)s created."), label=gettext(self.bound.label)), "success")
        return redirect(self._url("show", record))

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @takes_uploads
    @guarded
    def edit(self, pk: str) -> Any:
        record = self.datamodel.get(pk, action="update")
        sent = request.method == "POST"
        given, refused = taken(self.bound) if sent else (None, {})
        if sent:  # two who save at once are compared one after the other
            locks.advisory(g.session, lock_of(self.bound, record))
            g.session.refresh(record)
        form = self.edit_form(formdata=given) if sent else self.edit_form.refresh(obj=record)
        offer(form, self.bound, actor(), record)
        untouched = self.edit_form(formdata=None, obj=record)
        form.opened_as = request.form.get(seen.FIELD, "") if sent else seen.token(untouched, self.edit_columns)
        conflict = None
        if sent and _valid(form, refused):
            conflict = self._conflict(record, form, untouched, given)
            if conflict is None:
                values = {
                    key: form[key].data for key in self.edit_columns if text_of(form[key]) != text_of(untouched[key])
                }
                saved = self._write(form, lambda: self.bound.update(g.session, actor(), record, values))
                if saved is not None:
                    flash(gettext(_("%(label)s saved."), label=gettext(self.bound.label)), "success")
                    return redirect(self._url("show", saved))
            else:
                form = conflict["form"]
        return self.render_template(
            self.edit_template,
            title=self._title_of(record),
            widgets=self._get_edit_widget(form=form),
            related_views=[],
            below=self._below_form(),
            conflict=conflict,
        )

    def _conflict(self, record: Any, form: Any, untouched: Any, given: Any) -> dict[str, Any] | None:
        """What somebody else saved since the form was opened, beside what was entered; None where nothing collides.

        The form of the answer holds what was entered, and where nothing was, what is there now; sent once more it is
        saved.
        """
        opened = seen.read(request.form.get(seen.FIELD, ""))
        if opened is None:
            return None
        at, marks = opened
        now = {key: seen.mark(untouched[key]) for key in self.edit_columns}
        changed = [key for key in self.edit_columns if now[key] != marks.get(key)]
        if all(seen.mark(form[key]) == now[key] for key in changed):
            return None
        mine = {key for key in self.edit_columns if seen.mark(form[key]) != marks.get(key)}
        merged = self.edit_form(formdata=_merged(form, untouched, mine, given), obj=record)
        offer(merged, self.bound, actor(), record)
        merged.validate()
        merged.opened_as, merged.unsaved = seen.token(untouched, self.edit_columns), True
        teller = Teller(self.bound, [(key, one[key].data) for key in changed for one in (untouched, form)])
        last = reading.latest(g.session, actor(), self.bound, self.bound.key_of(record))
        return {
            "form": merged,
            "by": last if last is not None and last.at >= at else None,
            "lines": [
                {
                    "key": key,
                    "label": gettext(label_of(self.bound, key)),
                    "now": teller.show(key, untouched[key].data),
                    "mine": teller.show(key, form[key].data) if key in mine else None,
                }
                for key in changed
            ],
        }

    def _below_form(self) -> Markup:
        """What the resource adds to its form."""
        resource = self.bound.resource
        if not resource.form_template:
            return Markup()
        context = resource.form(g.session) if resource.form else {}
        return Markup(render_template(resource.form_template, **context))

    @expose("/deletion/<pk>", methods=["GET"])
    @guarded
    def deletion(self, pk: str) -> Any:
        """What deleting the record would take along, or what forbids it; and the form that asks why."""
        record = self.datamodel.get(pk, action="delete")
        resource, found = self.bound.resource, []
        if not resource.soft_delete:  # there, everything stays as it is
            found = dependants(g.session, metadata, resource.model.__table__, self.bound.key_of(record))
        resources = registry().resources
        return self.render_template(
            "guildhall/record_deletion.html",
            title=self._title_of(record),
            pk=self.bound.key_of(record),
            dependants=[
                {"label": label_of_table(one.table, resources), "count": one.count, "fate": one.fate} for one in found
            ],
            forbidden=any(one.fate == "forbids" for one in found) and self.bound.resource.delete is None,
            most=MOST_COUNTED,
        )

    @expose("/delete/<pk>", methods=["POST"])
    @guarded
    def delete(self, pk: str) -> Any:
        """Delete the record, with the reason that the form asks for."""
        record = self.datamodel.get(pk, action="delete")
        key, reason = self.bound.key_of(record), request.form.get("reason", "")
        try:
            with g.session.begin_nested(), because(g.session, reason_given(reason)):
                self.bound.delete(g.session, actor(), record)
        except (DomainError, IntegrityError) as problem:
            known = domain_error(problem)
            if known is None or known.status >= 500:
                raise
            details = known.details if isinstance(known.details, dict) else {}
            if "reason" in details:
                flash(told(str(details["reason"][0])), "danger")
                return redirect(self._url("deletion", record))
            flash(known.fill(gettext(known.sentence)), "danger")
            return redirect(self._url("show", record))
        flash(self._deleted_flash(key), "success")
        return redirect(url_for(f"{self.endpoint}.list"))

    def _deleted_flash(self, key: Any) -> Any:
        """That it is done, with the way back where there is one."""
        text = gettext(_("%(label)s deleted."), label=gettext(self.bound.label))
        if self.bound.resource.soft_delete:
            url = url_for(f"{self.endpoint}.show", pk=key, deleted="yes")
            return Markup('{} <a href="{}">{}</a>').format(text, url, gettext(_("Bring it back")))
        if not (self.bound.resource.restorable and actor().can(self.bound.permission("create"))):
            return text
        last = reading.latest(g.session, actor(), self.bound, key)
        if last is None or last.verb != "deleted":
            return text
        url = url_for(f"{self.endpoint}.deleted_one", change=last.id)
        return Markup('{} <a href="{}">{}</a>').format(text, url, gettext(_("Bring it back")))

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


def _fill(form: Any, keys: list[str]) -> None:
    """Enter what the address says; a value that cannot be read is passed over."""
    for key in keys:
        try:
            form[key].process_formdata([request.args[key].replace("\x00", "")[:200]])
        except ValueError:
            form[key].data = None
        if hasattr(form[key], "raw_data"):
            form[key].raw_data = None


def _valid(form: Any, refused: dict[str, str]) -> bool:
    """Whether the form can be carried out; what was refused before is said at its field."""
    valid = bool(form.validate())
    for key, sentence in refused.items():
        form[key].errors = [sentence]
    return valid and not refused


def _merged(form: Any, untouched: Any, mine: set[str], given: MultiDict[str, str]) -> MultiDict[str, str]:
    """What a browser would send where what was not entered stood as it is now."""
    merged: MultiDict[str, str] = MultiDict(given)
    for field in form:
        if field.name in mine or field.name not in untouched or field.type == "CSRFTokenField":
            continue
        shown = text_of(untouched[field.name])
        merged.poplist(field.name)
        if isinstance(field, BooleanField):
            if shown:
                merged[field.name] = "y"
        else:
            merged[field.name] = "" if shown is None else str(shown)
    return merged


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
