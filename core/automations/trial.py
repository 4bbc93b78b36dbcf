"""Try an automation out on what really happened, without any effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import plain
from core.automations import carrying, fitting
from core.automations.carrying import Cause, Rule
from core.automations.conditions import EXPRESSIONS, line
from core.automations.definition import Definition, EventTrigger
from core.automations.errors import ActionBroke
from core.automations.fitting import Ready, ReadyStep
from core.automations.live import event_cause, subscriber_of
from core.automations.models import Automation
from core.automations.service import UPDATE
from core.automations.stored import of_row
from core.clock import now
from core.errors import DomainError, PermissionMissing
from core.events.models import EventRow
from core.i18n import _
from core.ids import new_id
from core.members.models import Member
from core.observability.committed import TOLD
from core.refusals import domain_error

MOST = 100
SECONDS = 5.0
NIL = UUID(int=0)
NAME = "Dry run"
NO_MATCH = _("The condition does not hold.")
_PATIENCE = text("SELECT set_config('statement_timeout', :milliseconds, true)")
log = structlog.get_logger("automations")


@dataclass(frozen=True)
class TriedAction:
    """What an action would have done: ``done``, ``failed`` (``code``, ``sentence``, ``params`` say why) or ``left``."""

    action: str
    label: str
    state: Literal["done", "failed", "left"]
    values: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    sentence: str = ""
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tried:
    """What would have come of one event, or of one member: ``why`` is empty where it matched, else a sentence.

    ``missed`` are the lines of the condition that did not hold, by place; empty where it is an expression.
    """

    matched: bool
    why: str
    event_id: UUID | None
    occurred_at: datetime | None
    member_id: UUID | None
    actions: tuple[TriedAction, ...] = ()
    missed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trial:
    """The outcome; ``ended_early`` when the time was over before all ``asked`` were tried."""

    tried: tuple[Tried, ...]
    asked: int
    ended_early: bool


def try_out(
    session: Session,
    actor: Actor,
    definition: Definition | dict[str, Any],
    *,
    last: int = 20,
    member_ids: Sequence[UUID] = (),
) -> Trial:
    """What a definition would have done with the last events of its kind, at most 100, or with members.

    Without ``member_ids`` a schedule and a manual one are tried on the newest active members. Each is tried as if it
    were the first: limits are not counted. Nothing of it stays, and nothing leaves the database. Actions that the
    actor may not do themselves are not called. Raises PermissionMissing, DefinitionInvalid.
    """
    actor.require(UPDATE)
    ready = fitting.ready(session, Definition.read(definition))
    trigger = ready.definition.trigger
    most = max(1, min(last, MOST))
    until = time.monotonic() + SECONDS
    tried: list[Tried] = []
    with _without_effect(session) as (rule, acting):
        if isinstance(trigger, EventTrigger):
            query = select(EventRow).where(EventRow.name == trigger.event).order_by(EventRow.id.desc()).limit(most)
            causes = [partial(_of_event, row=row) for row in session.scalars(query).all()]
        else:
            causes = [partial(_of_member, member_id=one) for one in _members(session, member_ids, most)]
        for cause_of in causes:
            left = until - time.monotonic()
            if left <= 0:
                break
            tried.append(_one(session, actor, acting, ready, rule, cause_of, left))
    return Trial(tuple(tried), len(causes), len(tried) < len(causes))


def _one(
    session: Session,
    actor: Actor,
    acting: Actor,
    ready: Ready,
    rule: Rule,
    cause_of: Callable[[Session, Ready, Actor], Cause],
    left: float,
) -> Tried:
    """Try one event or member in a savepoint that is taken back; no statement may take longer than what is left."""
    seen: dict[str, Any] = {"event_id": None, "occurred_at": None, "member_id": None}
    savepoint = session.begin_nested()
    try:
        session.execute(_PATIENCE, {"milliseconds": str(max(1, int(left * 1000)))})
        cause = cause_of(session, ready, acting)
        seen = {
            "event_id": cause.event.id if cause.event else None,
            "occurred_at": cause.event.occurred_at if cause.event else None,
            "member_id": cause.member_id,
        }
        variables = ready.variables(session, cause.event, ready.member(session, cause.member_id))
        if not ready.matches(variables):
            return Tried(matched=False, why=NO_MATCH, missed=_missed(ready, variables), **seen)
        caused = acting.caused_by(cause.event.id, cause.event.correlation_id) if cause.event else acting
        done = _actions(session, actor, caused, ready, variables, cause, rule)
        return Tried(matched=True, why="", actions=done, **seen)
    except Exception as problem:
        known = domain_error(problem)
        if known is None:
            log.error("a dry run broke", exc_info=problem)
        return Tried(matched=False, why=(known or ActionBroke()).message, **seen)
    finally:
        savepoint.rollback()
        session.expire_all()


def _missed(ready: Ready, variables: Mapping[str, Any]) -> tuple[int, ...]:
    """The lines of the condition that do not hold, by place."""
    lines = enumerate(ready.definition.condition.rows)
    return tuple(place for place, row in lines if not EXPRESSIONS.condition(line(row)).holds(variables))


def _actions(
    session: Session,
    actor: Actor,
    acting: Actor,
    ready: Ready,
    variables: Mapping[str, Any],
    cause: Cause,
    rule: Rule,
) -> tuple[TriedAction, ...]:
    """Do the actions one after the other, as a run would, until one that stops it fails."""
    told: list[TriedAction] = []
    stopped = False
    for place, step in enumerate(ready.steps):
        of: dict[str, Any] = {"action": step.key, "label": step.action.label}
        if stopped:
            told.append(TriedAction(state="left", **of))
            continue
        if not actor.can(step.action.permission):
            code, sentence, params = carrying.why(PermissionMissing(permission=step.action.permission))
            told.append(TriedAction(state="failed", code=code, sentence=sentence, params=params, **of))
        else:
            try:
                result = carrying.step(session, acting, rule, step, place, variables, cause)
            except Exception as problem:
                known = domain_error(problem)
                if known is None:
                    log.error("an action broke in a dry run", action=step.key, exc_info=problem)
                code, sentence, params = carrying.why(known or ActionBroke())
                result = {"state": "failed", "code": code, "sentence": sentence, "params": params}
            result.pop("problem", None)
            result.pop("action", None)
            told.append(TriedAction(**result, values=_shown(step, variables), **of))
        stopped = told[-1].state == "failed" and step.stops
    return tuple(told)


def _shown(step: ReadyStep, variables: Mapping[str, Any]) -> dict[str, Any]:
    try:
        shown: dict[str, Any] = plain(step.values(variables))
    except DomainError:
        return {}
    return shown


def _of_event(session: Session, ready: Ready, acting: Actor, *, row: EventRow) -> Cause:
    return event_cause(session, ready, of_row(session, row, acting))


def _of_member(session: Session, ready: Ready, acting: Actor, *, member_id: UUID) -> Cause:
    return Cause(key=f"turn:{NIL}:{member_id}", member_id=member_id)


def _members(session: Session, chosen: Sequence[UUID], most: int) -> Sequence[UUID]:
    query = select(Member.id).where(Member.status == "active").order_by(Member.joined_at.desc()).limit(most)
    if chosen:
        query = select(Member.id).where(Member.id.in_(list(chosen)[:MOST])).order_by(Member.id)
    return session.scalars(query).all()


@contextmanager
def _without_effect(session: Session) -> Iterator[tuple[Rule, Actor]]:
    """A savepoint that is always taken back, with an automation for what is done in it; that and its actor.

    What the session carries along for the time after its commit (a doorbell, figures, a new generation) is as before.
    """
    session.flush()
    automation_id = new_id()
    acting = Actor.system(subscriber_of(automation_id))
    before = {key: list(value) if key == TOLD else value for key, value in session.info.items()}
    savepoint = session.begin_nested()
    try:
        row = {"id": automation_id, "name": f"{NAME} {automation_id}", "created_at": now()}
        session.execute(insert(Automation).values(row))
        session.info["actor"] = acting
        yield Rule(automation_id, NAME, 1), acting
    finally:
        savepoint.rollback()
        session.expire_all()
        session.info.clear()
        session.info.update(before)
