"""The plugin whose work is interrupted: a route that writes, one subscriber of each kind, a job, a schedule, an action.

Nothing in it is unique or refuses a second effect: one that is made twice is seen twice.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.automations.action import Action, ActionCall
from core.events.event import Event, StoredEvent, Subscriber
from core.events.publish import publish
from core.ids import new_id
from core.jobs.job import Job, JobContext, Schedule
from core.plugin import Permission, Plugin, Role
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.schema import Schema
from plugins.wallet import issue, open_account

RECEIVER = "ALPHA_RECEIVER"
STEPS = 3
TABLES = """
    CREATE TABLE alpha_note (id uuid PRIMARY KEY, body text);
    CREATE TABLE alpha_effect (event uuid, by text);
    CREATE TABLE alpha_step (job uuid, step integer);
    CREATE TABLE alpha_mark (key text)
"""


class Written(Event):
    event_name = "alpha.note.written"
    note_id: UUID
    member_id: UUID


class NoteBody(Schema):
    body = fields.String(required=True)


class NoteSchema(Schema):
    id = fields.UUID()


rest = RestBlueprint("alpha")


@rest.post("/notes", permission="alpha:note:create", idempotent=True)
@rest.arguments(NoteBody)
@rest.response(201, NoteSchema)
def write(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Write a note, its event and its line in the trail."""
    assert actor.member_id is not None
    key = new_id()
    session.execute(text("INSERT INTO alpha_note VALUES (:id, :body)"), {"id": key, **body})
    publish(session, actor, Written(note_id=key, member_id=actor.member_id))
    record(session, actor, "alpha.note.written", subject_type="note", subject_id=key)
    return {"id": key}


def effect(session: Session, by: str, event: StoredEvent) -> None:
    session.execute(text("INSERT INTO alpha_effect VALUES (:event, :by)"), {"event": event.id, "by": by})


def reward(session: Session, actor: Actor, event: StoredEvent) -> None:
    """Bring a point into being; it has no reference that would refuse a second."""
    effect(session, "reward", event)
    account = open_account(session, asset="POINTS", member_id=event.payload.member_id)
    issue(session, actor, destination=account, amount=1, reason="a note")


def gather(session: Session, actor: Actor, events: list[StoredEvent]) -> None:
    for event in events:
        effect(session, "gather", event)


def send(
    unit_of_work: Callable[[], AbstractContextManager[Session]], actor: Actor, event: StoredEvent
) -> None:  # fmt: skip
    """Tell the receiver, which answers when it has written the event's id down."""
    urllib.request.urlopen(os.environ[RECEIVER], data=str(event.id).encode(), timeout=5).close()
    with unit_of_work() as session:
        session.execute(text("SELECT 'called'"))


def count(context: JobContext) -> None:
    """Three steps, each with its checkpoint in its own transaction."""
    for step in range(context.checkpoint().get("step", 0), STEPS):
        with context.unit_of_work() as session:
            session.execute(text("INSERT INTO alpha_step VALUES (:job, :step)"), {"job": context.job_id, "step": step})
            context.save(session, step=step + 1)


class MarkForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def mark(session: Session, actor: Actor, call: ActionCall) -> None:
    session.execute(text("INSERT INTO alpha_mark VALUES (:key)"), {"key": call.key})


plugin = Plugin(
    "alpha",
    version="1",
    label="Alpha",
    requires={"wallet": ">=0"},
    events=[Written],
    subscribers=[
        Subscriber(event=Written, handler=reward, max_attempts=1000),
        Subscriber(event=Written, handler=gather, batch=5, max_attempts=1000),
        Subscriber(event=Written, handler=send, kind="external", lease_seconds=1, max_attempts=1000),
    ],
    actions=[Action(name="mark", label="Mark", run=mark, form=MarkForm, permission="alpha:note:create")],
    jobs=[Job(name="count", label="Count", run=count)],
    schedules=[Schedule(name="counting", job="count", every=timedelta(days=1))],
    permissions=[Permission("alpha:note:create", "Write notes")],
    roles=[Role("User", ("alpha:note:create",))],
    rest=rest,
)
