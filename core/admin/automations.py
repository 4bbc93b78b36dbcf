"""The pages of automations: which there are, what one says and did, its runs, turning it on and off, files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.automation_words import Words, outcome
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.automations import fitting, queries, running, service, transfer
from core.automations.definition import Definition
from core.automations.errors import DefinitionInvalid, FileInvalid
from core.automations.live import SWITCH
from core.automations.models import RUN_STATES, Automation, AutomationRun
from core.errors import Forbidden
from core.events.models import EventRow
from core.i18n import _
from core.ids import uuid_of
from core.members.models import Member
from core.switches import service as switches

pages = PageBlueprint("core_automations", url_prefix="/admin/automations")
HOME = "/admin/automations"
A_PAGE = 25
LARGEST_FILE = 1_000_000
STATES = {"draft": _("Draft"), "on": _("On"), "off": _("Off")}


@pages.get("", permission=service.SEE)
def index(session: Session, actor: Actor) -> Any:
    """Every automation with its sentence, how it stands and what it did in the last seven days."""
    text = request.args.get("q", "").replace("\0", "").strip()[:120]
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    words, did = Words(session), queries.figures(session)
    found = service.listing(session, actor, state=state, text=text)
    definitions = queries.definitions(session, found)
    rows = []
    for one in found:
        definition = definitions.get(one.id)
        said = words.said(definition).text if definition else gettext(_("This release cannot read what it says."))
        waits = one.state == "on" and (definition is None or fitting.check(session, definition))
        rows.append({"url": f"{HOME}/{one.id}", "automation": one, "said": said, "waits": waits, "did": did[one.id]})
    return render(
        "guildhall/automations.html",
        rows=rows,
        text=text,
        state=state,
        states=[(value, gettext(label)) for value, label in STATES.items()],
        stopped=SWITCH in switches.pulled(session),
    )


@pages.get("/<uuid:key>", permission=service.SEE)
def show(session: Session, actor: Actor, key: UUID) -> Any:
    """One automation: its sentence, how it stands, its versions and its runs."""
    automation = service.find(session, actor, key)
    words = Words(session)
    newest = service.definition_of(session, automation)
    in_force = newest
    if automation.version and automation.version != automation.latest:
        in_force = service.definition_of(session, automation, automation.version)
    state, before = request.args.get("show", ""), uuid_of(request.args.get("before", ""))
    state = state if state in RUN_STATES else ""
    found = service.runs(session, actor, key, state=state, before=before, limit=A_PAGE + 1)
    return render(
        "guildhall/automation.html",
        automation=automation,
        here=f"{HOME}/{key}",
        definition=newest,
        said=words.said(newest),
        said_in_force=words.said(in_force) if in_force is not newest else None,
        standing=service.standing(session, automation),
        versions=_versions(session, actor, words, key),
        runs=[run_row(words, one) for one in found[:A_PAGE]],
        older=found[A_PAGE - 1].id if len(found) > A_PAGE else None,
        newer=before is not None,
        show=state,
        tabs=_tabs(f"{HOME}/{key}", state),
        people=people(session, [automation.enabled_by, *(one.member_id for one in found)]),
        moves_value=any(_moves_value(words, step.action) for step in newest.actions),
        state_label=gettext(STATES[automation.state]),
    )


@pages.get("/runs/<uuid:key>", permission=service.SEE)
def run(session: Session, actor: Actor, key: UUID) -> Any:
    """One run: what started it, what each action came to, how long it took."""
    found = service.run_of(session, actor, key)
    automation = service.find(session, actor, found.automation_id)
    words = Words(session)
    return render(
        "guildhall/automation_run.html",
        automation=automation,
        run=found,
        here=f"{HOME}/{automation.id}",
        row=run_row(words, found),
        said=words.said(service.definition_of(session, automation, found.version)),
        event=session.get(EventRow, found.event_id) if found.event_id else None,
        results=[_result(words, one) for one in found.results],
        people=people(session, [found.member_id]),
    )


@pages.post("/runs/<uuid:key>/again", permission=service.RUN)
def again(session: Session, actor: Actor, key: UUID) -> Any:
    made: list[AutomationRun] = []
    if tried(session, lambda: made.append(running.run_again(session, actor, key))):
        done = made[0].state == "done"
        flash(_("It has run again, and all of it is done.") if done else _("It has run again, and failed again."),
              "success" if done else "warning")  # fmt: skip
    return redirect(f"{HOME}/runs/{key}")


@pages.post("/<uuid:key>/on", permission=service.ENABLE)
def turn_on(session: Session, actor: Actor, key: UUID) -> Any:
    """Put the newest version in force; one that moves value takes a fresh proof of who does it."""
    version = request.form.get("version", type=int)
    try:
        with session.begin_nested():
            service.turn_on(session, actor, key, version=version)
    except DefinitionInvalid as problem:
        sentences = [gettext(text) for texts in problem.details.values() for text in texts]
        flash(_("It cannot be turned on yet: {reason}"), "danger", reason=" ".join(sentences))
    except Forbidden as problem:
        if problem.page:
            raise
        flash(problem.sentence, "danger", **problem.params)
    else:
        flash(_("The automation is on."))
    return redirect(f"{HOME}/{key}")


@pages.post("/<uuid:key>/off", permission=service.ENABLE)
def turn_off(session: Session, actor: Actor, key: UUID) -> Any:
    reason = request.form.get("reason", "").strip()[:500]
    if tried(session, lambda: service.turn_off(session, actor, key, reason=reason)):
        flash(_("The automation is off."))
    return redirect(f"{HOME}/{key}")


@pages.post("/<uuid:key>/delete", permission=service.DELETE)
def delete(session: Session, actor: Actor, key: UUID) -> Any:
    if not tried(session, lambda: service.delete(session, actor, key)):
        return redirect(f"{HOME}/{key}")
    flash(_("The automation is deleted, with its versions and its log."))
    return redirect(HOME)


@pages.post("/<uuid:key>/versions/<int:number>/back", permission=service.UPDATE)
def bring_back(session: Session, actor: Actor, key: UUID, number: int) -> Any:
    """Write an older version anew, as the newest."""
    automation = service.find(session, actor, key)
    definition = service.definition_of(session, automation, number)
    if tried(session, lambda: service.change(session, actor, key, definition=definition)):
        flash(_("Version {number} is the newest again. Turn it on to put it in force."), number=number)
    return redirect(f"{HOME}/{key}")


@pages.get("/export", permission=service.SEE)
def export_all(session: Session, actor: Actor) -> Response:
    return _file(transfer.write(session, actor), "automations.yaml")


@pages.get("/<uuid:key>/export", permission=service.SEE)
def export(session: Session, actor: Actor, key: UUID) -> Response:
    automation = service.find(session, actor, key)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in automation.name.lower())
    return _file(transfer.write(session, actor, [key]), f"{name.strip('-') or 'automation'}.yaml")


@pages.get("/import", permission=service.CREATE)
def importing(session: Session, actor: Actor) -> Any:
    return render("guildhall/automation_import.html", given="", problems=[])


@pages.post("/import", permission=service.CREATE)
def import_file(session: Session, actor: Actor) -> Any:
    """Make drafts of a file or of pasted text, all or none; what is wrong is told with line and column."""
    given, problem = _yaml()
    if problem is None:
        try:
            with session.begin_nested():
                made = transfer.read(session, actor, given)
        except FileInvalid as refused:
            problem = refused
        else:
            if len(made) == 1:
                flash(_("Here it is. Try it out, then turn it on."))
                return redirect(f"{HOME}/{made[0].id}")
            flash(_("{count} automations are here. Those that are new are drafts."), count=len(made))
            return redirect(HOME)
    details = problem.details if isinstance(problem.details, Mapping) else {}
    problems = [(place, gettext(text)) for place, texts in details.items() for text in texts]
    problems = problems or [("", problem.fill(gettext(problem.sentence)))]
    return render("guildhall/automation_import.html", given=given, problems=problems), 422


def _yaml() -> tuple[str, FileInvalid | None]:
    """The text of the file that was sent, or else what was pasted."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        given = request.form.get("text", "")
        return given, None if given.strip() else FileInvalid({"text": [_("Choose a file or paste its text.")]})
    content = sent.stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        return "", FileInvalid({"file": [_("The file is larger than a megabyte.")]})
    try:
        return content.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return "", FileInvalid({"file": [_("The file is not UTF-8.")]})


