"""Pages of imports: send a file, say what its columns are, try it, bring it in, mend what was wrong, undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.lists import home_of
from core.admin.pages import PageBlueprint, redirect, render, tried
from core.errors import DomainError
from core.fab.forms import choices_of, label_of
from core.files.errors import FileEmpty
from core.gateway.request import platform
from core.gateway.sentences import told
from core.i18n import _
from core.imports import failed, service
from core.imports.errors import FileUnreadable, ImportFileForgotten
from core.imports.models import Import, ImportProblem
from core.imports.plan import BLANK, Plan, allow, existing_choices, targets, unique_keys, usable_as_key
from core.imports.references import by_what, target_of
from core.jobs import queue as jobs
from core.jobs.models import JobRow
from core.members.models import Member
from core.resources.resource import BoundResource
from core.rest.paging import paginate

HOME = "/admin/imports"
pages = PageBlueprint("core_imports", url_prefix="/admin")
PAGE, SHOWN = 50, 50
ACTIONS = {"create": _("New"), "update": _("Updated"), "leave": _("Left as it is"), "fail": _("Cannot be taken")}
REFUSALS = {"RecordsUnavailable", "PermissionMissing", "ImportFileForgotten", "FileUnreadable", "FileTooLong"}
TONES = {"create": "ok", "update": "info", "leave": "off", "fail": "bad"}


@pages.get("/lists/<resource>/imports", signed_in=True)
def imports(session: Session, actor: Actor, resource: str) -> str:
    """The imports of one resource, the newest first, and a form for the next file."""
    bound = service.resource_of(session, resource)
    allow(actor, bound)
    query = service.of_resource(actor, bound)
    page = paginate(session, query, [(Import.id, True)], limit=PAGE, cursor=request.args.get("cursor", ""))
    return render(
        "guildhall/imports.html",
        bound=bound,
        page=page,
        halted={row.id for row in page.items if service.stopped(session, row)},
        home=home_of(bound) if "list" in bound.resource.actions else "/",
        fields=_fields(session, actor, bound),
        figure=_figures,
    )


@pages.post("/lists/<resource>/imports", signed_in=True)
def upload(session: Session, actor: Actor, resource: str) -> Any:
    """Take a file."""
    bound = service.resource_of(session, resource)
    sent, made = request.files.get("file"), []

    def act() -> None:
        if sent is None or not sent.filename:
            raise FileEmpty()
        made.append(service.upload(session, actor, bound, sent.stream, sent.filename).id)

    return redirect(f"{HOME}/{made[0]}" if tried(session, act) else f"/admin/lists/{bound.key}/imports")


@pages.get("/imports/<uuid:key>", signed_in=True)
def one(session: Session, actor: Actor, key: UUID) -> str:
    """One import: what its columns are, how far it is, what it found, and what can be done next."""
    row, bound = service.find(session, actor, key)
    plan = Plan.of(row.plan)
    header: tuple[str, ...] = ()
    preview: list[service.Preview] = []
    gone = ""
    if row.state in ("uploaded", "checked"):
        try:
            with service.opened(session, row) as sheet:
                header = sheet.header
                preview = service.preview(session, actor, row, sheet, plan)
        except (ImportFileForgotten, FileUnreadable) as problem:
            gone = problem.fill(gettext(problem.sentence))
    wrong, found = _wrong(session, row, bound)
    maker = session.get(Member, row.member_id) if row.member_id else None
    return render(
        "guildhall/import.html",
        row=row,
        bound=bound,
        plan=plan,
        job=jobs.find(session, row.job_id),
        halted=service.stopped(session, row),
        why=_why(jobs.find(session, row.job_id)),
        who=maker.display_name if maker else "",
        header=header,
        fields=_fields(session, actor, bound) if header else [],
        keys=_keys(bound, plan),
        existing=[(one, EXISTING_WORDS[one]) for one in existing_choices(actor, bound)],
        blank=[(one, BLANK_WORDS[one]) for one in BLANK],
        preview=[_previewed(bound, one) for one in preview],
        shown=[(name, gettext(label_of(bound, name))) for name in _shown(bound, plan)],
        gone=gone,
        wrong=wrong,
        found=found,
        mendable=row.file_id is not None and row.state not in ("undoing", "undone"),
        may_undo=_may_undo(actor, row, bound),
        home=home_of(bound) if "list" in bound.resource.actions else "",
    )


@pages.get("/imports/<uuid:key>/problems.csv", signed_in=True)
def problems(session: Session, actor: Actor, key: UUID) -> Any:
    """The rows that were not taken, as a file that can be mended and sent again."""
    row, bound = service.find(session, actor, key)
    lines: list[str] = []
    if not tried(session, lambda: lines.extend(failed.failed_lines(session, row, bound, _say))):
        return redirect(f"{HOME}/{key}")
    response = Response(_parts(lines), mimetype="text/csv")
    name = f"{row.name.rpartition('.')[0] or bound.path}-problems.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@pages.post("/imports/<uuid:key>/plan", signed_in=True)
def plan(session: Session, actor: Actor, key: UUID) -> Any:
    """Keep what the columns are; and try the file, where the form asks for it."""
    _row, bound = service.find(session, actor, key)
    form = request.form
    names = [one.name for one in targets(bound)]
    given = Plan(
        {name: form[f"column-{name}"] for name in names if form.get(f"column-{name}")},
        {name: form[f"constant-{name}"] for name in names if form.get(f"constant-{name}", "").strip()},
        tuple(filter(None, form.get("keys", "").split(","))),
        form.get("existing", "update"),
        form.get("blank", "keep"),
    )
    keep = service.choose if "look" in form else service.try_out
    return _go(session, key, lambda: keep(session, actor, key, given))


@pages.post("/imports/<uuid:key>/start", signed_in=True)
def start(session: Session, actor: Actor, key: UUID) -> Any:
    return _go(session, key, lambda: service.start(session, actor, key))


@pages.post("/imports/<uuid:key>/cancel", signed_in=True)
def cancel(session: Session, actor: Actor, key: UUID) -> Any:
    return _go(session, key, lambda: service.cancel(session, actor, key))


@pages.post("/imports/<uuid:key>/go-on", signed_in=True)
def go_on(session: Session, actor: Actor, key: UUID) -> Any:
    return _go(session, key, lambda: service.go_on(session, actor, key))


@pages.post("/imports/<uuid:key>/undo", signed_in=True)
def undo(session: Session, actor: Actor, key: UUID) -> Any:
    return _go(session, key, lambda: service.undo(session, actor, key, reason=request.form.get("reason", "")))


EXISTING_WORDS = {"update": _("Update it"), "leave": _("Leave it as it is"), "refuse": _("Refuse the row")}
BLANK_WORDS = {"keep": _("Keep what is there"), "clear": _("Clear the field, where it may be empty")}


def _go(session: Session, key: UUID, act: Callable[[], Any]) -> Any:
    tried(session, act)
    return redirect(f"{HOME}/{key}")


def _say(text: str) -> str:
    return str(gettext(told(text)))


def _parts(lines: list[str]) -> Iterator[str]:
    for start in range(0, len(lines), 500):
        yield "".join(lines[start : start + 500])


def _why(job: JobRow | None) -> str:
    """Why a job has failed, where that is a refusal of the import's own; of anything else the jobs page tells."""
    name, _colon, text = ((job and job.error) or "").partition(": ")
    return _say(text) if name in REFUSALS else str(gettext(_("The jobs page tells why.")))


