"""Pages of imports: send a file, say what its columns are, try it, import it, read what was wrong, undo it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import Actor, Column, Table, csv_lines, jobs
from guildhall.web import paginate, redirect, render, tried

from . import imports
from .admin import pages
from .errors import FileForgotten, InvalidEvent
from .history import COLUMNS, BadLine
from .models import Import, ImportProblem

HOME = "/admin/contributions/imports"
PAGE = 50
SHOWN = 20


@pages.get("/imports", permission=imports.CREATE)
def imports_page(session: Session, actor: Actor) -> str:
    """Files that were brought in, the newest first, and a form for the next one."""
    order = ((Import.created_at, True), (Import.id, True))
    page = paginate(session, select(Import), order, limit=PAGE, cursor=request.args.get("cursor", ""))
    halted = {row.id for row in page.items if imports.stopped(session, row)}
    return render("contributions/imports.html", page=page, halted=halted, columns=COLUMNS)


@pages.post("/imports", permission=imports.CREATE, once=True)
def upload_page(session: Session, actor: Actor) -> Any:
    """Take a file."""
    sent = request.files.get("file")
    made: Import | None = None

    def act() -> None:
        nonlocal made
        if sent is None or not sent.filename:
            raise InvalidEvent(problem="choose a file first")
        made = imports.upload(session, actor, sent.stream, sent.filename)

    return redirect(f"{HOME}/{made.id}" if tried(session, act) and made is not None else HOME)


@pages.get("/imports/<uuid:key>", permission=imports.CREATE)
def import_page(session: Session, actor: Actor, key: UUID) -> str:
    """One import: how far it is, what it found, and what can be done next."""
    row = imports.find(session, key)
    header, lines, gone = [], [], False
    if row.state in ("uploaded", "checked"):
        try:
            header, lines = imports.header_of(session, row), imports.preview(session, row)
        except FileForgotten:
            gone = True
    wrong = imports.problems(row)
    found = session.scalar(select(func.count()).select_from(wrong.subquery())) or 0
    return render(
        "contributions/import.html",
        row=row,
        job=jobs.find(session, row.job_id),
        halted=imports.stopped(session, row),
        header=header,
        columns=COLUMNS,
        preview=[_shown(line) for line in lines],
        gone=gone,
        problems=session.scalars(wrong.order_by(ImportProblem.line).limit(SHOWN)).all(),
        found=found,
        may_undo=actor.can(imports.CORRECT),
    )


def _shown(line: Any) -> dict[str, Any]:
    if isinstance(line, BadLine):
        return {"number": line.number, "problem": line.error.message}
    at = line.occurred_at.isoformat(sep=" ")
    return {"number": line.number, "key": line.key, "member": line.name, "occurred_at": at, "type": line.type}


@pages.get("/imports/<uuid:key>/problems.csv", permission=imports.CREATE)
def problems_page(session: Session, actor: Actor, key: UUID) -> Response:
    """The lines that were not taken, as CSV."""
    row = imports.find(session, key)
    found = session.scalars(imports.problems(row).order_by(ImportProblem.line).execution_options(yield_per=1000))
    heads = [Column(label="line", kind="integer"), Column(label="code"), Column(label="problem")]
    table = Table(title=row.name, columns=heads, rows=((one.line, one.code, one.message) for one in found))
    response = Response("".join(csv_lines(table)), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=f"problems-{row.id}.csv")
    return response


@pages.post("/imports/<uuid:key>/check", permission=imports.CREATE)
def check_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Start the dry run."""
    columns = {name: request.form[name] for name in COLUMNS if request.form.get(name)}
    return _go(session, key, lambda: imports.check(session, actor, key, columns=columns or None))


@pages.post("/imports/<uuid:key>/start", permission=imports.CREATE, moves_value=True)
def start_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Import what was tried."""
    return _go(session, key, lambda: imports.start(session, actor, key))


@pages.post("/imports/<uuid:key>/cancel", permission=imports.CREATE)
def cancel_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Stop at the next chunk."""
    return _go(session, key, lambda: imports.cancel(session, actor, key))


@pages.post("/imports/<uuid:key>/go_on", permission=imports.CREATE, moves_value=True)
def go_on_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Go on where it was stopped."""
    return _go(session, key, lambda: imports.go_on(session, actor, key))


@pages.post("/imports/<uuid:key>/undo", permission=imports.CORRECT, moves_value=True)
def undo_page(session: Session, actor: Actor, key: UUID) -> Any:
    """Reverse what it brought."""
    reason = request.form.get("reason", "")
    return _go(session, key, lambda: imports.undo(session, actor, key, reason=reason))


def _go(session: Session, key: UUID, act: Callable[[], Any]) -> Any:
    tried(session, act)
    return redirect(f"{HOME}/{key}")
