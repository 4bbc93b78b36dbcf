"""Studio's pages: designs, the designer with its text and preview, what writing would do, and writing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args
from uuid import UUID

from flask import Response, current_app, jsonify, request
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.audit.trail import record
from core.errors import DomainError, Invalid, NotFound
from core.gateway.headers import own_sources
from core.gateway.request import platform
from core.i18n import _
from core.registry import SLUG
from core.rest.body import read_json
from core.studio import writing
from core.studio.design import LONGEST_NAME
from core.studio.drafts import Draft, digest
from core.studio.errors import DesignUnusable, NotShown
from core.studio.merging import merged
from core.studio.outline import ACTIONS, outline
from core.studio.service import PAGES, Studio
from core.wording import words
from core.yamlplugin.reading import FIELD_TYPES, SETTING_TYPES
from core.yamlplugin.schema import AnyField, ComputedSpec
from core.yamlplugin.source import Unreadable

pages = PageBlueprint("core_studio", url_prefix="/admin/studio")
USE = "core:studio:use"
TYPE_LABELS = {
    "text": _("Text of one line"),
    "long_text": _("Long text"),
    "integer": _("Whole number"),
    "decimal": _("Number with decimals"),
    "amount": _("Amount of money"),
    "boolean": _("Yes or no"),
    "date": _("Day"),
    "instant": _("Moment"),
    "choice": _("Choice"),
    "member": _("Member"),
    "reference": _("Record of a resource"),
    "address": _("Blockchain address"),
    "json": _("JSON"),
    "file": _("File"),
}
COLOURS = {
    "blue": _("Blue"),
    "green": _("Green"),
    "yellow": _("Yellow"),
    "red": _("Red"),
    "gray": _("Grey"),
    "purple": _("Purple"),
}
FLAGS = {
    "required": _("Required"),
    "unique": _("No two alike"),
    "search": _("Searched"),
    "filter": _("Filter"),
    "bulk": _("Changed in bulk"),
    "hidden": _("Hidden"),
    "translated": _("In every language"),
}
ALLOWED = {"images": _("Images"), "documents": _("Documents"), "media": _("Sound and video")}
VERBS = {
    "list": _("See the list"),
    "show": _("Open"),
    "create": _("Create"),
    "update": _("Change"),
    "delete": _("Delete"),
}
COMPUTED_TYPES: tuple[str, ...] = get_args(ComputedSpec.model_fields["type"].annotation)
ICONS = Path(__file__).parent / "static" / "icons.txt"


@pages.record
def install(state: Any) -> None:
    """One Studio a process."""
    state.app.extensions["guildhall.studio"] = Studio(state.app.extensions["guildhall"])


def studio() -> Studio:
    found: Studio = current_app.extensions["guildhall.studio"]
    return found


@pages.get("", permission=USE)
def designs(session: Session, actor: Actor) -> Any:
    return _list()


def _list(**context: Any) -> str:
    here = studio()
    rows = []
    for draft in here.drafts.all():
        found = here.look(draft)
        said = found.values if isinstance(found.values, dict) else {}
        rows.append({"draft": draft, "label": said.get("label") or said.get("name"), "mistakes": len(found.mistakes)})
    return render(
        "guildhall/studio.html",
        rows=rows,
        installed=[(name, name) for name in here.installed()],
        waiting=here.waiting(),
        unfinished=writing.unfinished(here),
        config=here.platform.config,
        root=here.root,
        written=lambda draft: draft.written == digest(draft.text),
        **{"given": {}, "wrong": {}, **context},
    )


@pages.post("/new", permission=USE)
def new(session: Session, actor: Actor) -> Any:
    label, name = request.form.get("label", "").strip()[:200], request.form.get("name", "").strip()
    wrong = {}
    if not label:
        wrong["label"] = gettext(_("Say what people call it."))
    if not SLUG.match(name) or len(name) > LONGEST_NAME:
        wrong["name"] = gettext(_("Small letters, digits and single underscores, such as reading_room; at most 27."))
    if wrong:
        return _list(given={"label": label, "name": name}, wrong=wrong), 422
    return redirect(f"/admin/studio/{studio().begin(name, label).id}")


@pages.post("/open", permission=USE)
def open_installed(session: Session, actor: Actor) -> Any:
    """A design of an installed plugin."""
    return redirect(f"/admin/studio/{studio().open(request.form.get('plugin', '')).id}")


@pages.get("/<uuid:key>", permission=USE)
def designer(session: Session, actor: Actor, key: UUID) -> Any:
    draft = studio().drafts.get(key)
    found = studio().look(draft)
    return render(
        "guildhall/studio_design.html",
        draft=draft,
        mistakes=found.mistakes,
        title_text=found.values.get("label") if isinstance(found.values, dict) else "",
        pages=PAGES,
        **_shown(draft, found),
    )


@pages.post("/<uuid:key>", permission=USE)
def save(session: Session, actor: Actor, key: UUID) -> Any:
    """Keep what was entered, as text or in the form; the answer has the text, mistakes, and the form where asked."""
    body = read_json(request.get_data(as_text=True))
    if not isinstance(body, dict) or not isinstance(body.get("mark"), str):
        raise Invalid()
    draft = studio().drafts.get(key)
    text = body.get("text")
    if isinstance(body.get("form"), dict):
        versions = {name: one.version for name, one in platform().registry.plugins.items()}
        try:
            text = merged(draft.text, body["form"], versions, studio().known(draft.plugin))
        except Unreadable:
            raise NotShown(problem=_("Mend the text first: the form cannot show it.")) from None
    if not isinstance(text, str):
        raise Invalid()
    draft = studio().drafts.save(key, text, body["mark"])
    found = studio().look(draft)
    answer = {
        "mark": draft.mark,
        "text": draft.text,
        "mistakes": [one.as_json() for one in found.mistakes],
        "resources": list(found.spec.resources) if found.spec else [],
    }
    if body.get("draw"):
        answer["form"] = render(
            "guildhall/studio_form.html", draft=draft, mistakes=found.mistakes, **_shown(draft, found)
        )
    return jsonify(answer)


@pages.get("/<uuid:key>/preview/<resource>/<page>", permission=USE)
def preview(session: Session, actor: Actor, key: UUID, resource: str, page: str) -> Any:
    """A page of a designed resource, for the frame beside the form: no script runs in it, and nothing leaves it."""
    if page not in PAGES:
        raise NotFound()
    theme = "dark" if request.args.get("theme") == "dark" else "light"
    try:
        html = studio().preview(studio().drafts.get(key), resource, page, locale=str(get_locale()), theme=theme)
        status = 200
    except DomainError as problem:
        html = render("guildhall/studio_unseen.html", sentence=problem.fill(gettext(problem.sentence)), theme=theme)
        status = 200 if isinstance(problem, DesignUnusable) else problem.status  # a design half written is no failure
    answer = Response(html, status, mimetype="text/html")
    ours = own_sources(platform().config)
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {ours}; img-src {ours} data:; font-src {ours}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'; sandbox allow-same-origin"
    )
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


@pages.get("/<uuid:key>/changes", permission=USE)
def changes(session: Session, actor: Actor, key: UUID) -> Any:
    return _changes(studio().drafts.get(key))


def _changes(draft: Draft) -> Any:
    """What writing the design would do, or why it cannot be said."""
    here, plan, refusal, details = studio(), None, "", list[str]()
    try:
        plan = here.plan(draft)
    except DomainError as problem:
        refusal = problem.fill(gettext(problem.sentence))
        details = problem.details["design"] if isinstance(problem.details, dict) else []
    config = here.platform.config
    mine = here.root is not None and (not draft.plugin or here.folder_of(draft.plugin) == here.root / draft.plugin)
    status = 200 if plan else 409
    page = render(
        "guildhall/studio_changes.html",
        draft=draft,
        plan=plan,
        refusal=refusal,
        details=details,
        config=config,
        root=here.root,
        mine=mine,
        unfinished=writing.unfinished(here),
        done=draft.written == digest(draft.text),
        waits=draft.plugin in here.waiting(),
    )
    return page, status


@pages.get("/<uuid:key>/download", permission=USE)
def download(session: Session, actor: Actor, key: UUID) -> Any:
    draft = studio().drafts.get(key)
    plan = studio().plan(draft)
    content = studio().package(draft, plan)
    name = f"{plan.spec.name}-{plan.spec.version}.zip"
    what = {"files": [None, sorted(plan.files)], "digest": [None, plan.digest]}
    record(session, actor, "core.studio.downloaded", subject_type="plugin", subject_id=plan.spec.name, changes=what)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, 200, headers, mimetype="application/zip")


@pages.post("/<uuid:key>/write", permission=USE, step_up=True)
def write(session: Session, actor: Actor, key: UUID) -> Any:
    draft = studio().drafts.get(key)
    accepted, losses = request.form.get("digest", ""), [one.strip() for one in request.form.getlist("losses")]
    session.commit()  # a migration must not wait for what this request has read; alike below
    if tried(session, lambda: writing.write(studio(), actor, draft, accepted, losses=losses)):
        flash(
            _("It is written, and its migration is applied. Start Guildhall again, so that every process takes it in.")
        )
    return redirect(f"/admin/studio/{key}/changes")


@pages.post("/unfinished/<name>/finish", permission=USE, step_up=True)
def finish(session: Session, actor: Actor, name: str) -> Any:
    session.commit()
    if tried(session, lambda: writing.finish(studio(), actor, name)):
        flash(
            _("It is written, and its migration is applied. Start Guildhall again, so that every process takes it in.")
        )
    return redirect("/admin/studio")


@pages.post("/unfinished/<name>/take-back", permission=USE, step_up=True)
def take_back(session: Session, actor: Actor, name: str) -> Any:
    session.commit()
    if tried(session, lambda: writing.take_back(studio(), actor, name)):
        flash(_("It is taken back; nothing of it is left."))
    return redirect("/admin/studio")


@pages.post("/<uuid:key>/delete", permission=USE)
def delete(session: Session, actor: Actor, key: UUID) -> Any:
    studio().drafts.delete(key)
    flash(_("The design is deleted. What was written from it stays."))
    return redirect("/admin/studio")


def _keys(kind: type[AnyField]) -> set[str]:
    """What a field of a type can say, without what it can only deny."""
    return {key for key, one in kind.model_fields.items() if get_args(one.annotation) != (False,)}


def _shown(draft: Draft, found: Any) -> dict[str, Any]:
    """What the form shows."""
    registry = platform().registry
    others = [(key, gettext(one.label)) for key, one in sorted(registry.resources.items()) if one.plugin != "core"]
    return {
        "design": outline(found.values) if isinstance(found.values, dict) or not draft.text.strip() else None,
        "wrong": {one.path: one.message for one in reversed(found.mistakes)},
        "types": [(name, gettext(TYPE_LABELS.get(name, words(name)))) for name in FIELD_TYPES],
        "keys": {name: _keys(kind) for name, kind in FIELD_TYPES.items()},
        "setting_types": [(name, gettext(TYPE_LABELS[name])) for name in SETTING_TYPES],
        "computed_types": [(name, gettext(TYPE_LABELS[name])) for name in COMPUTED_TYPES],
        "allowed": [(name, gettext(label)) for name, label in ALLOWED.items()],
        "flags": [(name, gettext(label)) for name, label in FLAGS.items()],
        "colours": [("", gettext(_("No colour"))), *((name, gettext(label)) for name, label in COLOURS.items())],
        "verbs": {name: gettext(label) for name, label in VERBS.items()},
        "actions": ACTIONS,
        "others": [one for one in others if one[0].partition(".")[0] != draft.plugin],
        "pairs": lambda names: [(name, words(name)) for name in names],
        "backwards": lambda names: [
            (f"-{name}", gettext(_("%(name)s, backwards"), name=words(name))) for name in names if name
        ],
        "icons": ICONS.read_text("utf-8").split(),
    }
