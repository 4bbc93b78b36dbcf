"""Take back a whole import: what it created is deleted, what it updated is set back, what changed since is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import MANYTOONE, Session

from core.actor import Actor
from core.audit import trail
from core.audit.trail import because
from core.clock import now
from core.errors import DomainError
from core.events.publish import publish
from core.history import reading
from core.history.values import Closed
from core.imports import service
from core.imports.errors import UndoChanged, UndoGone, UndoUndeletable, UndoUnknown
from core.imports.models import Import, ImportRow
from core.imports.rows import Problem
from core.imports.steps import SYSTEM, acting, available, keep_problems, patiently
from core.imports.writing import is_plain, mark
from core.jobs.job import JobContext
from core.lists.bulk import Unexpected
from core.refusals import domain_error
from core.resources.declaration import DELETED_AT
from core.resources.resource import BoundResource

CHUNK = 1000
FIGURES = ("deleted", "restored", "left")
Was = dict[str, dict[str, Any]]
log = structlog.get_logger("imports")


def run(context: JobContext, row: Import) -> dict[str, Any]:
    """The job, from the last row of the file to the first, so that what refers goes before what it refers to.

    Each chunk of rows is one transaction, with the place that a job which was killed goes on from.
    """
    kept = context.checkpoint()
    kept = kept if kept.get("step") == "undone" else {}
    figures: dict[str, int] = {**dict.fromkeys(FIGURES, 0), **kept.get("figures", {})}
    before: int | None = kept.get("line")
    with context.unit_of_work() as session:
        total = session.scalar(select(func.count()).where(ImportRow.import_id == row.id)) or 0

    def step() -> tuple[int | None, dict[str, int]]:
        with context.unit_of_work() as session:
            return _step(context, session, row, before, figures)

    ended = False
    while not ended:
        context.progress(sum(figures.values()), total)
        last, figures = patiently(step)
        ended, before = last is None, last
    return figures


def _step(
    context: JobContext, session: Session, row: Import, before: int | None, figures: dict[str, int]
) -> tuple[int | None, dict[str, int]]:
    """Undo the chunk of rows ``before`` a line: returns its first line, None at the end of all, and new figures."""
    bound = available(session, row)
    actor = acting(session, row)
    service.may_undo(actor, row, bound)
    session.info["actor"] = actor
    query = select(ImportRow).where(ImportRow.import_id == row.id)
    query = query if before is None else query.where(ImportRow.line < before)
    rows = session.scalars(query.order_by(ImportRow.line.desc()).limit(CHUNK)).all()
    updated = [one.key for one in rows if one.action == "updated"]
    chunk = _Chunk(
        session, actor, bound, reading.before(session, SYSTEM, bound, row.id, updated) if updated else {}, figures
    )
    with because(session, row.reason):
        chunk.undo(rows)
    keep_problems(session, row.id, "undone", chunk.problems)
    if rows:
        context.save(session, step="undone", line=rows[-1].line, figures=chunk.figures)
    if len(rows) == CHUNK:
        return rows[-1].line, chunk.figures
    ended = session.get_one(Import, row.id, with_for_update=True, populate_existing=True)
    ended.figures, ended.state, ended.ended_at = {**ended.figures, "undone": chunk.figures}, "undone", now()
    service.forget(session, ended)
    return None, chunk.figures


class _Chunk:
    """Some rows that are undone in one transaction: by few statements where a record is nothing but its row."""

    def __init__(self, session: Session, actor: Actor, bound: BoundResource, was: Was, figures: dict[str, int]) -> None:
        self._session, self._actor, self._bound, self._was = session, actor, bound, was
        self.figures = dict(figures)
        self.problems: list[Problem] = []
        registry = session.info["registry"]
        self._together = {"created": deleted_plainly(bound), "updated": is_plain(registry, bound)}

    def undo(self, rows: Sequence[ImportRow]) -> None:
        if all(self._together[action] for action in {one.action for one in rows}):
            return self._halves(rows)
        for one in rows:
            self._alone(one)

    def _halves(self, rows: Sequence[ImportRow]) -> None:
        """All of them at once; where one of them cannot be, halves of them, and so on."""
        if not rows:
            return
        try:
            with self._session.begin_nested():
                done, problems = self._at_once(rows)
        except OperationalError:
            raise
        except Exception:  # which row it is about, and what it means, shows when that is alone
            if len(rows) == 1:
                return self._alone(rows[0])
            middle = len(rows) // 2
            self._halves(rows[:middle])
            self._halves(rows[middle:])
        else:
            self.problems += problems
            self._count("deleted", sum(one.action == "created" for one in done))
            self._count("restored", sum(one.action == "updated" for one in done))
            self._count("left", len(rows) - len(done))

    def _at_once(self, rows: Sequence[ImportRow]) -> tuple[list[ImportRow], list[Problem]]:
        held: dict[str, Any] = {}
        for action, verb in (("created", "delete"), ("updated", "update")):
            if some := [one for one in rows if one.action == action]:
                held |= self._locked(some, verb)
        done, problems = [], []
        for one in rows:
            try:
                self._check(one, held.get(one.key))
                done.append(one)
            except DomainError as problem:
                problems += Problem.of(one.line, problem)
        self._delete([held[one.key] for one in done if one.action == "created"])
        self._set_back([(held[one.key], self._was[one.key], one.fields) for one in done if one.action == "updated"])
        return done, problems

    def _locked(self, rows: Sequence[ImportRow], action: str) -> dict[str, Any]:
        """The records as they are now, locked in the order of their keys, as far as the actor may do this to them."""
        bound, own = self._bound, getattr(self._bound.resource.model, self._bound.resource.key)
        keys = [bound.parse_key(one.key) for one in rows]
        kind = bound.resource.columns_of_model[bound.resource.key].type
        among = own == sa.any_(sa.bindparam(None, keys, type_=ARRAY(kind)))
        self._session.execute(select(own).where(among).order_by(own).with_for_update())
        query = select(bound.resource.model).where(among).execution_options(populate_existing=True)
        condition = bound.visible(self._actor, action)
        query = query if condition is None else query.where(condition)
        return {str(bound.key_of(one)): one for one in self._session.scalars(query).unique()}

    def _check(self, one: ImportRow, record: Any) -> None:
        """Raise what keeps a row from being undone: UndoUndeletable, UndoGone, UndoChanged, UndoUnknown."""
        if one.action == "created" and "delete" not in self._bound.resource.actions:
            raise UndoUndeletable()
        if record is None:
            raise UndoGone()
        if mark(self._session, self._bound, record, one.fields) != one.mark:
            raise UndoChanged()
        was = self._was.get(one.key, {})
        if one.action == "updated" and any(name not in was or isinstance(was[name], Closed) for name in one.fields):
            raise UndoUnknown()

    def _delete(self, records: Sequence[Any]) -> None:
        bound, session = self._bound, self._session
        if not records:
            return
        if bound.resource.soft_delete:
            at = now()
            for record in records:
                setattr(record, DELETED_AT, at)
            session.flush()
        else:
            keys = [bound.key_of(record) for record in records]
            column: Any = bound.resource.columns_of_model[bound.resource.key]
            if type(records[0]) in session.info["registry"].audited:
                trail.deleted(session, self._actor, records)
            among = column == sa.any_(sa.bindparam(None, keys, type_=ARRAY(column.type)))
            session.execute(sa.delete(column.table).where(among))
            for record in records:
                session.expunge(record)
        if event := bound.events.get("delete"):
            publish(session, self._actor, *(event(id=bound.key_of(record)) for record in records))

    def _set_back(self, records: Sequence[tuple[Any, dict[str, Any], Sequence[str]]]) -> None:
        changes = []
        for record, was, fields in records:
            changed = tuple(sorted(name for name in fields if getattr(record, name) != was[name]))
            for name in changed:
                setattr(record, name, was[name])
            if changed:
                changes.append((self._bound.key_of(record), changed))
        self._session.flush()
        if (event := self._bound.events.get("update")) and changes:
            publish(self._session, self._actor, *(event(id=key, fields=changed) for key, changed in changes))

    def _alone(self, one: ImportRow) -> None:
        """One row by the services of its resource; in a savepoint, so that what is refused leaves nothing."""
        bound, session, actor = self._bound, self._session, self._actor
        try:
            with session.begin_nested():
                record = self._locked([one], "delete" if one.action == "created" else "update").get(one.key)
                self._check(one, record)
                if one.action == "created":
                    bound.delete(session, actor, record)
                else:
                    was = self._was[one.key]
                    bound.update(session, actor, record, {name: was[name] for name in one.fields})
        except OperationalError:
            raise
        except Exception as problem:
            known = domain_error(problem)
            if known is None or known.status >= 500:
                log.exception("a row of an import was not undone", resource=bound.key, line=one.line)
                known = Unexpected()
            self.problems += Problem.of(one.line, known)
            self._count("left", 1)
        else:
            self._count("deleted" if one.action == "created" else "restored", 1)

    def _count(self, figure: str, number: int) -> None:
        self.figures[figure] += number


def deleted_plainly(bound: BoundResource) -> bool:
    """Whether deleting a record is no more than deleting its row: no service, files or ORM cascade has a part in it."""
    resource, mapper = bound.resource, sa.inspect(bound.resource.model)
    if resource.delete or resource.files or mapper.inherits is not None:
        return False
    return all(
        one.viewonly or ("delete" not in one.cascade if one.direction is MANYTOONE else bool(one.passive_deletes))
        for one in mapper.relationships
    )
