"""The editor of automations: the form, what it may choose from, checking while one writes, and trying out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from flask import jsonify, request
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.automation_words import OPERATORS, PERIODS, WEEKDAYS, Words
from core.admin.automations import HOME, people, reason
from core.admin.forms import fields_of
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.automations import catalogue, conditions, facts, fitting, service, suggested, trial
from core.automations.action import Action
from core.automations.catalogue import FieldChoice
from core.automations.definition import Definition, Kept
from core.automations.errors import DefinitionInvalid, NameTaken
from core.automations.models import Automation
from core.errors import Invalid
from core.gateway.request import platform
from core.gateway.sentences import told
from core.i18n import _
from core.ids import uuid_of
from core.rest.body import read_json

pages = PageBlueprint("core_automation_editor", url_prefix=HOME)
LONG_TEXT = 300  # characters from which a text gets several lines
TRIED = (10, 20, 50, 100)
Problems = Mapping[str, list[str]]


class NameMissing(Invalid):
    code = "AUTOMATION_NAME_MISSING"
    sentence = _("Give it a name.")


@pages.get("/new", permission=service.CREATE)
def blank(session: Session, actor: Actor) -> Any:
    """An empty form, or one like another automation."""
    like = uuid_of(request.args.get("like", ""))
    definition: dict[str, Any] = {"trigger": {"kind": "event", "event": ""}, "actions": []}
    given = {"name": "", "description": ""}
    if like is not None:
        source = service.find(session, actor, like)
        definition = {part: value for part, value in service.kept(session, source).readable.items() if part != "origin"}
        given = {"name": gettext(_("%(name)s (copy)"), name=source.name)[:120], "description": source.description}
    return _page(session, None, {**given, "definition": definition}, begun=like is not None)


@pages.post("/new", permission=service.CREATE)
def create(session: Session, actor: Actor) -> Any:
    try:
        with session.begin_nested():
            made = service.create(session, actor, **_given())
    except (Invalid, NameTaken) as problem:
        return _refused(session, None, problem)
    flash(_("Saved as a draft. Try it out, then turn it on."))
    return redirect(f"{HOME}/{made.id}")


@pages.get("/<uuid:key>/edit", permission=service.UPDATE)
def edit(session: Session, actor: Actor, key: UUID) -> Any:
    automation = service.find(session, actor, key)
    said = service.kept(session, automation)
    given = {"name": automation.name, "description": automation.description, "definition": said.readable}
    return _page(session, automation, given, begun=True, unread=said.problems)


@pages.post("/<uuid:key>/edit", permission=service.UPDATE)
def save(session: Session, actor: Actor, key: UUID) -> Any:
    automation = service.find(session, actor, key)
    try:
        with session.begin_nested():
            service.change(session, actor, key, **_given())
    except (Invalid, NameTaken) as problem:
        return _refused(session, automation, problem)
    on = automation.state == "on" and automation.version != automation.latest
    flash(_("Saved. The version in force goes on until you turn the new one on.") if on else _("Saved."))
    return redirect(f"{HOME}/{key}")


@pages.get("/fields", permission=service.SEE)
def fields(session: Session, actor: Actor) -> Any:
    """What the editor knows of one event: its help, its fields, and which of them may name the member."""
    return jsonify(_event(session, request.args.get("event", "")[:120]))


@pages.post("/check", permission=service.SEE)
def check(session: Session, actor: Actor) -> Any:
    """What is wrong with the definition in the form, by place; its words; what its lines are as CEL."""
    try:
        written = read_json(request.form.get("definition", ""))
    except Invalid as problem:
        return jsonify(problems=_told(problem), words="", cel="")
    definition, problems = _checked(session, written)
    if definition is None:
        return jsonify(problems=problems, words="", cel="")
    words = render("guildhall/automation_said.html", said=Words(session).said(definition))
    return jsonify(problems=problems, words=words, cel=conditions.compiled(definition.condition))


def _checked(session: Session, written: Any) -> tuple[Definition | None, dict[str, list[str]]]:
    """What there is of a definition, and what is wrong with it by place."""
    missing = _unfinished(written)
    try:
        definition = Definition.read(written)
    except DefinitionInvalid as problem:
        begun = _begun(written)
        # What is left out of it shifts the others, and what stands for a missing action is nobody's mistake.
        rows_left_out = any(place.startswith("condition.rows.") for place in missing)
        shifted = ("actions.0.action",) * ("actions" in missing) + ("condition.rows.",) * rows_left_out
        found = fitting.check(session, begun) if begun else {}
        kept = {place: texts for place, texts in found.items() if not place.startswith(shifted)}
        return begun, _translated(kept) | _told(problem) | missing
    return definition, _translated(fitting.check(session, definition)) | missing


@pages.post("/try", permission=service.UPDATE)
def try_given(session: Session, actor: Actor) -> Any:
    """Try out what stands in the form, saved or not."""
    try:
        return _tried(session, actor, None, _definition())
    except Invalid as problem:
        return _trial_page(None, problems=[one for texts in _told(problem).values() for one in texts])


@pages.post("/<uuid:key>/try", permission=service.UPDATE)
def try_kept(session: Session, actor: Actor, key: UUID) -> Any:
    """Try out the newest version."""
    automation = service.find(session, actor, key)
    return _tried(session, actor, automation, service.kept(session, automation).plain)


@pages.post("/suggestions/<key>/try", permission=service.UPDATE)
def try_suggested(session: Session, actor: Actor, key: str) -> Any:
    """Try out what a plugin suggests, before it is taken over."""
    return _tried(session, actor, None, suggested.find(session, actor, key).suggestion.said)


def _tried(session: Session, actor: Actor, automation: Automation | None, given: Definition | dict[str, Any]) -> Any:
    last = request.form.get("last", 20, type=int)
    try:
        definition = Definition.read(given)
        found = trial.try_out(session, actor, definition, last=last if last in TRIED else 20)
    except DefinitionInvalid as problem:
        return _trial_page(automation, problems=[one for texts in _told(problem).values() for one in texts])
    words = Words(session)
    lines = words.lines(definition)
    shown = [
        {
            "tried": one,
            "why": Markup("; ").join(lines[place] for place in one.missed) or told(one.why),
            "actions": [_would(words, each) for each in one.actions],
        }
        for one in found.tried
    ]
    names = people(session, [one.member_id for one in found.tried])
    return _trial_page(automation, found=found, shown=shown, people=names)


def _would(words: Words, one: trial.TriedAction) -> dict[str, Any]:
    """What an action would have done."""
    known = {"done": _("would be done"), "failed": _("would fail"), "left": _("would not be tried")}
    return {
        "label": gettext(one.label),
        "state": one.state,
        "outcome": gettext(known[one.state]),
        "given": [words.parameter(one.action, name, value) for name, value in one.values.items()],
        "why": reason(one.sentence, one.params),
    }


def _trial_page(automation: Automation | None, **context: Any) -> Any:
    """A part for the page that asked, or a page of its own."""
    part = request.headers.get("HX-Request") == "true"
    given = {"problems": [], "found": None, "shown": [], "people": {}, **context}
    page = render(
        "guildhall/automation_trial.html" if part else "guildhall/automation_tried.html", automation=automation, **given
    )
    return page if part or not given["problems"] else (page, 422)


def _definition() -> Definition:
    """The definition in the form. Raises Invalid."""
    return Definition.read(read_json(request.form.get("definition", "")))


def _given() -> dict[str, Any]:
    name = request.form.get("name", "").replace("\0", "").strip()[:120]
    if not name:
        raise NameMissing({"name": [NameMissing.sentence]})
    description = request.form.get("description", "").replace("\0", "").strip()[:500]
    return {"name": name, "description": description, "definition": _definition()}


def _unfinished(written: Any) -> dict[str, list[str]]:
    """What is not chosen yet, in better words than those for what is wrong."""
    if not isinstance(written, dict):
        return {}
    found: dict[str, list[str]] = {}
    trigger, condition = _mapping(written.get("trigger")), _mapping(written.get("condition"))
    if trigger.get("kind", "event") == "event" and not trigger.get("event"):
        found["trigger.event"] = [gettext(_("Choose what starts it."))]
    for place, row in enumerate(_list(condition.get("rows"))):
        if not _mapping(row).get("field"):
            found[f"condition.rows.{place}.field"] = [gettext(_("Choose a field."))]
    if not written.get("actions"):
        found["actions"] = [gettext(_("Add at least one action."))]
    return found


def _begun(written: Any) -> Definition | None:
    """What is there of a definition that is not finished, to be put into words; None where it is too little."""
    if not isinstance(written, dict):
        return None
    condition = _mapping(written.get("condition"))
    rows = [row for row in _list(condition.get("rows")) if _mapping(row).get("field")]
    whole = {
        **written,
        "condition": {**condition, "rows": rows},
        "actions": written.get("actions") or [{"action": "…"}],
    }
    try:
        return Definition.read(whole)
    except DefinitionInvalid:
        return None


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _told(problem: Invalid | NameTaken) -> dict[str, list[str]]:
    """A refusal by place, in the reader's language."""
    if isinstance(problem, NameTaken):
        return {"name": [problem.fill(gettext(problem.sentence))]}
    if isinstance(problem.details, Mapping) and problem.details:
        return _translated(problem.details)
    return {"definition": [problem.fill(gettext(problem.sentence))]}


