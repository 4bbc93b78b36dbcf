"""Work on many records at once: chosen, done one by one with a report, and taken back as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.audit.trail import plain, record
from core.clock import now
from core.errors import Conflict, DomainError, Invalid, Limit, NotFound
from core.i18n import _
from core.jobs.job import JobContext
from core.jobs.models import JobRow
from core.jobs.queue import cancel, enqueue
from core.lists.models import BulkItem, BulkRun
from core.lists.state import ListState
from core.lists.typed import typed
from core.members.acting import later
from core.refusals import domain_error
from core.resources.operation import Operation
from core.resources.resource import RESTORE, BoundResource
from core.switches import service as switches

JOB = "bulk"
AT_ONCE = 100
MOST = 10_000
log = structlog.get_logger("bulk")


class NothingChosen(Invalid):
    code = "NOTHING_CHOSEN"
    sentence = _("No record is chosen. Go back to the list and select some.")


class TooManyChosen(Limit):
    code = "TOO_MANY_CHOSEN"
    status = 422
    sentence = _("At most 10,000 records can be changed at once. Filter the list first.")


class NothingToChange(Invalid):
    code = "NOTHING_TO_CHANGE"
    sentence = _("Tick at least one field that is to change.")


class ChosenChanged(Conflict):
    code = "CHOSEN_CHANGED"
    sentence = _("Meanwhile {now} records match instead of {before}. Look again, then confirm.")


class ChangedSince(Conflict):
    code = "CHANGED_SINCE"
    sentence = _("It was changed again since, so it was left as it is.")


class NotRevertable(Conflict):
    code = "NOT_REVERTABLE"
    sentence = _("This change cannot be taken back: it is not over, changed nothing, or was taken back already.")


class Unexpected(DomainError):
    code = "INTERNAL"
    status = 500
    sentence = _("Something went wrong with this record. It has been noted in the log.")


@dataclass(frozen=True)
class Chosen:
    """The records meant: these ``keys``, or without any all that ``state`` finds, which were ``expected`` so many."""

    state: ListState
    keys: tuple[str, ...] = ()
    expected: int | None = None

    def conditions(self, actor: Actor) -> list[sa.ColumnElement[bool]]:
        """The records as a condition. Raises PermissionMissing."""
        if not self.keys:
            return self.state.conditions(actor)
        bound, known = self.state.bound, []
        for key in dict.fromkeys(self.keys[: MOST + 1]):
            try:
                known.append(bound.parse_key(key))
            except NotFound:
                continue
        visible = bound.visible(actor, deleted=self.state.deleted)
        among = getattr(bound.resource.model, bound.resource.key).in_(known)
        return [among] if visible is None else [among, visible]

    def count(self, session: Session, actor: Actor) -> int:
        """How many they are, up to MOST + 1."""
        key = getattr(self.state.bound.resource.model, self.state.bound.resource.key)
        some = sa.select(key).where(*self.conditions(actor)).limit(MOST + 1).subquery()
        return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def operation_of(bound: BoundResource, name: str) -> Operation:
    """The operation of a resource by its name. Raises NotFound."""
    found = next((one for one in bound.operations if one.name == name), None)
    if found is None:
        raise NotFound()
    return found


def permission_of(bound: BoundResource, kind: str, operation: str = "") -> str:
    """What an act upon many takes."""
    if kind == "operation":
        return operation_of(bound, operation).permission
    return bound.permission("delete" if kind == "delete" else "update")


def require_operation(session: Session, actor: Actor, bound: BoundResource, operation: Operation) -> None:
    """Raise PermissionMissing, or StepUpRequired or SwitchedOff where it moves value, unless it may be done now."""
    actor.require(operation.permission)
    if operation.moves_value:
        actor.require_step_up(or_key=True)
        switches.require_value_routes(session, bound.plugin)


def start(
    session: Session,
    actor: Actor,
    chosen: Chosen,
    kind: str,
    *,
    run_id: UUID,
    operation: str = "",
    values: dict[str, Any] | None = None,
) -> BulkRun:
    """Carry out an ``edit``, a ``delete`` or an ``operation`` upon the chosen records, or have a job do it beyond 100.

    ``run_id`` makes it once: asked again with the same, the run there is comes back. ``values`` are typed: of an edit
    the new values by column, all of which the resource names in ``bulk``. Raises PermissionMissing, NothingChosen,
    TooManyChosen, ChosenChanged, NothingToChange, NotFound, StepUpRequired, SwitchedOff.
    """
    bound, given = chosen.state.bound, values or {}
    actor.require_session()
    actor.require(permission_of(bound, kind, operation))
    if kind == "operation":
        require_operation(session, actor, bound, operation_of(bound, operation))
    if kind == "edit" and (not given or not set(given) <= set(bound.resource.bulk)):
        raise NothingToChange()
    if kind == "delete" and "delete" not in bound.resource.actions:
        raise NotFound()
    if (there := session.get(BulkRun, run_id)) is not None:
        return _mine(there, actor)
    key = getattr(bound.resource.model, bound.resource.key)
    query = sa.select(key).where(*chosen.conditions(actor)).order_by(key).limit(MOST + 1)
    keys = [str(one) for one in session.scalars(query)]
    if not keys:
        raise NothingChosen()
    if len(keys) > MOST:
        raise TooManyChosen()
    if chosen.expected is not None and len(keys) != chosen.expected:
        raise ChosenChanged(now=len(keys), before=chosen.expected)
    about = {"kind": kind, "operation": operation, "values": plain(given)}
    return _begin(session, actor, bound.key, run_id, keys, about)


def revert(session: Session, actor: Actor, run_id: UUID, *, new_id: UUID) -> BulkRun:
    """Give back to each record of an edit what it held before, where nothing changed it since.

    Raises NotFound, NotRevertable, PermissionMissing.
    """
    run = reach(session, actor, run_id)
    bound = session.info["registry"].resources[run.resource]
    actor.require(bound.permission("update"))
    session.execute(sa.select(BulkRun.id).where(BulkRun.id == run.id).with_for_update())
    taken = session.scalar(sa.select(BulkRun.id).where(BulkRun.reverts_id == run.id))
    keys = list(
        session.scalars(
            sa.select(BulkItem.key)
            .where(BulkItem.run_id == run.id, BulkItem.state == "done")
            .order_by(BulkItem.position)
        )
    )
    if run.kind != "edit" or not keys or taken is not None or not over(session, run):
        raise NotRevertable()
    return _begin(session, actor, run.resource, new_id, keys, {"kind": "revert", "reverts_id": run.id})


def reach(session: Session, actor: Actor, run_id: UUID) -> BulkRun:
    """A run that the actor began, or any of records they may change for who manages jobs. Raises NotFound."""
    run, resources = session.get(BulkRun, run_id), session.info["registry"].resources
    if run is None or run.resource not in resources:
        raise NotFound()
    manages = actor.can("core:job:manage") and actor.can(resources[run.resource].permission("update"))
    return run if manages else _mine(run, actor)


def stop(session: Session, actor: Actor, run_id: UUID) -> BulkRun:
    """Let a run's job end after the records that it has begun; what is done stays done. Raises NotFound."""
    run = reach(session, actor, run_id)
    if run.job_id is not None:
        cancel(session, run.job_id)
        record(session, actor, "core.job.cancelled", subject_type="core.job", subject_id=run.job_id)
    return run


