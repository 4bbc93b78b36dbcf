"""A plugin to be watched: a request publishes an event, its subscriber another and asks for a job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Conflict
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.jobs.job import Job, JobContext
from core.jobs.queue import enqueue
from core.plugin import Plugin
from core.rest.blueprint import RestBlueprint

log = structlog.get_logger("beacon")
troubles: set[str] = set()


class Lit(Event):
    """The beacon was lit."""

    event_name = "beacon.fire.lit"
    fire_id: UUID


class Seen(Event):
    """Somebody saw the beacon."""

    event_name = "beacon.fire.seen"
    fire_id: UUID


class Wet(Conflict):
    code = "BEACON_WET"
    sentence = "The wood is wet."


def look(session: Session, actor: Actor, event: StoredEvent) -> None:
    log.warning("looking")
    publish(session, actor, Seen(fire_id=event.payload.fire_id))
    enqueue(session, actor, "beacon.report")
    if "look" in troubles:
        raise RuntimeError("fog")


def call(unit_of_work: Any, actor: Actor, event: StoredEvent) -> None:
    if "call" in troubles:
        raise RuntimeError("no answer")


def report(context: JobContext) -> None:
    log.warning("reporting")
    if "report" in troubles:
        raise RuntimeError("no paper")


rest = RestBlueprint("beacon")


@rest.post("/fires", public=True)
@rest.response(204)
def light(session: Session, actor: Actor) -> None:
    """Light the beacon."""
    publish(session, actor, Lit(fire_id=actor.correlation_id))
    if "light" in troubles:
        raise Wet()


BEACON = Plugin(
    "beacon",
    version="1",
    label="Beacon",
    events=[Lit, Seen],
    subscribers=[
        Subscriber(event=Lit, handler=look, max_attempts=2),
        Subscriber(event=Seen, handler=call, kind="external", max_attempts=2),
    ],
    jobs=[Job(name="report", label="Report", run=report, max_attempts=1)],
    rest=rest,
)
