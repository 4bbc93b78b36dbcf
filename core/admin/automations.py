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
from core.automations import fitting, queries, running, service, suggested, transfer
from core.automations.definition import Kept
from core.automations.errors import DefinitionInvalid, FileInvalid
from core.automations.live import SWITCH
from core.automations.models import RUN_STATES, Automation, AutomationRun
from core.automations.yaml_text import written
from core.errors import Forbidden
from core.events.models import EventRow
from core.gateway.sentences import told
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
        missing = list(fitting.check(session, definition).values()) if definition else []
        why = told(missing[0][0]) if missing else ""
        row = {"url": f"{HOME}/{one.id}", "automation": one, "said": said, "did": did[one.id]}
        rows.append({**row, "readable": definition is not None, "waits": one.state == "on" and missing, "why": why})
    return render(
        "guildhall/automations.html",
        rows=rows,
        text=text,
        state=state,
        states=[(value, gettext(label)) for value, label in STATES.items()],
        stopped=SWITCH in switches.pulled(session),
        suggestions=_suggestions(session, actor),
    )


@pages.get("/<uuid:key>", permission=service.SEE)
def show(session: Session, actor: Actor, key: UUID) -> Any:
    """One automation: its sentence, how it stands, its versions and its runs."""
    automation = service.find(session, actor, key)
    words = Words(session)
    newest = service.kept(session, automation)
    definition = newest.definition
    older = None
    if automation.version and automation.version != automation.latest:
        older = service.kept(session, automation, automation.version)
    state, before = request.args.get("show", ""), uuid_of(request.args.get("before", ""))
    state = state if state in RUN_STATES else ""
    found = service.runs(session, actor, key, state=state, before=before, limit=A_PAGE + 1)
    return render(
        "guildhall/automation.html",
        automation=automation,
        here=f"{HOME}/{key}",
        kind=definition.trigger.kind if definition else "",
        said=words.said(definition) if definition else None,
        written=written(newest.plain),
        said_in_force=words.said(older.definition) if older and older.definition else None,
        source=_source(session, actor, words, automation),
        standing=service.standing(session, automation),
        versions=_versions(session, actor, words, key),
        runs=[run_row(words, one) for one in found[:A_PAGE]],
        older=found[A_PAGE - 1].id if len(found) > A_PAGE else None,
        newer=before is not None,
        show=state,
        tabs=_tabs(f"{HOME}/{key}", state),
        people=people(session, [automation.enabled_by, *(one.member_id for one in found)]),
        moves_value=definition is not None and any(_moves_value(words, step.action) for step in definition.actions),
        state_label=gettext(STATES[automation.state]),
    )


@pages.get("/runs/<uuid:key>", permission=service.SEE)
def run(session: Session, actor: Actor, key: UUID) -> Any:
    """One run: what started it, what each action came to, how long it took."""
    found = service.run_of(session, actor, key)
    automation = service.find(session, actor, found.automation_id)
    words = Words(session)
    said = service.kept(session, automation, found.version).definition
    return render(
        "guildhall/automation_run.html",
        automation=automation,
        run=found,
        here=f"{HOME}/{automation.id}",
        row=run_row(words, found),
        said=words.said(said) if said else None,
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
        sentences = [told(text) for texts in problem.details.values() for text in texts]
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
    if tried(session, lambda: _brought_back(session, actor, automation, number)):
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


def _brought_back(session: Session, actor: Actor, automation: Automation, number: int) -> None:
    definition = service.definition_of(session, automation, number)
    service.change(session, actor, automation.id, definition=definition)


def _source(session: Session, actor: Actor, words: Words, automation: Automation) -> dict[str, Any] | None:
    """The suggestion that it was taken over from, and what that says otherwise by now; None for any other."""
    found = suggested.of_automation(session, actor, automation)
    if found is None:
        return None
    one, copy = found
    changes = words.changes(copy.taken, one.suggestion.said) if copy.changed and copy.taken else []
    return {"one": one, "plugin": plugin_label(session, one.plugin), "taken": copy, "changes": changes}


def _suggestions(session: Session, actor: Actor) -> list[dict[str, Any]]:
    return [
        {
            "url": f"{HOME}/suggestions/{one.key}",
            "plugin": plugin_label(session, one.plugin),
            "label": gettext(one.suggestion.label),
            "about": gettext(one.suggestion.description) if one.suggestion.description else "",
            "copies": one.copies,
        }
        for one in suggested.listing(session, actor)
    ]


def plugin_label(session: Session, name: str) -> str:
    """What people call a plugin."""
    plugin = session.info["registry"].plugins[name]
    return str(gettext(plugin.label))


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
        after = Kept.of(one.definition).definition
        earlier = Kept.of(before.definition).definition if before else None
        changes = words.changes(earlier, after) if earlier and after else []
        by = names.get(one.member_id) if one.member_id else None
        said = {"readable": after is not None, "changes": changes, "first": before is None}
        rows.append({"version": one, "by": by, **said})
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