def _may_undo(actor: Actor, row: Import, bound: BoundResource) -> bool:
    try:
        service.may_undo(actor, row, bound)
    except DomainError:
        return False
    return True


def _fields(session: Session, actor: Actor, bound: BoundResource) -> list[dict[str, Any]]:
    """What columns can be brought into, each with what is to be written there."""
    found = []
    for one in targets(bound):
        label = gettext(one.label) if one.only_key else gettext(label_of(bound, one.name))
        hint = gettext(_("Only to find records that are there.")) if one.only_key else _hint(bound, one.name, one.kind)
        found.append({"name": one.name, "label": label, "required": one.required, "hint": hint, "key": one.only_key})
    return found


def _hint(bound: BoundResource, name: str, kind: str) -> str:
    column = bound.resource.columns_of_model[name]
    target = target_of(platform().registry, bound, name)
    if target is not None:
        ways = [gettext(label_of(target, way)) for way in by_what(target)]
        return str(gettext(_("ID")) if not ways else gettext(_("%(ways)s or ID"), ways=", ".join(ways)))
    if choices := choices_of(bound, name, column):
        shown = ", ".join(str(label) for _value, label in choices[:5])
        return f"{shown}, …" if len(choices) > 5 else shown
    return str(gettext(HINTS[kind])) if kind in HINTS else ""


HINTS = {"bool": _("Yes or no"), "date": _("2026-05-31, with 14:30 where it is a time (UTC)"), "number": _("Number")}


def _shown(bound: BoundResource, plan: Plan) -> list[str]:
    """The fields that rows have a value for, in the order of the form; the key comes first."""
    known = [one.name for one in targets(bound) if one.name in plan.fields]
    return sorted(known, key=lambda name: name not in plan.keys)


def _keys(bound: BoundResource, plan: Plan) -> list[tuple[str, str]]:
    """By what records can be found: sets that no two have alike, then single fields."""

    def said(names: tuple[str, ...]) -> str:
        known = bound.resource.columns_of_model
        labels = [gettext(_("ID")) if name == bound.resource.key else gettext(label_of(bound, name)) for name in names]
        return " + ".join(labels) if all(name in known for name in names) else ""

    sure = unique_keys(bound)
    found = [("", gettext(_("Nothing: every row is a new record")))]
    found += [(",".join(one), said(one)) for one in sure]
    single = [(one.name,) for one in targets(bound) if (one.name,) not in sure and usable_as_key(bound, one.name)]
    found += [(one[0], gettext(_("%(field)s (not unique)"), field=said(one))) for one in single]
    if plan.keys and ",".join(plan.keys) not in {value for value, _label in found}:
        found.append((",".join(plan.keys), said(plan.keys)))
    return found


def _previewed(bound: BoundResource, one: service.Preview) -> dict[str, Any]:
    problems = [ImportProblem(field=each.field, sentence=each.sentence, params=each.params) for each in one.problems]
    return {
        "line": one.line,
        "action": one.action,
        "word": gettext(ACTIONS[one.action]),
        "tone": TONES[one.action],
        "cells": one.cells,
        "problems": failed.sentences(bound, problems, _say),
    }


def _wrong(session: Session, row: Import, bound: BoundResource) -> tuple[list[dict[str, Any]], int]:
    """The first rows with problems in the newest step, and how many there are."""
    query = service.problems(row).order_by(ImportProblem.line, ImportProblem.field).limit(SHOWN)
    rows = [
        {"line": line, "problems": failed.sentences(bound, list(wrong), _say)}
        for line, wrong in groupby(session.scalars(query), lambda each: each.line)
    ]
    return rows, service.failed_rows(session, row) if rows else 0


def _figures(row: Import) -> dict[str, int]:
    found: dict[str, int] = row.figures.get("done") or row.figures.get("tried") or {}
    return found
