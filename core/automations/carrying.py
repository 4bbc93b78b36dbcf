"""One run: its actions in savepoints, and what became of each. Whoever calls has decided that it matches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import plain
from core.automations import limits
from core.automations.action import ActionCall
from core.automations.errors import ActionBroke, LimitReached, Loop, MemberNeeded
from core.automations.fitting import Ready, ReadyStep
from core.automations.models import AutomationEffect, AutomationRun
from core.clock import now
from core.db.session import WITNESS
from core.errors import DomainError
from core.events.event import StoredEvent
from core.ids import new_id
from core.platform_settings import PlatformSettings
from core.refusals import domain_error
from core.settings import read

log = structlog.get_logger("automations")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why an automation runs: ``key`` is unique among its runs."""

    key: str
    member_id: UUID | None
    event: StoredEvent | None = None
    turn_id: UUID | None = None


@dataclass(frozen=True)
class Rule:
    """The automation that is carried out, by the version that is."""

    id: UUID
    name: str
    version: int


@dataclass
class Outcome:
    """What came of a run: ``problem`` is why it is not ``done``, ``results`` as a run keeps them."""

    state: str
    problem: DomainError | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    published: list[UUID] = field(default_factory=list)


class _Stopped(Exception):
    """An action failed that ends the run; all that the run did is taken back."""

    def __init__(self, problem: DomainError) -> None:
        self.problem = problem


def begin(
    session: Session,
    actor: Actor,
    rule: Rule,
    ready: Ready,
    variables: Mapping[str, Any],
    cause: Cause,
) -> AutomationRun | None:
    """Carry an automation out and keep the run; None where there is a run of this cause already.

    A refusal (a DomainError of an action) is a result that is kept. Anything else, and what may pass by itself (a lock,
    a service that does not answer), goes on to the caller, with nothing done.
    """
    run_id = _claimed(session, actor, rule, cause)
    if run_id is None:
        return None
    began = time.monotonic()
    outcome = carry_out(session, actor, rule, ready, variables, cause)
    row = session.get_one(AutomationRun, run_id)
    keep(session, row, outcome, began)
    return row


def note(session: Session, actor: Actor, rule: Rule, cause: Cause, outcome: Outcome) -> AutomationRun | None:
    """Keep a run that came to nothing before its first action; None where there is a run of this cause already."""
    run_id = _claimed(session, actor, rule, cause)
    if run_id is None:
        return None
    row = session.get_one(AutomationRun, run_id)
    keep(session, row, outcome, time.monotonic())
    return row


def _claimed(session: Session, actor: Actor, rule: Rule, cause: Cause) -> UUID | None:
    """The id of a new run of this cause; None where there is one, whoever made it."""
    run = {
        "id": new_id(),
        "automation_id": rule.id,
        "version": rule.version,
        "key": cause.key,
        "event_id": cause.event.id if cause.event else None,
        "event_name": cause.event.name if cause.event else "",
        "turn_id": cause.turn_id,
        "member_id": cause.member_id,
        "state": "done",
        "took_ms": 0,
        "correlation_id": actor.correlation_id,
        "at": now(),
    }
    made = insert(AutomationRun).values(run).on_conflict_do_nothing(index_elements=["automation_id", "key"])
    return session.scalar(made.returning(AutomationRun.id))


def keep(session: Session, row: AutomationRun, outcome: Outcome, began: float) -> None:
    """Write down what came of a run, and which events it published and jobs it asked for."""
    row.state, row.results = outcome.state, outcome.results
    row.code, row.sentence, row.params = why(outcome.problem)
    row.took_ms = int((time.monotonic() - began) * 1000)
    session.flush()
    if outcome.published:
        effects = [{"event_id": one, "run_id": row.id} for one in outcome.published]
        session.execute(insert(AutomationEffect).values(effects).on_conflict_do_nothing())


