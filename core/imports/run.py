"""The job of an import: try, do or undo. Each chunk of rows and what is kept of it are one transaction.

A job that was killed goes on behind the last chunk that was committed, so that nothing is done twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from core.actor import Actor
from core.clock import now
from core.events.publish import publish
from core.imports import service, undoing
from core.imports.models import Import, ImportRow
from core.imports.plan import Plan, allow
from core.imports.rows import Reader
from core.imports.steps import acting, available, keep_problems, patiently
from core.imports.table import Line, Sheet, open_sheet
from core.imports.writing import Writer, Written, marks
from core.jobs.job import JobContext
from core.resources.resource import BoundResource

CHUNK = 1000
STEP = {"checking": "tried", "running": "done"}
FIGURES = ("rows", "created", "updated", "left", "failed")


class _Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


def run(context: JobContext) -> dict[str, Any]:
    """Take the step that the import's row says; an old job that somebody started again does nothing."""
    with context.unit_of_work() as session:
        row = session.get(Import, UUID(context.params["import_id"]))
        if row is None or row.state not in service.GOING or row.state != context.params["step"]:
            return {}
        bound = available(session, row)
    if row.state == "undoing":
        return undoing.run(context, row)
    with tempfile.TemporaryDirectory(prefix="guildhall-import-") as folder:
        with context.unit_of_work() as session:
            sheet = open_sheet(service.fetch(session, row, Path(folder)), row.format)
            plan = Plan.of(row.plan)
            reader = Reader(session, bound, plan, sheet)
            writer = Writer(session.info["registry"], bound, plan, reader.required, dry=row.state == "checking")
        return _Step(context, row, bound, reader, writer).run(sheet)


class _Step:
    """The dry run or the import of one file."""

    def __init__(self, context: JobContext, row: Import, bound: BoundResource, reader: Reader, writer: Writer) -> None:
        self._context, self._row, self._bound = context, row, bound
        self._reader, self._writer = reader, writer
        self._step = STEP[row.state]
        kept = context.checkpoint()
        kept = kept if kept.get("step") == self._step else {}
        self._from: int = kept.get("line", 0)
        self.figures: dict[str, int] = {**dict.fromkeys(FIGURES, 0), **kept.get("figures", {})}

    def run(self, sheet: Sheet) -> dict[str, Any]:
        self._context.progress(self.figures["rows"], self._row.rows or None)
        for lines in _chunks(sheet):
            if lines[-1].number <= self._from:
                with self._context.unit_of_work() as session:  # the keys of rows done before
                    self._reader.read(session, acting(session, self._row), lines)
                continue
            patiently(partial(self._try if self._step == "tried" else self._do, lines))
            self._context.progress(self.figures["rows"])
        with self._context.unit_of_work() as session:
            row = session.get_one(Import, self._row.id, with_for_update=True, populate_existing=True)
            if row.state == self._row.state:
                row.figures = {**row.figures, self._step: self.figures}
                row.rows, row.state = self.figures["rows"], "checked" if self._step == "tried" else "done"
                if self._step == "done":
                    row.ended_at = now()
                    if not self.figures["failed"]:
                        service.forget(session, row)
        self._context.progress(self.figures["rows"], self.figures["rows"])
        return dict(self.figures)

    def _try(self, lines: Sequence[Line]) -> None:
        written = Written()
        try:
            with self._context.unit_of_work() as session:
                written = self._write(session, lines)[1]
                raise _Undone
        except _Undone:
            with self._context.unit_of_work() as session:
                figures = self._keep(session, lines, written)
            self.figures = figures

    def _do(self, lines: Sequence[Line]) -> None:
        with self._context.unit_of_work() as session:
            actor, written = self._write(session, lines)
            if written.outcomes:
                marked = marks(session, self._bound, written.outcomes)
                rows = [
                    {
                        "import_id": self._row.id,
                        "line": one.line,
                        "key": str(one.key),
                        "action": one.action,
                        "fields": list(one.fields),
                        "mark": marked[one.line],
                    }
                    for one in written.outcomes
                ]
                session.execute(insert(ImportRow.__table__), rows)
                self._tell(session, actor, written)
            figures = self._keep(session, lines, written)
        self.figures = figures

    def _write(self, session: Session, lines: Sequence[Line]) -> tuple[Actor, Written]:
        available(session, self._row)
        actor = acting(session, self._row)
        allow(actor, self._bound, Plan.of(self._row.plan))
        session.info["actor"] = actor
        rows = self._reader.read(session, actor, lines)
        return actor, self._writer.write(session, actor, rows)

    def _tell(self, session: Session, actor: Actor, written: Written) -> None:
        event = self._bound.events.get("import")
        if event is not None:
            keys = {
                action: tuple(one.key for one in written.outcomes if one.action == action)
                for action in ("created", "updated")
            }
            publish(session, actor, event(import_id=self._row.id, **keys))

    def _keep(self, session: Session, lines: Sequence[Line], written: Written) -> dict[str, int]:
        """Keep what was wrong and how far it is, in the transaction of the chunk."""
        figures = dict(self.figures)
        figures["rows"] += len(lines)
        figures["created"] += written.count("created")
        figures["updated"] += written.count("updated")
        figures["left"] += len(written.left)
        figures["failed"] += len({one.line for one in written.problems})
        keep_problems(session, self._row.id, self._step, written.problems)
        self._context.save(session, step=self._step, line=lines[-1].number, figures=figures)
        return figures


def _chunks(sheet: Sheet) -> Iterator[list[Line]]:
    lines = sheet.lines()
    while chunk := list(islice(lines, CHUNK)):
        yield chunk
