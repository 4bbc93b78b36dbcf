"""Pages of scoring by hand: simulator, corrections, re-scoring, cohorts, seasons, webhooks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Invalid, Member, _, enqueue_once, now, uuid_of
from guildhall.web import flash, read_json, redirect, render, tried

from . import analytics, corrections, queries, rescoring, reviews, seasons, service, simulator, webhooks
from .admin import pages
from .errors import MemberUnknown
from .models import Contribution, ContributionType, Rescore

HOME = "/admin/contributions"
PEOPLE = "/admin/lists/contributions.contribution/lookup/member_id"
CORRECT = "contributions:contribution:correct"
SHOWN = 100


def _try(session: Session, act: Callable[[], Any], done: str, url: str) -> Any:
    """Do something and say so on the next page, or say why it was refused."""
    if tried(session, act):
        flash(done)
    return redirect(url)


def _name(session: Session, chosen: str) -> str:
    """The name of the member that a form has chosen; what was given where there is none."""
    member = session.get(Member, member_id) if (member_id := uuid_of(chosen)) else None
    return member.display_name if member else chosen


def _types(session: Session) -> list[tuple[str, str]]:
    query = select(ContributionType.code, ContributionType.label).order_by(ContributionType.code)
    return [(code, f"{gettext(label)} ({code})") for code, label in session.execute(query)]


@pages.get("/simulator", permission="contributions:contribution:create")
def simulator_page(session: Session, actor: Actor) -> str:
    """What would a contribution score, and why? Nothing is recorded."""
    given = {name: request.args.get(name, "").strip() for name in ("member", "type", "details", "occurred_at")}
    found, error = None, ""
    if given["type"]:
        try:
            found = simulator.simulate(session, actor, _simulated(actor, given))
        except DomainError as problem:
            error = problem.message
    return render(
        "contributions/simulator.html",
        given=given,
        found=found,
        error=error,
        types=_types(session),
        people=PEOPLE,
        member_name=_name(session, given["member"]),
    )


def _simulated(actor: Actor, given: dict[str, str]) -> service.NewContribution:
    member_id = uuid_of(given["member"]) if given["member"] else actor.member_id
    at = _moment(given["occurred_at"])
    details = read_json(given["details"]) if given["details"] else {}
    member_id = member_id or UUID(int=0)
    return service.NewContribution(member_id=member_id, type=given["type"], details=details, occurred_at=at)


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid({"at": [_("Give a time such as 2026-03-10T12:00.")]}) from None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


@pages.post("/grant", permission=CORRECT, moves_value=True)
def grant_page(session: Session, actor: Actor) -> Any:
    """Give a member points by hand, from the member's page."""
    given = request.form
    member_id = uuid_of(given.get("member", "")) or UUID(int=0)
    made: Contribution | None = None

    def act() -> None:
        nonlocal made
        points, reason = given.get("points", type=int, default=-1), given.get("reason", "")
        made = corrections.grant(
            session, actor, member_id=member_id, type=given.get("type", ""), points=points, reason=reason
        )

    if not tried(session, act) or made is None:
        return redirect(f"/admin/members/{member_id}/contributions")
    if made.state == "pending":
        flash(_("It waits for a review, and counts once it is released."), "warning")
    elif made.state == "rejected":
        flash(_("A limit of its type rejected it; it is kept with no points."), "warning")
    else:
        flash(_("{points} points were granted."), points=given.get("points", ""))
    return redirect(f"{HOME}/contribution/{made.id}")


@pages.post("/contribution/<uuid:key>/override", permission=CORRECT, moves_value=True)
def override_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Let a contribution be worth other points."""
    points = request.form.get("points", type=int, default=-1)
    reason = request.form.get("reason", "")

    def act() -> None:
        corrections.override_score(session, actor, key, points=points, reason=reason)

    return _try(session, act, _("The score has been overridden."), f"{HOME}/contribution/{key}")


@pages.post("/contribution/<uuid:key>/reverse", permission=CORRECT, moves_value=True)
def reverse_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Take a contribution back."""

    def act() -> None:
        corrections.reverse(session, actor, key, reason=request.form.get("reason", ""))

    return _try(session, act, _("The contribution has been reversed."), f"{HOME}/contribution/{key}")