def over(session: Session, run: BulkRun) -> bool:
    """Whether nothing more will happen: it is finished, or its job was stopped."""
    if run.finished_at is not None or run.job_id is None:
        return run.finished_at is not None
    state = session.scalar(sa.select(JobRow.state).where(JobRow.id == run.job_id))
    return state not in ("queued", "running")


def counts(session: Session, run: BulkRun) -> dict[str, int]:
    """How many of a run's records are in each state."""
    query = sa.select(BulkItem.state, sa.func.count()).where(BulkItem.run_id == run.id).group_by(BulkItem.state)
    found: dict[str, int] = dict(session.execute(query).tuples().all())
    return {state: found.get(state, 0) for state in ("waiting", "done", "unchanged", "failed")}


def run_job(context: JobContext) -> dict[str, Any]:
    """The job of a run: a hundred records a step; each step and what it says of its records are one transaction."""
    run_id = UUID(context.params["run"])
    while True:
        with context.unit_of_work() as session:
            run = session.get_one(BulkRun, run_id)
            _work(session, _again(session, run), run)
            found = counts(session, run)
        context.progress(run.total - found["waiting"], run.total)
        if not found["waiting"]:
            return {"done": found["done"], "unchanged": found["unchanged"], "failed": found["failed"]}


def _mine(run: BulkRun, actor: Actor) -> BulkRun:
    if run.member_id is None or run.member_id != actor.member_id:
        raise NotFound()
    return run


def _begin(
    session: Session, actor: Actor, resource: str, run_id: UUID, keys: Sequence[str], about: dict[str, Any]
) -> BulkRun:
    values = {
        "id": run_id,
        "resource": resource,
        "member_id": actor.member_id,
        "impersonator_id": actor.impersonator,
        "total": len(keys),
        "created_at": now(),
        **about,
    }
    made = insert(BulkRun).values(values).on_conflict_do_nothing(index_elements=["id"]).returning(BulkRun.id)
    if session.scalar(made) is None:
        return _mine(session.get_one(BulkRun, run_id), actor)
    rows = [{"run_id": run_id, "position": place, "key": key} for place, key in enumerate(keys)]
    session.execute(sa.insert(BulkItem), rows)
    run = session.get_one(BulkRun, run_id)
    acting = replace(actor, correlation_id=run_id)
    told = {"records": [None, run.total], **{key: [None, value] for key, value in run.values.items()}}
    if run.reverts_id:
        told["reverts"] = [None, run.reverts_id]
    action = f"core.bulk.{run.operation or run.kind}"
    record(session, acting, action, subject_type="core.bulk", subject_id=run_id, changes=told)
    if run.total <= AT_ONCE:
        _work(session, acting, run)
    else:
        run.job_id = enqueue(session, acting, f"core.{JOB}", {"run": str(run_id)}).id
        session.flush()
    return run


