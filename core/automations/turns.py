"""Turns over many members: of schedules in time, and of members chosen by hand; each member once, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.automations import carrying, facts, fitting
from core.automations.carrying import Cause
from core.automations.definition import Definition, ManualTrigger, ScheduleTrigger
from core.automations.errors import DefinitionInvalid, NotOn, Waits
from core.automations.fitting import Ready
from core.automations.live import in_force, rule_of, start, subscriber_of
from core.automations.models import Automation, AutomationTurn, AutomationVersion
from core.clock import now, rfc3339
from core.ids import new_id
from core.jobs.job import JobContext
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.members.models import Member

JOB = "run_automation"
CLOCK = "turn_automations"
CHUNK = 200
NIL = UUID(int=0)


def next_time(trigger: ScheduleTrigger, after: datetime) -> datetime:
    """The first time of a schedule that comes after ``after``; an hour that a clock leaves out is the one after it."""
    zone = ZoneInfo(trigger.zone)
    if trigger.every == "hourly":
        local = after.astimezone(zone).replace(minute=trigger.minute, second=0, microsecond=0)
        at = local.astimezone(after.tzinfo)
        return at if at > after else at + timedelta(hours=1)
    day = after.astimezone(zone).date()
    while True:
        if trigger.every == "daily" or day.weekday() == trigger.weekday:
            at = datetime.combine(day, time(trigger.hour, trigger.minute), zone).astimezone(after.tzinfo)
            if at > after:
                return at
        day += timedelta(days=1)


def ask(
    session: Session,
    actor: Actor,
    automation: Automation,
    *,
    key: str,
    member_ids: Sequence[UUID] | None = None,
    due_at: datetime | None = None,
) -> tuple[AutomationTurn, bool]:
    """A turn that a job makes, once for each ``key``; returns it, and whether it is new."""
    values = {
        "id": new_id(),
        "automation_id": automation.id,
        "key": key,
        "due_at": due_at or now(),
        "member_ids": None if member_ids is None else [str(one) for one in member_ids],
        "asked_by": actor.member_id,
    }
    made = insert(AutomationTurn).values(values).on_conflict_do_nothing(index_elements=["automation_id", "key"])
    turn_id = session.scalar(made.returning(AutomationTurn.id))
    if turn_id is None:
        there = select(AutomationTurn).where(AutomationTurn.automation_id == automation.id, AutomationTurn.key == key)
        return session.scalars(there).one(), False
    turn = session.get_one(AutomationTurn, turn_id)
    turn.job_id = enqueue(session, actor, f"core.{JOB}", {"turn": str(turn.id)}).id
    session.flush()
    return turn, True


def made_ready(session: Session, version: AutomationVersion) -> Ready:
    """A version of an automation ready to run. Raises Waits."""
    try:
        return fitting.ready(session, Definition.read(version.definition))
    except DefinitionInvalid as problem:
        raise Waits(problem.details) from None


def look(context: JobContext) -> dict[str, Any]:
    """The job of each minute: ask for the turns that are due, a missed one once, and for those that lost their job.

    A turn of an automation that waits is not asked for before it no longer does.
    """
    with context.unit_of_work() as session:
        due = select(Automation).where(Automation.next_at <= now(), Automation.state == "on")
        asked = [_take_turn(session, one) for one in session.scalars(due.with_for_update(skip_locked=True))]
        unended = select(AutomationTurn).where(AutomationTurn.state.in_(("waiting", "running")))
        again = [_take_up(session, one) for one in session.scalars(unended.with_for_update(skip_locked=True))]
    return {"turns": sum(asked), "again": sum(again)}


def _take_turn(session: Session, automation: Automation) -> bool:
    try:
        trigger = in_force(session, automation).definition.trigger
    except Waits:
        return False
    assert automation.next_at is not None
    due_at = automation.next_at
    if not isinstance(trigger, ScheduleTrigger):
        automation.next_at = None
        return False
    automation.next_at = next_time(trigger, now())
    actor = Actor.system(subscriber_of(automation.id), bulk=True)
    return ask(session, actor, automation, key=f"due:{rfc3339(due_at)}", due_at=due_at)[1]


def _take_up(session: Session, turn: AutomationTurn) -> bool:
    """Ask anew for a turn whose job is over without having ended it."""
    state = session.scalar(select(JobRow.state).where(JobRow.id == turn.job_id))
    if state in ("queued", "running"):
        return False
    if state in ("failed", "cancelled"):
        turn.state, turn.finished_at = "failed", now()
        return False
    try:
        in_force(session, session.get_one(Automation, turn.automation_id))
    except (NotOn, Waits):
        return False
    actor = Actor.system(subscriber_of(turn.automation_id), bulk=True)
    turn.job_id = enqueue(session, actor, f"core.{JOB}", {"turn": str(turn.id)}).id
    return True


def run_turn(context: JobContext) -> dict[str, Any]:
    """The job of a turn: its members in chunks; each chunk and how far the turn is are one transaction.

    While the automation waits the turn does too, and the job ends; one that is turned off meanwhile ends the turn.
    """
    turn_id = UUID(context.params["turn"])
    while True:
        with context.unit_of_work() as session:
            turn = session.get(AutomationTurn, turn_id, with_for_update=True)
            if turn is None or turn.state in ("done", "failed"):
                return {}
            automation = session.get_one(Automation, turn.automation_id)
            if automation.state != "on":
                turn.state, turn.finished_at = "failed", now()
                return {"seen": turn.seen, "matched": turn.matched}
            try:
                ready = in_force(session, automation)
            except Waits:
                return {"waits": True}
            if not isinstance(ready.definition.trigger, ScheduleTrigger | ManualTrigger):
                turn.state, turn.finished_at = "failed", now()
                return {"seen": turn.seen, "matched": turn.matched}
            ended = _chunk(session, context, turn, automation, ready)
            told = {"seen": turn.seen, "matched": turn.matched}
        context.progress(told["seen"])
        if ended:
            return told


def _chunk(session: Session, context: JobContext, turn: AutomationTurn, automation: Automation, ready: Ready) -> bool:
    """Do the next members of a turn; whether these were the last."""
    after = UUID(context.checkpoint().get("after", str(NIL)))
    if after == NIL:
        turn.seen = 0  # another job begins anew; what has a run is passed over
    query = select(Member.id).where(Member.status == "active", Member.id > after).order_by(Member.id).limit(CHUNK)
    if turn.member_ids is not None:
        chosen = sorted(one for one in map(UUID, turn.member_ids) if one > after)[:CHUNK]
        there = set(session.scalars(select(Member.id).where(Member.id.in_(chosen))))
        ids = [one for one in chosen if one in there]
    else:
        chosen = ids = list(session.scalars(query))
    known = facts.of_members(session, ids, ready.plugins) if ids and ready.asks_member else {}
    actor = replace(Actor.system(subscriber_of(automation.id), bulk=True), correlation_id=turn.id)
    turn.state = "running"
    with acting_as(session, actor):
        for member_id in ids:
            cause = Cause(key=f"turn:{turn.id}:{member_id}", member_id=member_id, turn_id=turn.id)
            turn.matched += one(session, actor, automation, ready, cause, known.get(member_id, {}))
    turn.seen += len(ids)
    ended = len(chosen) < CHUNK
    if ended:
        turn.state, turn.finished_at = "done", now()
    else:
        context.save(session, after=str(chosen[-1]))
    session.flush()
    return ended


def one(
    session: Session,
    actor: Actor,
    automation: Automation,
    ready: Ready,
    cause: Cause,
    known: dict[str, Any] | None = None,
) -> bool:
    """One member, in a savepoint: what breaks costs this one alone, and is kept as a run that failed.

    Returns whether there is a new run. ``known`` is what is known of the member already.
    """
    try:
        with session.begin_nested():
            return start(session, actor, automation, ready, cause, known) is not None
    except OperationalError:
        raise
    except Exception as problem:
        rule = rule_of(automation)
        outcome = carrying.broke(problem, rule, cause)
        return carrying.note(session, actor, rule, cause, outcome) is not None


@contextmanager
def acting_as(session: Session, actor: Actor) -> Iterator[None]:
    """Let what the session writes into the trail by itself be this actor's."""
    before = session.info.get("actor")
    session.info["actor"] = actor
    try:
        yield
        session.flush()
    finally:
        session.info["actor"] = before
