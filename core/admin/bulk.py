"""Work on many records: what is about to happen, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import request, url_for
from flask_babel import format_decimal, gettext
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.forms import asked_by
from core.admin.lists import asked_state, back_to, home_of, listed
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.audit.trail import plain
from core.errors import NotFound
from core.fab.content_fields import label_of
from core.fab.display import state as state_badge
from core.fab.forms import choices_of, form_of
from core.fab.views import class_name
from core.gateway.request import platform
from core.gateway.sentences import told
from core.i18n import _
from core.ids import new_id, uuid_of
from core.jobs.models import JobRow
from core.lists import bulk
from core.lists.bulk import Chosen
from core.lists.models import BulkItem, BulkRun
from core.members.models import Member
from core.resources.operation import Operation
from core.resources.resource import BoundResource
from core.rest.paging import paginate
from core.wording import words

HOME = "/admin/lists"
pages = PageBlueprint("core_bulk", url_prefix=HOME)
SAMPLE, MOST_VALUES = 5, 6
DO = "do-"


@pages.post("/<resource>/bulk", signed_in=True)
def confirm(session: Session, actor: Actor, resource: str) -> Any:
    """Shows how many records are meant and asks what is to change. Changes nothing."""
    bound = listed(session, actor, resource)
    kind, operation = _meant(bound)
    actor.require(bulk.permission_of(bound, kind, operation))
    return _page(session, actor, bound, kind, operation, new_id())


@pages.post("/<resource>/bulk/run", signed_in=True)
def run(session: Session, actor: Actor, resource: str) -> Any:
    """Do it, and show the report; a form sent twice is done once."""
    bound = listed(session, actor, resource)
    kind, operation = _meant(bound)
    actor.require(bulk.permission_of(bound, kind, operation))
    run_id = uuid_of(request.form.get("run", ""))
    if run_id is None:
        raise NotFound()
    values, errors, form = _given(bound, kind, operation)
    if errors:
        return _page(session, actor, bound, kind, operation, run_id, errors=errors, form=form), 422
    try:
        with session.begin_nested():
            begun = bulk.start(session, actor, _chosen(bound), kind, run_id=run_id, operation=operation, values=values)
    except (bulk.NothingChosen, bulk.NothingToChange, bulk.TooManyChosen, bulk.ChosenChanged) as problem:
        flash(problem.sentence, "danger", **problem.params)
        return _page(session, actor, bound, kind, operation, run_id, form=form), problem.status
    return redirect(f"{HOME}/runs/{begun.id}")


@pages.get("/runs/<uuid:key>", signed_in=True)
def report(session: Session, actor: Actor, key: UUID) -> Any:
    """What came of it: how many were done, and for each that was not, why."""
    found = bulk.reach(session, actor, key)
    bound = platform().registry.resources[found.resource]
    state = request.args.get("state", "")
    query = sa.select(BulkItem).where(BulkItem.run_id == key)
    query = query.where(BulkItem.state == state) if state in ("done", "unchanged", "failed", "waiting") else query
    shown = paginate(session, query, [(BulkItem.position, False)], limit=50, cursor=request.args.get("cursor", ""))
    job = session.get(JobRow, found.job_id) if found.job_id else None
    reverted = session.scalar(sa.select(BulkRun.id).where(BulkRun.reverts_id == key))
    over = found.finished_at is not None or (job is not None and job.state not in ("queued", "running"))
    counts = bulk.counts(session, found)
    may = actor.can(bound.permission("update"))
    return render(
        "guildhall/bulk_report.html",
        run=found,
        bound=bound,
        title=_title(bound, found),
        who=session.scalar(sa.select(Member.display_name).where(Member.id == found.member_id)),
        counts=counts,
        over=over,
        job=job,
        state=state,
        rows=[_row(bound, actor, item) for item in shown.items],
        page=shown,
        names=_names(session, actor, bound, [item.key for item in shown.items]),
        changes=_changes(bound, found),
        reverted=reverted,
        revertable=found.kind == "edit" and over and counts["done"] > 0 and reverted is None and may,
        home=home_of(bound),
    )


@pages.post("/runs/<uuid:key>/revert", signed_in=True)
def revert(session: Session, actor: Actor, key: UUID) -> Any:
    try:
        with session.begin_nested():
            begun = bulk.revert(session, actor, key, new_id=new_id())
    except bulk.NotRevertable as problem:
        flash(problem.sentence, "danger")
        return redirect(f"{HOME}/runs/{key}")
    return redirect(f"{HOME}/runs/{begun.id}")


@pages.post("/runs/<uuid:key>/cancel", signed_in=True)
def stop(session: Session, actor: Actor, key: UUID) -> Any:
    if bulk.stop(session, actor, key).job_id is not None:
        flash(_("It stops after the records that it has begun. What is done stays done."))
    return redirect(f"{HOME}/runs/{key}")


def _meant(bound: BoundResource) -> tuple[str, str]:
    """Which act the form names: its kind and, of an operation, its name. Raises NotFound."""
    what = request.form.get("what", "")
    if what.startswith(DO):
        return "operation", bulk.operation_of(bound, what.removeprefix(DO)).name
    if (what == "edit" and bound.resource.bulk) or (what == "delete" and "delete" in bound.resource.actions):
        return what, ""
    raise NotFound()


def _chosen(bound: BoundResource) -> Chosen:
    if "all" not in request.form:
        return Chosen(asked_state(bound), tuple(request.form.getlist("rowid")) or ("",))
    expected = request.form.get("expected", "")
    return Chosen(asked_state(bound), expected=int(expected) if expected.isdecimal() and len(expected) < 9 else None)


def _page(
    session: Session,
    actor: Actor,
    bound: BoundResource,
    kind: str,
    operation: str,
    run_id: UUID,
    *,
    errors: Mapping[str, str] | None = None,
    form: Any = None,
) -> str:
    chosen = _chosen(bound)
    count = chosen.count(session, actor)
    declared = bulk.operation_of(bound, operation) if kind == "operation" else None
    asked = form or (form_of(bound, tuple(bound.resource.bulk))() if kind == "edit" else None)
    key = getattr(bound.resource.model, bound.resource.key)
    some = session.scalars(sa.select(bound.resource.model).where(*chosen.conditions(actor)).order_by(key).limit(SAMPLE))
    return render(
        "guildhall/bulk.html",
        bound=bound,
        title=_asked(bound, kind, declared, count),
        kind=kind,
        operation=declared,
        what=request.form["what"],
        count=count,
        most=bulk.MOST,
        at_once=bulk.AT_ONCE,
        form=asked,
        ticked=request.form.getlist("change"),
        now=_present(session, actor, bound, chosen) if kind == "edit" and 0 < count <= bulk.MOST else {},
        fields=asked_by(session, declared, request.form if errors else {}) if declared else [],
        errors=errors or {},
        sample=[_name(bound, one) for one in some],
        all="all" in request.form,
        ids=request.form.getlist("rowid"),
        query=request.form.get("query", ""),
        run_id=run_id,
        back=back_to(bound),
        home=home_of(bound),
    )


def _asked(bound: BoundResource, kind: str, declared: Operation | None, count: int) -> str:
    what = gettext(bound.label if count == 1 else bound.label_plural).lower()
    act = gettext(declared.label) if declared else ""
    sentences = {"delete": _("Delete %(number)s %(what)s"), "edit": _("Change %(number)s %(what)s")}
    sentence = sentences.get(kind, _("%(act)s: %(number)s %(what)s"))
    return str(gettext(sentence, act=act, number=format_decimal(count), what=what))


def _given(bound: BoundResource, kind: str, operation: str) -> tuple[dict[str, Any], dict[str, str], Any]:
    """What the form gives: values, sentences by field for what cannot be, and the form of an edit."""
    if kind == "delete":
        return {}, {}, None
    if kind == "edit":
        ticked = tuple(key for key in bound.resource.bulk if key in request.form.getlist("change"))
        form = form_of(bound, tuple(bound.resource.bulk))(request.form)
        partial = form_of(bound, ticked)(request.form)
        partial.validate()
        errors = {
            name: " ".join(told(str(text)) for text in texts)
            for name, texts in partial.errors.items()
            if name in ticked
        }
        for name in errors:
            form[name].errors = list(partial[name].errors)
        return {key: partial[key].data for key in ticked}, errors, form
    declared = bulk.operation_of(bound, operation)
    if declared.form is None:
        return {}, {}, None
    return (*given_by(declared.form), None)


def given_by(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the request's form gives for ``model``: values, or sentences by field for what cannot be."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.annotation is bool:
            given[name] = name in request.form
        elif request.form.get(name, "").strip():
            given[name] = request.form[name].strip()
    try:
        return plain(model(**given).model_dump(mode="json")), {}
    except ValidationError as problem:
        found = {
            str(one["loc"][0]): told(one["msg"].removeprefix("Value error, ")) for one in problem.errors() if one["loc"]
        }
        return {}, found or {"": told(str(problem))}


def _present(session: Session, actor: Actor, bound: BoundResource, chosen: Chosen) -> dict[str, list[tuple[str, int]]]:
    """What the fields of few values hold now, and how often."""
    found: dict[str, list[tuple[str, int]]] = {}
    for key in bound.resource.bulk:
        column = bound.resource.columns_of_model[key]
        if not isinstance(column.type, sa.Boolean) and not choices_of(bound, key, column):
            continue
        attribute = getattr(bound.resource.model, key)
        query = sa.select(attribute, sa.func.count()).where(*chosen.conditions(actor)).group_by(attribute)
        rows = session.execute(query.order_by(sa.func.count().desc()).limit(MOST_VALUES)).tuples()
        found[key] = [(_word(value), number) for value, number in rows]
    return found


def _word(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return str(gettext("Yes") if value else gettext("No"))
    return str(gettext(words(getattr(value, "value", value))))


def _shown(bound: BoundResource, key: str, value: Any) -> Any:
    if key in bound.resource.states and value is not None:
        return state_badge(bound.resource.states[key])(value)
    column = bound.resource.columns_of_model.get(key)
    if column is not None and (isinstance(column.type, sa.Boolean) or choices_of(bound, key, column)):
        return _word(value)
    return "—" if value is None else value


def _changes(bound: BoundResource, found: BulkRun) -> list[tuple[str, Any]]:
    if found.kind != "edit":
        return []
    return [(gettext(label_of(bound, key)), _shown(bound, key, value)) for key, value in found.values.items()]


def _title(bound: BoundResource, found: BulkRun) -> str:
    what = gettext(bound.label_plural).lower()
    if found.kind == "operation":
        names = {one.name: one.label for one in bound.operations}
        return f"{gettext(names.get(found.operation, found.operation))}: {what}"
    sentences = {
        "edit": _("Change of many %(what)s"),
        "delete": _("Deletion of many %(what)s"),
        "revert": _("Many %(what)s as they were"),
    }
    return str(gettext(sentences[found.kind], what=what))


def _row(bound: BoundResource, actor: Actor, item: BulkItem) -> dict[str, Any]:
    problem = item.problem or {}
    sentence = told(problem["sentence"]) if problem else ""
    pairs = [
        (gettext(label_of(bound, key)), _shown(bound, key, value), _shown(bound, key, item.after.get(key)))
        for key, value in item.before.items()
        if value != item.after.get(key)
    ]
    page = bound.resource.page.format(id=item.key)
    url = page or (url_for(f"{class_name(bound)}.show", pk=item.key) if "show" in bound.resource.actions else "")
    return {
        "key": item.key,
        "url": url,
        "state": item.state,
        "pairs": pairs,
        "problem": sentence.format(**problem["params"]) if problem.get("params") else sentence,
    }


def _names(session: Session, actor: Actor, bound: BoundResource, keys: list[str]) -> dict[str, str]:
    """What the records that are still there are called, as far as the actor may know of them."""
    known = [bound.parse_key(key) for key in keys]
    condition = bound.visible(actor)
    column = getattr(bound.resource.model, bound.resource.key)
    query = sa.select(bound.resource.model).where(column.in_(known))
    found = session.scalars(query if condition is None else query.where(condition))
    return {str(bound.key_of(one)): _name(bound, one) for one in found}


def _name(bound: BoundResource, one: Any) -> str:
    text = str(one)
    if not text.startswith("<"):
        return text
    return next((str(value) for key in bound.resource.search if (value := getattr(one, key))), str(bound.key_of(one)))
