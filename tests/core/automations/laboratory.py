"""A platform with a laboratory: a plugin whose event and actions do as the tests tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.automations import service
from core.automations.action import Action, ActionCall
from core.automations.budget import take
from core.automations.models import Automation, AutomationRun
from core.automations.suggestion import Suggestion
from core.errors import Conflict
from core.events.deliver import Deliverer
from core.events.event import Event
from core.events.publish import publish
from core.jobs.job import Job, JobContext
from core.jobs.queue import enqueue
from core.members.models import Member
from core.platform import Platform
from core.plugin import Permission, Plugin
from tests.conftest import Cluster, test_config

SYSTEM = Actor.system("test")
broken: set[str] = set()


class Happened(Event):
    event_name = "lab.thing.happened"
    member_id: UUID
    amount: int = 0
    word: str = ""
    words: list[str] = []
    ratio: float = 0.5


class Silent(Event):
    """An event about nobody."""

    event_name = "lab.thing.passed"
    amount: int = 0


class Refused(Conflict):
    code = "LAB_REFUSED"
    sentence = "The laboratory refuses {what}."


class NoteForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str = Field(max_length=40)
    number: int = Field(0, ge=0, le=100)


class SpendForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    amount: int = Field(gt=0)
    cap: int = Field(gt=0)


class EmptyForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def note(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    session.execute(
        text("INSERT INTO lab_note VALUES (:key, :member, :text, :number, :actor)"),
        {"key": call.key, "member": call.member_id, "actor": actor.name, **call.values},
    )
    return {"noted": call.values["text"]}


def refuse(session: Session, actor: Actor, call: ActionCall) -> None:
    note(session, actor, ActionCall(**{**_parts(call), "values": {"text": "before refusing", "number": 0}}))
    if "refuse" in broken:
        raise Refused(what="this")


def fail(session: Session, actor: Actor, call: ActionCall) -> None:
    if "fail" in broken:
        raise RuntimeError("the apparatus exploded")
    note(session, actor, ActionCall(**{**_parts(call), "values": {"text": "did not fail", "number": 0}}))


def spend(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    used = take(session, call, "lab.units", call.values["amount"], call.values["cap"])
    return {"used": used}


def start(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    return {"job": enqueue(session, actor, "lab.work", {"member": str(call.member_id)}).id}


def work(context: JobContext) -> None:
    """A job that asks for another, whose event starts again what asked for it."""
    with context.unit_of_work() as session:
        if "further" in context.params:
            publish(session, context.actor, Happened(member_id=UUID(context.params["member"])))
            context.save(session, step=1)
        else:
            enqueue(session, context.actor, "lab.work", {**context.params, "further": True})
            context.save(session, step=1)
    assert context.checkpoint() == {"step": 1}


def _parts(call: ActionCall) -> dict[str, Any]:
    names = ("key", "automation_id", "automation", "member_id", "event", "values")
    return {name: getattr(call, name) for name in names}


MAY = "lab:thing:do"
GREETING = Suggestion(
    name="greeting",
    label="Greet who happens",
    description="Says hello once.",
    definition={
        "trigger": {"kind": "event", "event": "lab.thing.happened"},
        "actions": [{"action": "lab.greet", "values": {"text": "hello"}}],
    },
)
plugin = Plugin(
    "lab",
    version="1.0.0",
    label="Laboratory",
    events=[Happened, Silent],
    permissions=[Permission(MAY, "Do things")],
    jobs=[Job(name="work", label="Work", run=work)],
    automations=[
        GREETING,
        "automations:\n  - name: Note it\n    trigger: {kind: manual}\n    actions: [{action: lab.fail}]",
    ],
    actions=[
        Action(name="note", label="Note", run=note, form=NoteForm, permission=MAY, needs_member=False),
        Action(name="refuse", label="Refuse", run=refuse, form=EmptyForm, permission=MAY, needs_member=False),
        Action(name="fail", label="Fail", run=fail, form=EmptyForm, permission=MAY, needs_member=False),
        Action(name="spend", label="Spend", run=spend, form=SpendForm, permission=MAY, moves_value=True),
        Action(name="start", label="Start work", run=start, form=EmptyForm, permission=MAY),
        Action(name="greet", label="Greet", run=note, form=NoteForm, permission=MAY),
    ],
)


@pytest.fixture(scope="session")
def _laboratory(cluster: Cluster) -> Iterator[Platform]:
    platform = Platform(test_config(), cluster.fresh("lab"), cluster.redis_url, extra=[plugin])
    platform.database.pool_timeout = 60.0
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(
            text("CREATE TABLE lab_note (key text PRIMARY KEY, member_id uuid, text text, number int, actor text)")
        )
        session.execute(text("INSERT INTO core_plugin (name, version, seen_at) VALUES ('lab', '1', now())"))
        access.sync(session, platform.registry.permissions, platform.registry.roles)
    yield platform
    platform.database.dispose()


@pytest.fixture
def lab(_laboratory: Platform) -> Iterator[Lab]:
    """The laboratory without an automation, an event or a note."""
    made = Lab(_laboratory)
    broken.clear()
    yield made
    broken.clear()
    with _laboratory.unit_of_work(SYSTEM) as session:
        session.execute(text("TRUNCATE core_automation, core_event, core_delivery, core_job, core_schedule CASCADE"))
        session.execute(text("TRUNCATE lab_note, core_setting, core_switch, core_member_tag, core_review CASCADE"))
        session.execute(text("UPDATE core_plugin SET enabled = true"))
        session.execute(text("UPDATE core_generation SET value = value + 1"))
    made.look()


class Lab:
    """What the tests do with the laboratory."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def look(self) -> None:
        """Let this process look at what others changed."""
        self.platform.registry.cache.looked_at = float("-inf")

    def member(self, **values: Any) -> UUID:
        with self.platform.unit_of_work(SYSTEM) as session:
            member = Member(display_name="Amina", **values)
            session.add(member)
            session.flush()
            return member.id

    def automation(self, *steps: Any, on: bool = True, name: str = "Rule", **parts: Any) -> UUID:
        """Write an automation that starts when something happened in the laboratory, and turn it on."""
        said = {"trigger": {"kind": "event", "event": "lab.thing.happened"}, "actions": list(map(step, steps)), **parts}
        with self.platform.unit_of_work(SYSTEM) as session:
            made = service.create(session, SYSTEM, name=name, definition=said)
            if on:
                service.turn_on(session, SYSTEM, made.id)
            return made.id

    def happen(self, member_id: UUID, **values: Any) -> UUID:
        return self.publish(Happened(member_id=member_id, **values))[0]

    def publish(self, *events: Event) -> list[UUID]:
        with self.platform.unit_of_work(SYSTEM) as session:
            return publish(session, SYSTEM, *events)

    def drain(self) -> int:
        return Deliverer(self.platform.database).drain()

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.platform.unit_of_work(SYSTEM) as session:
            return list(session.execute(text(query), values).tuples())

    def notes(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT text FROM lab_note ORDER BY key")]

    def runs(self) -> list[AutomationRun]:
        with self.platform.unit_of_work(SYSTEM) as session:
            return list(reversed(service.runs(session, SYSTEM, limit=200)))

    def states(self) -> list[str]:
        return [run.state for run in self.runs()]

    def within(self, do: Callable[[Session], Any]) -> Any:
        with self.platform.unit_of_work(SYSTEM) as session:
            return do(session)

    def now(self, automation_id: UUID) -> Automation:
        found: Automation = self.within(lambda session: session.get_one(Automation, automation_id))
        return found


def step(given: Any) -> dict[str, Any]:
    """``"note"`` as an action of the laboratory; a dictionary as it is."""
    if isinstance(given, dict):
        return given
    values = {"text": "noted"} if given in ("note", "greet") else {}
    return {"action": f"lab.{given}", "values": values}