def _file(text: str, name: str) -> Response:
    answer = Response(text, mimetype="application/yaml")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _tabs(here: str, state: str) -> list[dict[str, Any]]:
    """The outcomes that the log can be narrowed to, for ``ui.tabs``."""
    labels = [("", gettext(_("All"))), *((one, outcome(one)) for one in RUN_STATES)]
    return [
        {"label": label, "url": f"{here}?show={one}#runs" if one else f"{here}#runs", "active": one == state}
        for one, label in labels
    ]


def _moves_value(words: Words, name: str) -> bool:
    action = words.actions.get(name)
    return bool(action and action.moves_value)


def _versions(session: Session, actor: Actor, words: Words, key: UUID) -> list[dict[str, Any]]:
    """The versions, newest first, each with what it changed and who wrote it."""
    found = service.versions(session, actor, key)
    names = people(session, [one.member_id for one in found])
    rows = []
    for place, one in enumerate(found):
        before = found[place + 1] if place + 1 < len(found) else None
        after = Definition.read(one.definition)
        changes = words.changes(Definition.read(before.definition), after) if before else []
        by = names.get(one.member_id) if one.member_id else None
        rows.append({"version": one, "changes": changes, "by": by, "first": before is None})
    return rows


def run_row(words: Words, one: AutomationRun) -> dict[str, Any]:
    """A run as the log shows it."""
    return {
        "url": f"{HOME}/runs/{one.id}",
        "run": one,
        "outcome": outcome(one.state),
        "trigger": words.event(one.event_name) if one.event_name else "",
        "why": reason(one.sentence, one.params),
        "actions": [_result(words, each) for each in one.results],
    }


def named_rows(session: Session, runs: Sequence[AutomationRun]) -> list[dict[str, Any]]:
    """Runs of several automations as the log shows them, each with the name of its automation."""
    words = Words(session)
    wanted = select(Automation.id, Automation.name).where(Automation.id.in_({one.automation_id for one in runs}))
    names = dict(session.execute(wanted).tuples().all())
    return [
        {**run_row(words, one), "name": names[one.automation_id], "home": f"{HOME}/{one.automation_id}"} for one in runs
    ]


def _result(words: Words, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": words.action(one.get("action", "")),
        "state": one.get("state", ""),
        "outcome": outcome(one.get("state", "")),
        "result": one.get("result") or {},
        "code": one.get("code", ""),
        "why": reason(one.get("sentence", ""), one.get("params") or {}),
    }


def reason(sentence: str, params: Mapping[str, Any]) -> str:
    """A kept sentence in the reader's language, with its parameters."""
    told = gettext(sentence) if sentence else ""
    try:
        return told.format(**params) if params else told
    except (KeyError, IndexError, ValueError):  # written by another release
        return told


def people(session: Session, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """The names of members."""
    keys: Sequence[UUID] = [one for one in ids if one]
    found = select(Member.id, Member.display_name).where(Member.id.in_(keys))
    return dict(session.execute(found).tuples().all())