def _again(session: Session, run: BulkRun) -> Actor:
    """Who began the run, with what they may do now: who lost a permission meanwhile changes nothing more."""
    return later(session, run.member_id, impersonator=run.impersonator_id, correlation_id=run.id)


@contextmanager
def _as(session: Session, actor: Actor) -> Iterator[None]:
    """Let what the session writes into the trail by itself bear this actor's correlation id."""
    before = session.info.get("actor")
    session.info["actor"] = actor
    try:
        yield
        session.flush()
    finally:
        session.info["actor"] = before


def _work(session: Session, actor: Actor, run: BulkRun) -> None:
    """Do the next hundred records, each in a savepoint of its own."""
    bound = session.info["registry"].resources[run.resource]
    waiting = sa.select(BulkItem).where(BulkItem.run_id == run.id, BulkItem.state == "waiting")
    items = session.scalars(waiting.order_by(BulkItem.position).limit(AT_ONCE).with_for_update()).all()
    with _as(session, actor):
        for item in items:
            values: dict[str, Any] = {"state": "done"}
            try:
                with session.begin_nested():
                    values |= _one(session, actor, bound, run, item.key)
            except Exception as problem:
                values = {"state": "failed", "problem": _why(problem, run, item.key)}
            for name, value in values.items():
                setattr(item, name, value)
    left = sa.select(BulkItem.position).where(BulkItem.run_id == run.id, BulkItem.state == "waiting").limit(1)
    if session.scalar(left) is None:
        run.finished_at = now()
    session.flush()


def _one(session: Session, actor: Actor, bound: BoundResource, run: BulkRun, key: str) -> dict[str, Any]:
    """Do one record as the actor may now; what its item is to hold of it."""
    if bound.plugin in lifecycle.disabled(session):
        raise NotFound()
    if run.kind == "delete":
        bound.delete(session, actor, bound.get(session, actor, key, "delete"))
        return {}
    if run.kind == "operation":
        declared = operation_of(bound, run.operation)
        require_operation(session, actor, bound, declared)
        values = declared.form(**run.values).model_dump() if declared.form else {}
        deleted = bound.resource.soft_delete and run.operation == RESTORE
        declared.run(session, actor, bound.get(session, actor, key, "list", deleted=deleted), values)
        session.flush()
        return {}
    if run.kind == "revert":
        return _give_back(session, actor, bound, run, key)
    found = bound.get(session, actor, key, "update")
    return _changed(session, actor, bound, found, run.values)


def _give_back(session: Session, actor: Actor, bound: BoundResource, run: BulkRun, key: str) -> dict[str, Any]:
    column = getattr(bound.resource.model, bound.resource.key)
    session.execute(sa.select(column).where(column == bound.parse_key(key)).with_for_update())
    found = bound.get(session, actor, key, "update")
    session.refresh(found)
    query = sa.select(BulkItem).where(BulkItem.run_id == run.reverts_id, BulkItem.key == key)
    first = session.scalars(query).one()
    if any(plain(getattr(found, name)) != value for name, value in first.after.items()):
        raise ChangedSince()
    return _changed(session, actor, bound, found, first.before)


def _changed(
    session: Session, actor: Actor, bound: BoundResource, found: Any, values: dict[str, Any]
) -> dict[str, Any]:
    columns = bound.resource.columns_of_model
    wanted = {key: typed(columns[key], value) for key, value in values.items()}
    before = {key: plain(getattr(found, key)) for key in wanted}
    if all(getattr(found, key) == value for key, value in wanted.items()):
        return {"state": "unchanged"}
    found = bound.update(session, actor, found, wanted)
    return {"before": before, "after": {key: plain(getattr(found, key)) for key in wanted}}


def _why(problem: Exception, run: BulkRun, key: str) -> dict[str, Any]:
    """Why a record was left as it is, in words that the report can translate."""
    known = domain_error(problem)
    if known is None or known.status >= 500:
        log.exception("a record of a bulk change failed", run=str(run.id), resource=run.resource, key=key)
        known = known or Unexpected()
    details = known.details if isinstance(known.details, dict) else {}
    first = next((texts for texts in details.values()), None)
    if first:
        sentence = first[0] if isinstance(first, (list, tuple)) else first
        return {"code": known.code, "sentence": str(sentence), "params": {}}
    return {"code": known.code, "sentence": known.sentence, "params": plain(known.params)}
