"""The review inbox: what waits for a person, one case with its panel, and the decisions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import jsonify, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.audit.models import AuditRow
from core.clock import now
from core.errors import DomainError
from core.i18n import _
from core.ids import uuid_of
from core.members.models import Member
from core.rest.paging import paginate
from core.reviews import queries, service
from core.reviews.errors import AssigneeRefused
from core.reviews.kind import ReviewKind
from core.reviews.models import Review
from core.reviews.queries import VIEWS, Filter

pages = PageBlueprint("core_reviews", url_prefix="/admin/reviews")
MOST_AT_ONCE = 200
PAGE = 50


@pages.get("", permission="core:review:list")
def inbox(session: Session, actor: Actor) -> Any:
    wanted = _wanted()
    return render("guildhall/reviews.html", **_list(session, actor, wanted))


@pages.get("/<uuid:key>", permission="core:review:list")
def case(session: Session, actor: Actor, key: UUID) -> Any:
    """One case beside the list it was chosen from."""
    review = service.get(session, actor, key)
    kind = service.visible_kinds(session, actor)[review.kind]
    context = _list(session, actor, _wanted())
    people = {**context["people"], **queries.people(session, [review])}
    trail = session.query(AuditRow).where(AuditRow.subject_type == service.SUBJECT, AuditRow.subject_id == str(key))
    return render(
        "guildhall/review.html",
        **{**context, "people": people},
        review=review,
        kind=kind,
        panel={**kind.load(session, actor, review)},
        member=session.get(Member, review.member_id) if review.member_id else None,
        notes=queries.notes(session, review),
        trail=trail.order_by(AuditRow.at).limit(50).all(),
        deciders=_deciders(session, review, kind),
        obstacle=_obstacle(actor, review, kind.four_eyes),
    )


@pages.get("/<uuid:key>/deciders", permission="core:review:list")
def find_deciders(session: Session, actor: Actor, key: UUID) -> Response:
    """Whom the case could be passed on to, by the beginning of their name, as JSON: ``[{value, text}]``."""
    review = service.get(session, actor, key)
    kind = service.visible_kinds(session, actor)[review.kind]
    begins = request.args.get("q", "").replace("\0", "").strip()[:120]
    found = _deciders(session, review, kind, begins)
    return jsonify([{"value": key, "text": name} for key, name in found])


@pages.post("/<uuid:key>/claim", permission="core:review:list")
def claim(session: Session, actor: Actor, key: UUID) -> Any:
    over = request.form.get("take_over") == "yes"
    if tried(session, lambda: service.claim(session, actor, key, take_over=over)):
        flash(_("The case is yours."))
    return redirect(_back(key))


@pages.post("/<uuid:key>/release", permission="core:review:list")
def release(session: Session, actor: Actor, key: UUID) -> Any:
    if tried(session, lambda: service.release(session, actor, key)):
        flash(_("The case is free again."))
    return redirect(_back(key))


@pages.post("/<uuid:key>/assign", permission="core:review:list")
def assign(session: Session, actor: Actor, key: UUID) -> Any:
    assignee = uuid_of(request.form.get("assignee_id", ""))
    if assignee is None:
        raise AssigneeRefused()
    if tried(session, lambda: service.assign(session, actor, key, assignee_id=assignee)):
        flash(_("The case was passed on."))
    return redirect(_back(key))


@pages.post("/<uuid:key>/escalate", permission="core:review:list")
def escalate(session: Session, actor: Actor, key: UUID) -> Any:
    if not tried(session, lambda: service.escalate(session, actor, key, reason=request.form.get("reason", ""))):
        return redirect(_back(key))
    flash(_("The case was passed up."))
    return _go_on(session, actor, key)


@pages.post("/<uuid:key>/note", permission="core:review:list", once=True)
def note(session: Session, actor: Actor, key: UUID) -> Any:
    if tried(session, lambda: service.note(session, actor, key, text=request.form.get("text", ""))):
        flash(_("The note is kept."))
    return redirect(_back(key))


@pages.post("/<uuid:key>/decide", permission="core:review:list")
def decide(session: Session, actor: Actor, key: UUID) -> Any:
    approved = request.form.get("decision") == "approve"
    reason = request.form.get("reason", "")
    if not tried(session, lambda: service.decide(session, actor, key, approved=approved, reason=reason)):
        return redirect(_back(key))
    flash(_("Approved.") if approved else _("Rejected."))
    return _go_on(session, actor, key)


@pages.post("/bulk", permission="core:review:list")
def decide_many(session: Session, actor: Actor) -> Any:
    """Decide each chosen case by itself: one that is refused stays open, with the reason told, and stops no other."""
    approved = request.form.get("decision") == "approve"
    chosen = [key for one in request.form.getlist("case")[:MOST_AT_ONCE] if (key := uuid_of(one))]
    done, refused = 0, []
    for key in chosen:
        try:
            with session.begin_nested():
                service.decide(session, actor, key, approved=approved, reason=request.form.get("reason", ""))
            done += 1
        except DomainError as problem:
            if problem.page:  # to go there first, and decide them all after it
                raise
            refused.append(problem.fill(gettext(problem.sentence)))
    flash(_("{count} cases were decided."), "success" if done else "info", count=done)
    for sentence in sorted(set(refused)):
        flash("{count} × {reason}", "warning", count=refused.count(sentence), reason=sentence)
    return redirect(_url("/admin/reviews"))


def _deciders(session: Session, review: Review, kind: ReviewKind, begins: str = "") -> list[tuple[str, str]]:
    """Who else may decide a case: pairs of id and name, at most fifty."""
    barred = (review.member_id, review.assignee_id, review.opened_by if kind.four_eyes else None)
    found = queries.deciders(session, kind.permission, begins, barred)
    return [(str(one.id), one.display_name) for one in found]


def _list(session: Session, actor: Actor, wanted: Filter) -> dict[str, Any]:
    cursor = request.args.get("cursor", "")
    page = paginate(session, queries.matching(session, actor, wanted), queries.order(wanted), limit=PAGE, cursor=cursor)
    kinds = service.visible_kinds(session, actor)
    return {
        "page": page,
        "people": queries.people(session, page.items),
        "wanted": wanted,
        "kinds": kinds,
        "kinds_named": sorted((name, gettext(kind.label)) for name, kind in kinds.items()),
        "counts": queries.counts(session, actor),
        "at": now(),
        "query": {
            name: value for name, value in (("view", wanted.view), ("kind", wanted.kind)) if value != "open" and value
        },
    }


def _wanted() -> Filter:
    view = request.args.get("view", "open")
    return Filter(view=view if view in VIEWS else "open", kind=request.args.get("kind", ""))


def _obstacle(actor: Actor, review: Review, four_eyes: bool) -> str:
    """Why this actor cannot decide the case now; empty when nothing is in the way."""
    if review.state != "open":
        return "decided"
    if review.assignee_id not in (None, actor.member_id):
        return "taken"
    if review.escalated_at and not actor.can(service.ESCALATED):
        return "escalated"
    if four_eyes and review.opened_by == actor.member_id:
        return "four_eyes"
    return "own" if review.member_id is not None and review.member_id == actor.member_id else ""


def _go_on(session: Session, actor: Actor, key: UUID) -> Response:
    """To the next case of the view, or to the list when none is left."""
    following = queries.next_case(session, actor, _wanted(), session.get_one(Review, key))
    return redirect(_back(following) if following else _url("/admin/reviews"))


def _back(key: UUID) -> str:
    return _url(f"/admin/reviews/{key}")


def _url(path: str) -> str:
    query = request.query_string.decode("ascii", "replace")
    return f"{path}?{query}" if query else path
