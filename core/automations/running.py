"""Start an automation by hand, repeat a run, and forget old ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import record
from core.automations import carrying, limits, service, turns
from core.automations.carrying import Cause
from core.automations.definition import ManualTrigger
from core.automations.errors import (
    EventGone,
    ExpressionFailed,
    NobodyChosen,
    NotManual,
    NotOn,
    NotRepeatable,
    TooManyMembers,
)
from core.automations.fitting import Ready
from core.automations.live import SWITCH, event_cause, in_force, rule_of, subscriber_of
from core.automations.models import Automation, AutomationRun, AutomationTurn, AutomationVersion
from core.automations.stored import stored_event
from core.clock import now
from core.errors import NotFound
from core.ids import new_id
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read
from core.switches import service as switches

MOST_MEMBERS = 10_000
REPEATABLE = ("failed", "partly", "limited", "loop")
CHUNK = 1000


def run_for(
    session: Session, actor: Actor, automation_id: UUID, member_ids: Sequence[UUID], *, key: str = ""
) -> AutomationTurn:
    """Have a job run a manual automation that is on for these members, at most 10,000. Audited.

    ``key`` makes it once: asked again with the same, the turn there is comes back. Who does not match is passed over.
    Raises PermissionMissing, NotFound, NotOn, NotManual, Waits, NobodyChosen, TooManyMembers, SwitchedOff.
    """
    automation, _ready = _by_hand(session, actor, automation_id)
    chosen = sorted(set(member_ids))
    if not chosen:
        raise NobodyChosen()
    if len(chosen) > MOST_MEMBERS:
        raise TooManyMembers(most=MOST_MEMBERS)
    asked = uuid5(automation.id, key) if key else new_id()
    turn, new = turns.ask(session, actor, automation, key=f"manual:{asked}", member_ids=chosen)
    if new:
        record(
            session,
            actor,
            "core.automation.started",
            subject_type="core.automation",
            subject_id=automation.id,
            changes={"turn": [None, turn.id], "members": [None, len(chosen)]},
        )
    return turn


def run_now(session: Session, actor: Actor, automation_id: UUID, member_id: UUID) -> bool:
    """Run a manual automation that is on for one member, in the caller's transaction and once for the caller's one act.

    Returns whether there is a new run: who does not match has none. Not audited: the run log has it. Raises
    PermissionMissing, NotFound, NotOn, NotManual, Waits, SwitchedOff.
    """
    automation, ready = _by_hand(session, actor, automation_id)
    acting = replace(Actor.system(subscriber_of(automation.id), bulk=actor.bulk), correlation_id=actor.correlation_id)
    cause = Cause(key=f"manual:{actor.correlation_id}:{member_id}", member_id=member_id)
    with turns.acting_as(session, acting):
        return turns.one(session, acting, automation, ready, cause)


def _by_hand(session: Session, actor: Actor, automation_id: UUID) -> tuple[Automation, Ready]:
    """An automation that this actor may start by hand now, ready to run."""
    actor.require(service.RUN)
    switches.require(session, SWITCH)
    automation = service.find(session, actor, automation_id)
    if automation.state != "on":
        raise NotOn()
    ready = in_force(session, automation)
    if not isinstance(ready.definition.trigger, ManualTrigger):
        raise NotManual()
    return automation, ready


def run_again(session: Session, actor: Actor, run_id: UUID) -> AutomationRun:
    """Make a run that failed, or did so in part, anew, under its own key: what it did stays done. Audited.

    One of which nothing stands is made by the version in force now. Raises PermissionMissing, NotFound, NotRepeatable,
    EventGone, NotOn, Waits, SwitchedOff.
    """
    actor.require(service.RUN)
    switches.require(session, SWITCH)
    row = session.get(AutomationRun, run_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    if row.state not in REPEATABLE:
        raise NotRepeatable(state=row.state)
    automation = session.get_one(Automation, row.automation_id)
    stands = any(one["state"] == "done" for one in row.results)
    ready = in_force(session, automation)
    if stands and automation.version != row.version:
        version = session.get_one(AutomationVersion, (automation.id, row.version))
        ready = turns.made_ready(session, version)
    acting = Actor.system(subscriber_of(automation.id))
    if row.event_id is not None:
        event = stored_event(session, row.event_id, acting)
        if event is None:
            raise EventGone()
        acting = acting.caused_by(event.id, event.correlation_id)
        cause = event_cause(session, ready, event)
    else:
        acting = replace(acting, correlation_id=row.correlation_id)
        cause = Cause(key=row.key, member_id=row.member_id, turn_id=row.turn_id)
    before = row.state
    began = time.monotonic()
    try:
        variables = ready.variables(session, cause.event, ready.member(session, cause.member_id))
        with turns.acting_as(session, acting):
            outcome = carrying.carry_out(
                session,
                acting,
                rule_of(automation),
                ready,
                variables,
                cause,
                before=row.results if stands else None,
                counted=not stands,
            )
    except ExpressionFailed as problem:
        outcome = carrying.Outcome("failed", problem)
    row.tries += 1
    row.version = row.version if stands else automation.version or row.version
    carrying.keep(session, row, outcome, began)
    record(
        session,
        actor,
        "core.automation.repeated",
        subject_type="core.automation",
        subject_id=automation.id,
        changes={"run": [None, row.id], "state": [before, row.state]},
    )
    return row


def sweep(context: JobContext) -> dict[str, Any]:
    """The job: runs and turns older than ``automation_run_days`` are deleted, a thousand at a time."""
    gone = 0
    with context.unit_of_work() as session:
        days = read(session, PlatformSettings).automation_run_days
        limits.forget(session, now())
    while days:
        before = now() - timedelta(days=days)
        with context.unit_of_work() as session:
            old = select(AutomationRun.id).where(AutomationRun.at < before).limit(CHUNK)
            some = delete(AutomationRun).where(AutomationRun.id.in_(old)).returning(AutomationRun.id)
            count = len(session.scalars(some).all())
            ended = AutomationTurn.due_at < before, AutomationTurn.state.in_(("done", "failed"))
            session.execute(delete(AutomationTurn).where(*ended))
        gone += count
        context.progress(gone)
        if count < CHUNK:
            break
    return {"runs": gone}
