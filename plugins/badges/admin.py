"""Pages of badges: the gallery, one badge with its criteria and holders, the preview; the dashboard's chart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from flask_babel import get_locale
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, Member, _, enqueue
from guildhall.web import PageBlueprint, flash, lasting, read_json, redirect, render, tried

from . import pictures, queries, service
from .catalogue import kinds
from .criteria import Node, parse
from .describe import describe
from .differences import history
from .errors import BadgeNotFound, InvalidCriteria
from .models import Badge
from .nearest import nearest_members
from .shown import Words
from .tree import HEIGHT, WIDTH, drawing, tree

pages = PageBlueprint("badges")
public = PageBlueprint("badges_public", url_prefix="/badges")
GALLERY = "/admin/badges/gallery"
RAREST = 12


def rarity(session: Session) -> Mapping[str, Any]:
    """The rarest badges that somebody holds, by the number of holders."""
    found = [one for one in queries.standings(session) if one.holders and one.badge.visibility != "secret"]
    found = sorted(found, key=lambda one: (one.holders, one.badge.name))[:RAREST]
    names = queries.Names.of(session, get_locale())
    return {
        "chart": {
            "type": "hbar",
            "labels": [names.name(one.badge) for one in found],
            "series": [{"name": "Holders", "data": [one.holders for one in found]}],
        },
        "empty": not found,
    }


@pages.get("/gallery", permission="badges:badge:list")
def gallery(session: Session, actor: Actor) -> str:
    """Every badge by category, with the share of members that holds it."""
    found = queries.standings(session)
    names = queries.Names.of(session, get_locale())
    categories = [
        (names.categories[slug], [{"url": f"{GALLERY}/{one.badge.slug}", "standing": one} for one in group])
        for slug, group in groupby(found, key=lambda one: one.badge.category)
    ]
    return render("badges/gallery.html", categories=categories, names=names, may=_may(actor))


@pages.get("/tree", permission="badges:badge:list")
def achievements(session: Session, actor: Actor) -> str:
    """The badges that need others, as a picture and as a list."""
    places = tree(session, lambda badge: badge.enabled)
    names = queries.Names.of(session, get_locale())
    return render(
        "badges/tree.html",
        drawing=drawing(places),
        names=names,
        called={place.badge.slug: names.name(place.badge) for place in places},
        width=WIDTH,
        height=HEIGHT,
    )


@pages.get("/why", permission="badges:badge:show")
def why(session: Session, actor: Actor) -> Any:
    """Go on to the badge of the form, explained for its member."""
    found = service.find(session, request.args.get("badge", ""))
    member = _uuid(request.args.get("member", ""))
    return redirect(f"{GALLERY}/{found.slug}" + (f"?member={member}" if member else ""))


@pages.get("/gallery/<key>", permission="badges:badge:show")
def badge(session: Session, actor: Actor, key: str) -> Any:
    """One badge: criteria as a tree, holders, and how far a chosen member is."""
    found = _find(session, key)
    if key != found.slug:
        return redirect(f"{GALLERY}/{found.slug}")
    standing = next(one for one in queries.standings(session) if one.badge.id == found.id)
    try:
        node, broken = parse(found.criteria, kinds(session)), ""
    except InvalidCriteria as problem:
        node, broken = None, problem.message
    chosen = _uuid(request.args.get("member", ""))
    explained = queries.explain(session, found.slug, chosen) if chosen else None
    holders = [
        {
            "member": {"name": member.display_name, "url": f"{GALLERY}/{found.slug}?member={member.id}"},
            "id": member.id,
            "source": award.source,
            "at": award.awarded_at,
        }
        for award, member in queries.holders(session, found)
    ]
    return render(
        "badges/badge.html",
        badge=found,
        names=queries.Names.of(session, get_locale()),
        standing=standing,
        criteria=_told(node) if node else None,
        broken=broken,
        monotone=node.monotone() if node else True,
        words=Words.of(session),
        holders=holders,
        explained=explained,
        versions=history(session, found),
        nearest=_near(session, found) if actor.can("badges:award:list") else None,
        member=session.get(Member, chosen) if chosen else None,
        may=_may(actor),
    )


def _near(session: Session, badge: Badge) -> list[dict[str, Any]]:
    return [
        {
            "member": {"name": member.display_name, "url": f"{GALLERY}/{badge.slug}?member={member.id}"},
            "progress": tree.progress,
            "missing": [leaf.leaf for leaf in tree.leaves() if leaf.leaf and not leaf.ok],
        }
        for member, tree in nearest_members(session, badge)
    ]


@pages.post("/gallery/<slug>/picture", permission="badges:badge:update")
def send_picture(session: Session, actor: Actor, slug: str) -> Any:
    """Give the badge an uploaded picture, or take it away."""
    sent = request.files.get("picture")
    contain = request.form.get("fit") == "contain"

    def change() -> None:
        if request.form.get("remove"):
            pictures.remove_picture(session, actor, slug=slug)
        elif sent is None or not sent.filename:
            raise Invalid({"picture": [_("Choose a picture first.")]})
        else:
            pictures.send_picture(session, actor, slug=slug, stream=sent.stream, name=sent.filename, contain=contain)

    if tried(session, change):
        flash(_("The picture has been removed.") if request.form.get("remove") else _("The badge has its picture."))
    return redirect(f"{GALLERY}/{slug}")


@public.get("/pictures/<digest>/<size>.webp", public=True)
def picture(session: Session, actor: Actor, digest: str, size: str) -> Response:
    """An uploaded picture of a badge; its address never shows another one."""
    drawn = pictures.open_picture(session, digest, size)
    return lasting(Response(drawn, mimetype="image/webp"), f"{digest}-{size}")


@pages.post("/gallery/<slug>/award", permission="badges:award:create", moves_value=True)
def award(session: Session, actor: Actor, slug: str) -> Any:
    """Give the badge by hand, and the reward that goes with it."""
    return _act(session, actor, slug, service.award, _("The badge has been given."))


@pages.post("/gallery/<slug>/revoke", permission="badges:award:revoke")
def revoke(session: Session, actor: Actor, slug: str) -> Any:
    """Remove the badge from a member."""
    return _act(session, actor, slug, service.revoke, _("The badge has been removed."))


@pages.post("/recalculate", permission="badges:badge:recalculate")
def recalculate(session: Session, actor: Actor) -> Any:
    """Recalculate one badge or all of them in the background."""
    slug = request.form.get("badge") or None
    if slug:
        service.find(session, slug)
    enqueue(session, actor, "badges.recalculate", {"badge": slug})
    flash(_("The recalculation has been queued. Its progress is on the jobs page."))
    return redirect(f"{GALLERY}/{slug}" if slug else GALLERY)


@pages.get("/preview", permission="badges:badge:preview")
def preview(session: Session, actor: Actor) -> str:
    """Try criteria before they are saved."""
    found = session.scalar(select(Badge).where(Badge.slug == request.args.get("badge", "")))
    return _preview(
        session, criteria=json.dumps(found.criteria, indent=2) if found else "", slug=found.slug if found else ""
    )


@pages.post("/preview", permission="badges:badge:preview")
def try_preview(session: Session, actor: Actor) -> str:
    """Count who meets the criteria in the form."""
    given, slug = request.form.get("criteria", ""), request.form.get("badge", "")
    try:
        definition = read_json(given)
    except Invalid as problem:
        return _preview(session, criteria=given, slug=slug, error=problem.message)
    try:
        found = queries.preview(session, definition, slug=slug)
    except InvalidCriteria as problem:
        return _preview(session, criteria=given, slug=slug, error="\n".join(problem.details["criteria"]))
    return _preview(session, criteria=given, slug=slug, found=found, told=_told(parse(definition, kinds(session))))


@pages.post("/check", permission="badges:badge:preview")
def check(session: Session, actor: Actor) -> Any:
    """What is wrong with the criteria in the form, for the editor, while they are written."""
    try:
        definition = read_json(request.form.get("criteria", ""))
        service.check_criteria(session, definition, slug=request.form.get("badge") or request.form.get("slug", ""))
    except InvalidCriteria as problem:
        return jsonify(problems=problem.details["criteria"])
    except Invalid as problem:
        return jsonify(problems=[problem.message])
    return jsonify(problems=[])


@pages.get("/members", permission="badges:award:list")
def find_members(session: Session, actor: Actor) -> Any:
    """Members by the beginning of their name, for the choice fields of these pages."""
    term = request.args.get("q", "").replace("\x00", "").lower()
    query = select(Member.id, Member.display_name).where(
        func.lower(Member.display_name).startswith(term, autoescape=True), Member.status == "active"
    )
    rows = session.execute(query.order_by(func.lower(Member.display_name), Member.id).limit(20))
    return jsonify([{"value": str(member_id), "text": name} for member_id, name in rows])


def _preview(session: Session, **shown: Any) -> str:
    kinds_shown = [
        (name, leaf.label, json.dumps({"type": name, **_example(leaf.model_json_schema())}))
        for name, leaf in sorted(kinds(session).items())
    ]
    shown = {**shown, "editing": describe(session), "words": Words.of(session)}
    return render("badges/preview.html", kinds=kinds_shown, **{"found": None, "error": "", "told": None, **shown})


def _example(schema: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are needed, with the kind of value that each takes."""
    needed = schema.get("required", ())
    return {
        name: "2026-01-01" if about.get("format") == "date" else 1 if about.get("type") == "integer" else name
        for name, about in schema.get("properties", {}).items()
        if name in needed
    }