@pages.get("/rescores", permission=CORRECT)
def rescores_page(session: Session, actor: Actor) -> str:
    """Periods that were or can be scored anew."""
    found = session.scalars(select(Rescore).order_by(Rescore.created_at.desc()).limit(SHOWN)).all()
    first = now() - timedelta(days=30)
    return render(
        "contributions/rescores.html", rescores=found, types=_types(session), first=first, last=now(), people=PEOPLE
    )


@pages.post("/rescores", permission=CORRECT, once=True)
def try_rescore_page(session: Session, actor: Actor) -> Any:
    """Start a dry run."""
    form = request.form

    def act() -> None:
        starts, ends = _moment(form.get("starts_at", "")), _moment(form.get("ends_at", ""))
        if starts is None or ends is None:
            raise Invalid({"starts_at": [_("Give the first day and the day after the last one.")]})
        reason, code = form.get("reason", ""), form.get("type") or None
        rescoring.try_out(session, actor, starts_at=starts, ends_at=ends, reason=reason, type=code)

    return _try(session, act, _("The dry run has been queued; look here again in a moment."), f"{HOME}/rescores")


@pages.post("/recalculate", permission=CORRECT)
def recalculate_page(session: Session, actor: Actor) -> Any:
    """Work out a member's totals anew, or everybody's by a job."""
    given = request.form.get("member", "").strip()

    def act() -> None:
        if given:
            try:
                service.recalculate(session, actor, member_id=uuid_of(given) or UUID(int=0))
            except MemberUnknown as problem:
                raise Invalid({"member": [problem.sentence]}) from None
        else:
            enqueue_once(session, actor, "contributions.recalculate")

    done = _("The member's totals were worked out anew.") if given else _("The recalculation has been queued.")
    return _try(session, act, done, f"{HOME}/rescores")


@pages.post("/rescores/<uuid:key>/apply", permission=CORRECT, moves_value=True)
def apply_rescore_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Write the compensating events."""
    done = _("The compensating events are being written.")
    return _try(session, lambda: rescoring.apply(session, actor, key), done, f"{HOME}/rescores")


@pages.post("/reviews/<uuid:key>/group", permission="contributions:review:update")
def decide_group_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Release or reject all that waits of members who share a browser, a wallet or an address."""
    release, reason = request.form.get("decision") == "approve", request.form.get("reason", "")
    decided = 0

    def act() -> None:
        nonlocal decided
        decided = reviews.decide_group(session, actor, key, release=release, reason=reason)

    if tried(session, act):
        flash(_("{count} cases were decided."), count=decided)
    return redirect("/admin/reviews")


@pages.get("/analytics", permission="contributions:analytics:show")
def analytics_page(session: Session, actor: Actor) -> str:
    """Figures by type of the last 90 days, and cohorts of the last year."""
    today = now().date()
    totals = [
        {"type": code, "count": count, "points": points}
        for code, count, points in analytics.totals(session, today - timedelta(days=89), today)
    ]
    found = analytics.cohorts(session, today - timedelta(days=365))
    return render("contributions/analytics.html", totals=totals, cohorts=found, names=queries.type_names(session))


@pages.post("/seasons/<uuid:key>/close", permission="contributions:season:close", moves_value=True)
def close_season_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Close a season that is over."""
    done = _("The season is closed and its awards are asked for.")
    return _try(session, lambda: seasons.close(session, actor, key), done, f"{HOME}/season/show/{key}")


@pages.post("/webhooks/<uuid:key>/secret", permission="contributions:webhook:update", step_up=True)
def renew_secret_page(session: Session, actor: Actor, key: UUID) -> str:
    """Give a source a new secret, and show it this once."""
    source, secret = webhooks.renew_secret(session, actor, key)
    return render("contributions/secret.html", source=source, secret=secret)
