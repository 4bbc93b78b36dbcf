"""The pages of webhooks: making one, its secret (shown once), its attempts, and what can be sent again."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.clock import now
from core.errors import Invalid, NotFound
from core.events.models import Delivery
from core.events.replay import ReplayFilter, replay, replay_matching
from core.gateway.request import platform
from core.i18n import _
from core.rest.paging import paginate
from core.webhooks import service
from core.webhooks.models import Webhook, WebhookAttempt, resting

pages = PageBlueprint("core_webhooks", url_prefix="/admin/webhooks")
SEE, MAKE, CHANGE, REMOVE = (f"core:webhook:{verb}" for verb in ("show", "create", "update", "delete"))
NEWEST = [(WebhookAttempt.id, True)]


@pages.get("/new", permission=MAKE)
def blank(session: Session, actor: Actor) -> Any:
    return _form(session, None)


@pages.post("/new", permission=MAKE, step_up=True, once="/admin/core/webhook/list/")
def create(session: Session, actor: Actor) -> Any:
    try:
        with session.begin_nested():
            webhook = service.create(session, actor, _given())
    except Invalid as problem:
        return _form(session, None, wrong=_wrong(problem)), 422
    return _page(session, webhook, secret=webhook.secret)


@pages.get("/<uuid:key>", permission=SEE)
def show(session: Session, actor: Actor, key: UUID) -> Any:
    return _page(session, _found(session, key))


@pages.get("/<uuid:key>/edit", permission=CHANGE)
def edit(session: Session, actor: Actor, key: UUID) -> Any:
    return _form(session, _found(session, key))


@pages.post("/<uuid:key>/edit", permission=CHANGE, step_up=True)
def save(session: Session, actor: Actor, key: UUID) -> Any:
    webhook = _found(session, key)
    try:
        with session.begin_nested():
            service.change(session, actor, webhook, _given())
    except Invalid as problem:
        return _form(session, webhook, wrong=_wrong(problem)), 422
    flash(_("Saved."))
    return redirect(f"/admin/webhooks/{key}")


@pages.post("/<uuid:key>/rotate", permission=CHANGE, step_up=True)
def rotate(session: Session, actor: Actor, key: UUID) -> Any:
    secret = service.rotate(session, actor, key)
    return _page(session, _found(session, key), secret=secret)


@pages.post("/<uuid:key>/ping", permission=CHANGE)
def ping(session: Session, actor: Actor, key: UUID) -> Any:
    if tried(session, lambda: service.ping(session, actor, key)):
        flash(_("A test is on its way. Load this page again to see what came back."))
    return redirect(f"/admin/webhooks/{key}")


@pages.post("/<uuid:key>/switch", permission=CHANGE)
def switch(session: Session, actor: Actor, key: UUID) -> Any:
    on = request.form.get("on") == "yes"
    service.set_on(session, actor, key, on, request.form.get("reason") or None)
    flash(_("The webhook is on.") if on else _("The webhook is off. What waited can be sent again when it is on."))
    return redirect(f"/admin/webhooks/{key}")


@pages.post("/<uuid:key>/replay", permission="core:delivery:replay")
def send_again(session: Session, actor: Actor, key: UUID) -> Any:
    """Send one event again, or everything that was given up, as a job."""
    subscriber = service.subscriber_of(_found(session, key).id)
    event_id = request.form.get("event_id", type=UUID)
    if event_id:
        same = Delivery.subscriber == subscriber, Delivery.event_id == event_id
        count = replay(session, actor, session.scalars(select(Delivery.id).where(*same)).all())
        flash(_("It is on its way again.") if count else _("It waits to be sent already, or is no longer kept."))
        return redirect(f"/admin/webhooks/{key}")
    replay_matching(session, actor, ReplayFilter.model_validate({"subscriber": subscriber}))
    flash(_("A job sends them again; here you see how far it is."))
    return redirect("/admin/jobs")


@pages.post("/<uuid:key>/delete", permission=REMOVE, step_up=True)
def delete(session: Session, actor: Actor, key: UUID) -> Any:
    service.delete(session, actor, _found(session, key))
    flash(_("The webhook is deleted."))
    return redirect("/admin/core/webhook/list/")


def _found(session: Session, key: UUID) -> Webhook:
    webhook = session.get(Webhook, key)
    if webhook is None:
        raise NotFound()
    return webhook


def _given() -> dict[str, Any]:
    form = request.form
    return {
        "url": form.get("url", ""),
        "description": form.get("description", "").strip()[:200],
        "events": form.getlist("events"),
    }


def _wrong(problem: Invalid) -> dict[str, str]:
    """The refusal at its field."""
    field = "events" if problem.code == "UNKNOWN_EVENTS" else "url"
    return {field: problem.fill(gettext(problem.sentence))}


def _form(session: Session, webhook: Webhook | None, **context: Any) -> str:
    registry = platform().registry
    groups = defaultdict(list)
    for name in sorted(registry.events):
        if name != service.UNSENT:
            groups[name.split(".")[0]].append(name)
    labels = {name: gettext(plugin.label) for name, plugin in registry.plugins.items()}
    kept = {"url": webhook.url, "description": webhook.description, "events": webhook.events} if webhook else {}
    given = _given() if request.method == "POST" else {"url": "", "description": "", "events": [], **kept}
    shown = {"webhook": webhook, "groups": groups, "labels": labels, "given": given, "wrong": {}, **context}
    return render("guildhall/webhook_form.html", **shown)


def _page(session: Session, webhook: Webhook, secret: str = "") -> str:
    query = select(WebhookAttempt).where(WebhookAttempt.webhook_id == webhook.id)
    if request.args.get("show") == "failed":
        query = query.where(WebhookAttempt.status.is_(None) | ~WebhookAttempt.status.between(200, 299))
    attempts = paginate(session, query, NEWEST, limit=25, cursor=request.args.get("cursor", ""))
    of_it = Delivery.subscriber == service.subscriber_of(webhook.id)
    counts = dict(
        session.execute(
            select(Delivery.state, func.count()).where(of_it, Delivery.state != "done").group_by(Delivery.state)
        )
        .tuples()
        .all()
    )
    return render(
        "guildhall/webhook.html",
        webhook=webhook,
        secret=secret,
        attempts=attempts,
        failed_only=request.args.get("show") == "failed",
        waiting=counts.get("pending", 0),
        dead=counts.get("dead", 0),
        resting=resting(webhook, now()),
    )
