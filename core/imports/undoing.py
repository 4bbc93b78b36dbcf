"""Take back a whole import: what it created is deleted, what it updated is set back, what changed since is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.audit.trail import because
from core.clock import now
from core.errors import NotFound
from core.history import reading
from core.history.values import Closed
from core.imports import service
from core.imports.errors import UndoChanged, UndoGone, UndoUndeletable, UndoUnknown
from core.imports.models import Import, ImportRow
from core.imports.rows import Problem
from core.imports.steps import SYSTEM, acting, available, keep_problems
from core.imports.writing import mark
from core.jobs.job import JobContext
from core.lists.bulk import Unexpected
from core.refusals import domain_error
from core.resources.resource import BoundResource

PAGE = 200
log = structlog.get_logger("imports")


def run(context: JobContext, row: Import) -> dict[str, Any]:
    """The job, from the last row of the file to the first, so that what refers goes before what it refers to."""
    kept = context.checkpoint()
    kept = kept if kept.get("step") == "undone" else {}
    figures: dict[str, int] = {"deleted": 0, "restored": 0, "left": 0, **kept.get("figures", {})}
    before: int | None = kept.get("line")
    with context.unit_of_work() as session:
        total = session.scalar(select(func.count()).where(ImportRow.import_id == row.id)) or 0
    while True:
        context.progress(sum(figures.values()), total)
        with context.unit_of_work() as session:
            bound = available(session, row)
            actor = acting(session, row)
            service.may_undo(actor, row, bound)
            session.info["actor"] = actor
            query = select(ImportRow).where(ImportRow.import_id == row.id)
            query = query if before is None else query.where(ImportRow.line < before)
            page = session.scalars(query.order_by(ImportRow.line.desc()).limit(PAGE)).all()
            figures = dict(figures)
            with because(session, row.reason):
                keep_problems(session, row.id, "undone", _page(session, actor, row, bound, page, figures))
            if page:
                before = page[-1].line
                context.save(session, step="undone", line=before, figures=figures)
            if len(page) < PAGE:
                ended = session.get_one(Import, row.id, with_for_update=True, populate_existing=True)
                ended.figures, ended.state, ended.ended_at = {**ended.figures, "undone": figures}, "undone", now()
                service.forget(session, ended)
                return figures


def _page(
    session: Session,
    actor: Actor,
    row: Import,
    bound: BoundResource,
    page: Sequence[ImportRow],
    figures: dict[str, int],
) -> list[Problem]:
    updated = [one.key for one in page if one.action == "updated"]
    was = reading.before(session, SYSTEM, bound, row.id, updated) if updated else {}
    problems: list[Problem] = []
    for one in page:
        try:
            with session.begin_nested():
                if one.action == "created":
                    _delete(session, actor, bound, one)
                else:
                    _set_back(session, actor, bound, one, was.get(one.key, {}))
            figures["deleted" if one.action == "created" else "restored"] += 1
        except OperationalError:
            raise
        except Exception as problem:
            known = domain_error(problem)
            if known is None or known.status >= 500:
                log.exception("a row of an import was not undone", resource=bound.key, line=one.line)
                known = Unexpected()
            figures["left"] += 1
            problems += Problem.of(one.line, known)
    return problems


def _delete(session: Session, actor: Actor, bound: BoundResource, one: ImportRow) -> None:
    if "delete" not in bound.resource.actions:
        raise UndoUndeletable()
    bound.delete(session, actor, _held(session, actor, bound, one, "delete"))


def _set_back(session: Session, actor: Actor, bound: BoundResource, one: ImportRow, was: dict[str, Any]) -> None:
    record = _held(session, actor, bound, one, "update")
    if any(name not in was or isinstance(was[name], Closed) for name in one.fields):
        raise UndoUnknown()
    bound.update(session, actor, record, {name: was[name] for name in one.fields})


def _held(session: Session, actor: Actor, bound: BoundResource, one: ImportRow, action: str) -> Any:
    """The record as it is now, locked. Raises UndoGone, UndoChanged."""
    resource = bound.resource
    own = getattr(resource.model, resource.key)
    session.execute(select(own).where(own == bound.parse_key(one.key)).with_for_update())
    try:
        record = bound.get(session, actor, one.key, action)
    except NotFound:
        raise UndoGone() from None
    session.refresh(record)
    if mark(session, bound, record, one.fields) != one.mark:
        raise UndoChanged()
    return record
