"""The event pages: the stream, one event with its causes and effects, lag, dead letters and replay."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import request
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render
from core.errors import NotFound
from core.events import causes
from core.events.event import Event
from core.events.models import Delivery, EventRow
from core.events.replay import ReplayFilter, lag, per_minute, replay, replay_dead, replay_matching
from core.events.subscribers import SubscriberUnknown, set_paused
from core.gateway.request import platform
from core.i18n import _
from core.members.models import Member
from core.rest.paging import paginate

pages = PageBlueprint("core_events", url_prefix="/admin/events")
NEWEST = [(EventRow.id, True)]


@pages.get("", permission="core:event:list")
def stream(session: Session, actor: Actor) -> Any:
    query = select(EventRow)
    name = request.args.get("name", "")
    if name:
        query = query.where(EventRow.name == name)
    subscribers = lag(session)
    page = paginate(session, query, NEWEST, limit=50, cursor=request.args.get("cursor", ""))
    return render(
        "guildhall/events.html",
        page=page,
        rows=[{"url": f"/admin/events/{event.id}", "event": event} for event in page.items],
        names=[(one, one) for one in sorted(platform().registry.events)],
        name=name,
        subscribers=subscribers,
        listeners=[(row["subscriber"], row["subscriber"]) for row in subscribers],
        minutes=per_minute(session),
        people=_people(session, page.items),
    )


@pages.get("/dead", permission="core:event:list")
def dead(session: Session, actor: Actor) -> Any:
    """Deliveries that gave up, with their last error."""
    query = select(Delivery).where(Delivery.state == "dead")
    subscriber = request.args.get("subscriber", "")
    if subscriber:
        query = query.where(Delivery.subscriber == subscriber)
    page = paginate(session, query, [(Delivery.id, True)], limit=50, cursor=request.args.get("cursor", ""))
    events = session.scalars(select(EventRow).where(EventRow.id.in_([one.event_id for one in page.items])))
    return render(
        "guildhall/dead.html",
        page=page,
        events={event.id: event for event in events},
        subscriber=subscriber,
        subscribers=[(one, one) for one in sorted(platform().registry.subscribers)],
    )


@pages.get("/catalogue", permission="core:event:list")
def catalogue(session: Session, actor: Actor) -> Any:
    """Every event that can happen: what it means, who listens, and the JSON Schema of its payload."""
    registry = platform().registry
    off = lifecycle.disabled(session)
    kinds = [
        {
            "name": name,
            "version": event.event_version,
            "about": inspect.cleandoc(event.__doc__ or "").replace("``", "") if event.__doc__ != Event.__doc__ else "",
            "subscribers": registry.subscribers_of(name),
            "schema": event.model_json_schema(),
            "off": name.split(".")[0] in off,
        }
        for name, event in sorted(registry.events.items())
    ]
    return render("guildhall/event_catalogue.html", kinds=kinds)


@pages.get("/<uuid:key>", permission="core:event:list")
def show(session: Session, actor: Actor, key: UUID) -> Any:
    event = session.get(EventRow, key)
    if event is None:
        raise NotFound()
    deliveries = session.scalars(select(Delivery).where(Delivery.event_id == key).order_by(Delivery.subscriber)).all()
    known = causes.chain(session, event.correlation_id)
    chain = causes.ordered(known, causes.jobs_between(session, known))
    people = _people(session, [one for _depth, one in chain])
    return render("guildhall/event.html", event=event, deliveries=deliveries, chain=chain, people=people)


@pages.post("/deliveries/<int:key>/replay", permission="core:delivery:replay")
def replay_one(session: Session, actor: Actor, key: int) -> Any:
    count = replay(session, actor, [key])
    flash(_("The delivery is on its way again.") if count else _("Only a finished or dead delivery can be replayed."))
    delivery = session.get(Delivery, key)
    return redirect(f"/admin/events/{delivery.event_id}" if delivery else "/admin/events")


@pages.post("/dead/replay", permission="core:delivery:replay")
def replay_all(session: Session, actor: Actor) -> Any:
    count = replay_dead(session, actor, request.form.get("subscriber", ""))
    flash(_("{count} deliveries are on their way again."), count=count)
    return redirect("/admin/events/dead")


@pages.post("/replay", permission="core:delivery:replay")
def replay_filtered(session: Session, actor: Actor) -> Any:
    """Replay by filter, as a job. The form's times have no zone: they are UTC."""
    given = {name: request.form.get(name, "") for name in ("subscriber", "event", "state")}
    times = {name: f"{request.form[name]}Z" for name in ("since", "until") if request.form.get(name)}
    try:
        wanted = ReplayFilter.model_validate({**given, **times})
    except ValidationError as problem:
        flash("{reason}", "danger", reason=problem.errors()[0]["msg"].removeprefix("Value error, "))
        return redirect("/admin/events")
    try:
        replay_matching(session, actor, wanted, request.form.get("reason") or None)
    except SubscriberUnknown as problem:
        flash(problem.sentence, "danger", **problem.params)
        return redirect("/admin/events")
    flash(_("A job replays them; here you see how far it is."))
    return redirect("/admin/jobs")


@pages.post("/subscribers/<name>/pause", permission="core:subscriber:pause")
def pause(session: Session, actor: Actor, name: str) -> Any:
    paused = request.form.get("paused") == "yes"
    set_paused(session, actor, name, paused, request.form.get("reason") or None)
    flash(_("{name} is paused. Its deliveries wait; nothing is lost.") if paused else _("{name} goes on."), name=name)
    return redirect("/admin/events")


def _people(session: Session, events: Sequence[EventRow]) -> dict[UUID, str]:
    """Names of the members who caused these events."""
    keys = {key for event in events for key in (event.actor_id, event.impersonator_id) if key}
    return dict(session.execute(select(Member.id, Member.display_name).where(Member.id.in_(keys))).tuples().all())