def carry_out(
    session: Session,
    actor: Actor,
    rule: Rule,
    ready: Ready,
    variables: Mapping[str, Any],
    cause: Cause,
    *,
    before: list[dict[str, Any]] | None = None,
    counted: bool = True,
) -> Outcome:
    """Do the actions, but those that are done ``before`` already. With ``counted`` loops and limits are looked at."""
    results: list[dict[str, Any]] = []
    with _witnessed(session) as published:
        try:
            if counted:
                most = read(session, PlatformSettings).automation_chain
                limits.guard(session, rule.id, cause.event.id if cause.event else None, most)
            with session.begin_nested():
                if counted:
                    limits.count(session, rule.id, cause.member_id, ready.definition.limits)
                for place, one in enumerate(ready.steps):
                    if before and place < len(before) and before[place]["state"] == "done":
                        results.append(before[place])
                        continue
                    results.append(step(session, actor, rule, one, place, variables, cause))
                    if results[-1]["state"] == "failed" and one.stops:
                        raise _Stopped(results[-1].pop("problem"))
                failed = [one.pop("problem") for one in results if one["state"] == "failed"]
                if failed and len(failed) == len(results):
                    raise _Stopped(failed[0])
        except Loop as problem:
            return Outcome("loop", problem)
        except LimitReached as problem:
            return Outcome("limited", problem)
        except _Stopped as stopped:
            results = _taken_back(ready, results, before)
            stands = any(one["state"] == "done" for one in results)  # from an earlier try
            return Outcome("partly" if stands else "failed", stopped.problem, results)
        # The list is emptied once the block is left.
        outcome = Outcome("partly" if failed else "done", failed[0] if failed else None, results, list(published))
    return outcome


def step(
    session: Session,
    actor: Actor,
    rule: Rule,
    ready: ReadyStep,
    place: int,
    variables: Mapping[str, Any],
    cause: Cause,
) -> dict[str, Any]:
    """Do one action in a savepoint; what its result is in the run log."""
    told: dict[str, Any] = {"action": ready.key, "state": "done", "result": {}}
    try:
        with rolled_back_on_error(session):
            if ready.action.needs_member and cause.member_id is None:
                raise MemberNeeded()
            call = ActionCall(
                key=f"{rule.id}:{cause.key}:{place}",
                automation_id=rule.id,
                automation=rule.name,
                member_id=cause.member_id,
                event=cause.event,
                values=ready.values(variables),
            )
            told["result"] = plain(ready.action.run(session, actor, call) or {})
            session.flush()
    except Exception as problem:
        refusal = refused(problem)
        code, sentence, params = why(refusal)
        told |= {"state": "failed", "code": code, "sentence": sentence, "params": params, "problem": refusal}
    return told


def refused(problem: Exception) -> DomainError:
    """The refusal that an action's exception is. Raises it again where it is none, or may pass by itself."""
    known = None if isinstance(problem, OperationalError) else domain_error(problem)
    if known is None or known.status >= 500:
        raise problem
    return known


def broke(problem: Exception, rule: Rule, cause: Cause) -> Outcome:
    """What is kept of a run whose action failed in a way that nobody explains, where nothing tries again."""
    known = domain_error(problem)
    if known is None:
        log.error("an action broke", automation=str(rule.id), run=cause.key, exc_info=problem)
        known = ActionBroke()
    return Outcome("failed", known)


@contextmanager
def rolled_back_on_error(session: Session) -> Iterator[None]:
    """A savepoint; what was published in it and is rolled back was not published."""
    witnessed: list[UUID] = session.info.get(WITNESS, [])
    length = len(witnessed)
    try:
        with session.begin_nested():
            yield
    except BaseException:
        del witnessed[length:]
        raise


@contextmanager
def _witnessed(session: Session) -> Iterator[list[UUID]]:
    """Note the ids of the events that are published within, and of the jobs that are asked for."""
    before = session.info.get(WITNESS)
    published: list[UUID] = []
    session.info[WITNESS] = published
    try:
        yield published
    finally:
        if before is None:
            session.info.pop(WITNESS, None)
        else:
            session.info[WITNESS] = before


def _taken_back(
    ready: Ready, results: list[dict[str, Any]], before: list[dict[str, Any]] | None
) -> list[dict[str, Any]]:
    """The results of a run of which nothing stands but what an earlier try did."""
    told = []
    for place, step in enumerate(ready.steps):
        one = results[place] if place < len(results) else {"action": step.key, "state": "left", "result": {}}
        one.pop("problem", None)
        done_before = bool(before) and place < len(before or ()) and (before or [])[place]["state"] == "done"
        told.append({**one, "state": "taken_back", "result": {}} if one["state"] == "done" and not done_before else one)
    return told


def why(problem: DomainError | None) -> tuple[str, str, dict[str, Any]]:
    """A refusal as the run log keeps it, in words that can be translated."""
    if problem is None:
        return "", "", {}
    details = problem.details if isinstance(problem.details, dict) else {}
    for sentences in details.values():
        first = sentences[0] if isinstance(sentences, (list, tuple)) and sentences else sentences
        if isinstance(first, str):
            return problem.code, first[:1000], {}
    return problem.code, problem.sentence[:1000], plain(problem.params)
