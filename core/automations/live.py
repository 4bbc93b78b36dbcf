"""Automations that are on, as subscribers of their events: deliveries, retries and dead letters are those of every one.

A rest without an end holds what reaches an automation while something that it names is not there: a plugin that is
turned off, an action or an event that is gone. Nothing is lost; it is done once all is there again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.automations import carrying, facts, fitting
from core.automations.carrying import Cause, Outcome, Rule
from core.automations.definition import Definition, EventTrigger, Kept
from core.automations.errors import DefinitionInvalid, ExpressionFailed, NotOn, Waits
from core.automations.fitting import Ready
from core.automations.models import Automation, AutomationRun, AutomationVersion
from core.events.event import StoredEvent, Subscriber
from core.events.subscribers import Live
from core.members.models import Member
from core.switches import service as switches

SWITCH = "core.automations"
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
log = structlog.get_logger("automations")


def subscriber_of(automation_id: UUID) -> str:
    """The id under which deliveries to an automation are found, and the name of who acts for it."""
    return f"core.automation.{automation_id}"


def live(session: Session) -> Live:
    """The automations that are on and start from events; a source of ``registry.live``."""
    subscribers: dict[str, Subscriber] = {}
    by_event: dict[str, list[str]] = {}
    rests: dict[str, datetime] = {}
    in_force = AutomationVersion.number == Automation.version, AutomationVersion.automation_id == Automation.id
    query = select(Automation.id, AutomationVersion.definition).join(AutomationVersion, in_force[0] & in_force[1])
    pulled = switches.pulled(session).get(SWITCH)
    for automation_id, given in session.execute(query.where(Automation.state == "on").order_by(Automation.id)):
        key = subscriber_of(automation_id)
        said = Kept.of(given)
        definition = said.definition
        if definition is None:
            log.error("an automation cannot be read", automation=str(automation_id), problems=said.problems)
            if said.event:
                subscribers[key] = Subscriber(event=said.event, handler=partial(handle, automation_id))
                by_event.setdefault(said.event, []).append(key)
                rests[key] = NEVER
            continue
        if not isinstance(definition.trigger, EventTrigger):
            continue
        subscribers[key] = Subscriber(event=definition.trigger.event, handler=partial(handle, automation_id))
        by_event.setdefault(definition.trigger.event, []).append(key)
        if fitting.check(session, definition):
            rests[key] = NEVER
        elif pulled:
            rests[key] = pulled.until or NEVER
    return Live(subscribers, by_event, rests)


def in_force(session: Session, automation: Automation) -> Ready:
    """The version of an automation that is in force, ready to run. Raises NotOn, Waits."""
    if automation.version is None:
        raise NotOn()
    key = ("automation", automation.id, automation.version)
    kept: Ready | None = generation.cached(session, key)
    if kept is None:
        version = session.get_one(AutomationVersion, (automation.id, automation.version))
        try:
            kept = fitting.ready(session, Definition.read(version.definition))
        except DefinitionInvalid as problem:
            raise Waits(problem.details) from None
        generation.keep(session, key, kept)
    return kept


def rule_of(automation: Automation) -> Rule:
    """An automation with the version that is in force. Raises NotOn where none is."""
    if automation.version is None:
        raise NotOn()
    return Rule(automation.id, automation.name, automation.version)


def handle(automation_id: UUID, session: Session, actor: Actor, event: StoredEvent) -> None:
    """Carry an automation out for one event, if it is on and matches.

    Raises Waits when something that it names is gone since the delivery was taken; the delivery is tried again.
    """
    automation = session.get(Automation, automation_id)
    if automation is None or automation.state != "on":
        return
    ready = in_force(session, automation)
    if not isinstance(ready.definition.trigger, EventTrigger) or ready.definition.trigger.event != event.name:
        return  # it was changed since
    start(session, actor, automation, ready, event_cause(session, ready, event))


def event_cause(session: Session, ready: Ready, event: StoredEvent) -> Cause:
    """An event as the cause of a run, with the member that it names, if there is such a member."""
    trigger = ready.definition.trigger
    member_id = facts.member_of(session, event, trigger.member if isinstance(trigger, EventTrigger) else "")
    known = session.scalar(select(Member.id).where(Member.id == member_id)) if member_id else None
    return Cause(key=f"event:{event.id}", member_id=known, event=event)


def start(
    session: Session,
    actor: Actor,
    automation: Automation,
    ready: Ready,
    cause: Cause,
    member: Any = None,
) -> AutomationRun | None:
    """Carry it out for one cause if the condition holds; ``member`` is what is known of the member already."""
    known = member if member is not None else ready.member(session, cause.member_id)
    variables = ready.variables(session, cause.event, known)
    rule = rule_of(automation)
    try:
        if not ready.matches(variables):
            return None
    except ExpressionFailed as problem:
        return carrying.note(session, actor, rule, cause, Outcome("failed", problem))
    return carrying.begin(session, actor, rule, ready, variables, cause)