def _translated(problems: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {str(place): [_sentence(str(one)) for one in texts] for place, texts in problems.items()}


def _sentence(found: str) -> str:
    """What is wrong, in words for who fills in a form."""
    if found == "Field required":
        return str(gettext(_("This is needed.")))
    if found.startswith("String should match pattern"):
        return str(gettext(_("This is not written as the help says.")))
    return told(found)


def _refused(session: Session, automation: Automation | None, problem: Invalid | NameTaken) -> Any:
    form = request.form
    given = {"name": form.get("name", ""), "description": form.get("description", "")}
    shown = {**given, "definition": form.get("definition", "")}
    problems = _told(problem)
    if isinstance(problem, DefinitionInvalid):
        problems |= _unfinished(read_json(shown["definition"]))
    return _page(session, automation, shown, problems=problems, begun=True), problem.status


def _page(
    session: Session,
    automation: Automation | None,
    given: Mapping[str, Any],
    *,
    problems: Problems | None = None,
    begun: bool = False,
    unread: Problems | None = None,
) -> str:
    definition = given["definition"]
    text = definition if isinstance(definition, str) else json.dumps(definition, indent=2, ensure_ascii=False)
    event = Kept.of(definition).event if isinstance(definition, dict) else ""
    groups: dict[str, list[Any]] = {}
    for one in catalogue.events(session):
        groups.setdefault(one.group, []).append(one)
    return render(
        "guildhall/automation_edit.html",
        automation=automation,
        given={**given, "definition": text},
        problems=problems or {},
        unread=unread or {},
        begun=begun,
        groups=groups,
        actions=_actions(session),
        weekdays=[(number, gettext(name)) for number, name in enumerate(WEEKDAYS)],
        zones=sorted(available_timezones()),
        periods=[(value, gettext(label)) for value, label in PERIODS.items()],
        offer={
            "event": _event(session, event),
            "member": [_field(one) for one in catalogue.member_fields(session)],
            "operators": {
                kind: [(name, gettext(label)) for name, label in named.items()] for kind, named in OPERATORS.items()
            },
        },
    )


def _event(session: Session, name: str) -> dict[str, Any]:
    known = next((one for one in catalogue.events(session) if one.value == name), None)
    return {
        "name": name,
        "help": gettext(known.help) if known and known.help else "",
        "fields": [_field(one) for one in catalogue.event_fields(session, name)] if known else [],
        "members": catalogue.member_choices(session, name) if known else [],
        "owner": bool((bound := facts.resource_of(session, name)) and facts.owner_column(bound)),
    }


def _field(one: FieldChoice) -> dict[str, Any]:
    label = gettext(one.label)
    if one.path.count(".") > 1:  # a plugin's figure of members
        label = f"{gettext(one.help)}: {label}"
    return {"path": one.path, "label": label, "kind": one.kind, "options": one.options}


def _actions(session: Session) -> list[dict[str, Any]]:
    """The actions by plugin: ``{label, actions: [{name, label, help, icon, fields, needs_member, moves_value}]}``."""
    plugins = platform().registry.plugins
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, action in sorted(catalogue.actions(session).items()):
        found = {
            "name": name,
            "label": gettext(action.label),
            "help": gettext(action.help) if action.help else "",
            "icon": action.icon,
            "fields": _parameters(session, action),
            "moves_value": action.moves_value,
        }
        groups.setdefault(name.split(".")[0], []).append(found)
    return [{"label": gettext(plugins[plugin].label), "actions": found} for plugin, found in groups.items()]


def _parameters(session: Session, action: Action) -> list[dict[str, Any]]:
    """The fields of an action's form; ``long`` where a text may be, ``json`` where it holds more than one value."""
    offered = {name: choices(session) for name, choices in (action.choices or {}).items()}
    schema = catalogue.action_schema(action).get("properties", {})
    shown = fields_of(action.form, {}, offered=offered)
    for one in shown:
        given = schema.get(one["name"], {})
        kinds = [given, *given.get("anyOf", [])]
        one["long"] = one["kind"] == "text" and any(part.get("maxLength", 0) > LONG_TEXT for part in kinds)
        one["json"] = one["kind"] == "text" and any(part.get("type") in ("array", "object") for part in kinds)
    return shown