def _act(session: Session, actor: Actor, slug: str, act: Any, done: str) -> Any:
    """Carry out what a form asks for a member; a refusal is shown on the badge's page."""
    member_id = _uuid(request.form.get("member", ""))
    back = f"{GALLERY}/{slug}"
    if member_id is None:
        flash(_("Choose a member."), "danger")
        return redirect(back)
    try:
        with session.begin_nested():
            act(session, actor, slug=slug, member_id=member_id, reason=request.form.get("reason", ""))
    except BadgeNotFound:
        raise
    except DomainError as problem:
        texts = problem.details.values() if isinstance(problem.details, dict) else ()
        told = [text for sentences in texts for text in sentences]
        flash(told[0] if told else problem.sentence, "danger", **problem.params)
    else:
        flash(done)
    return redirect(f"{back}?member={member_id}")


def _find(session: Session, key: str) -> Badge:
    """A badge by slug or id. Raises BadgeNotFound."""
    by_id = _uuid(key)
    found = session.get(Badge, by_id) if by_id else None
    return found or service.find(session, key)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _told(node: Node) -> dict[str, Any]:
    """A tree for the template: kind, parts, and a leaf's condition as a sentence with its parameters."""
    leaf = getattr(node, "leaf", None)
    if leaf is not None:
        return {"kind": "leaf", "type": leaf.type_name, "sentence": leaf.wish, "params": leaf.parameters}
    kind = {"All": "all", "Any_": "any", "Not": "not"}[type(node).__name__]
    return {"kind": kind, "parts": [_told(part) for part in getattr(node, "parts", ())]}


def _may(actor: Actor) -> dict[str, bool]:
    names = {
        "create": "badges:badge:create",
        "update": "badges:badge:update",
        "award": "badges:award:create",
        "revoke": "badges:award:revoke",
        "preview": "badges:badge:preview",
        "recalculate": "badges:badge:recalculate",
    }
    return {word: actor.can(name) for word, name in names.items()}
