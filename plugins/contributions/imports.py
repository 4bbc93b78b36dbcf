"""CSV files as jobs: uploaded, tried without effect, done, and undone if need be.

A job goes on after a crash behind the last chunk that it kept. The file is forgotten when it has been imported, and in
any case a day (a setting) after it was sent, for it may hold addresses.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, JobContext, NotFound, _, audit, enqueue, files, jobs, new_id, now

from . import importing, service, undoing
from .corrections import checked_reason
from .errors import FileForgotten, ImportNotReady
from .history import COLUMNS, BadLine, Line, Masked, csv_header, csv_lines
from .models import Import, ImportProblem, ImportRow

JOB, PURPOSE = "contributions.import_csv", "contributions.import"
MEDIA = frozenset({"text/csv", "text/plain"})
PREVIEWED = 8
PAGE = 500
STEP = {"checking": "tried", "running": "done"}
GOING = ("checking", "running", "undoing")
CREATE, CORRECT = "contributions:import:create", "contributions:contribution:correct"
_ADDRESS = re.compile(r"[^\s'\"]+@[^\s'\"]+")


def upload(session: Session, actor: Actor, stream: IO[bytes], name: str) -> Import:
    """Take a CSV file; nothing of it is imported yet. Raises what ``files.store`` raises, and InvalidEvent."""
    actor.require(CREATE)
    stored = files.store(session, actor, stream, name=name, purpose=PURPOSE, allowed=MEDIA)
    return begin(session, actor, stored.id)


def begin(session: Session, actor: Actor, file_id: UUID, *, columns: Mapping[str, str] | None = None) -> Import:
    """Begin with a file that was sent for ``contributions.import``. Raises NotFound, FileForgotten, InvalidEvent."""
    actor.require(CREATE)
    stored = files.find(session, actor, file_id)
    if stored.purpose != PURPOSE:
        raise NotFound()
    row = Import(id=new_id(), name=stored.name[:120], file_id=file_id, made_by=actor.member_id, created_at=now())
    with _fetched(session, row) as path:
        header = csv_header(path)
        with path.open("rb") as file:
            row.lines = max(0, sum(1 for line in file if line.strip()) - 1)
    row.columns = {name: name for name in COLUMNS if name in header}
    session.add(row)
    session.flush()
    if columns:
        _choose(session, row, columns)
    return row


def header_of(session: Session, row: Import) -> list[str]:
    """The columns of an import's file. Raises FileForgotten."""
    with _fetched(session, row) as path:
        return csv_header(path)


def preview(session: Session, row: Import) -> list[Line | BadLine]:
    """The first lines as they would be read now; none where columns are missing. Raises FileForgotten."""
    if set(row.columns) != set(COLUMNS):
        return []
    with _fetched(session, row) as path:
        lines = csv_lines(path, _masked(session), row.columns)
        return [one for one, _number in zip(lines, range(PREVIEWED), strict=False)]


def check(session: Session, actor: Actor, import_id: UUID, *, columns: Mapping[str, str] | None = None) -> Import:
    """Start the dry run, perhaps with other columns. Raises NotFound, ImportNotReady, Invalid, FileForgotten."""
    actor.require(CREATE)
    row = _locked(session, import_id, "uploaded", "checked")
    with _fetched(session, row):
        pass
    if columns:
        _choose(session, row, columns)
    if missing := [name for name in COLUMNS if name not in row.columns]:
        raise Invalid({"columns": [_("Say which columns hold key, member, occurred_at and type.")]}, missing=missing)
    session.query(ImportProblem).where(ImportProblem.import_id == row.id).delete()
    return _start(session, actor, row, "checking")


def start(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Import what was tried. Raises NotFound, ImportNotReady, FileForgotten. Audited."""
    actor.require(CREATE)
    row = _locked(session, import_id, "checked")
    with _fetched(session, row):
        pass
    _tell(session, actor, row, "started")
    return _start(session, actor, row, "running")


def undo(session: Session, actor: Actor, import_id: UUID, *, reason: str) -> Import:
    """Reverse every contribution that an import brought, by a job. Raises NotFound, ImportNotReady, Invalid. Audited.

    One that was stopped half way can be undone too; an undoing that was stopped goes on.
    """
    actor.require(CORRECT)
    row = _locked(session, import_id, "done", "running", "undoing")
    if row.state != "done" and not stopped(session, row):
        raise ImportNotReady(state=row.state)
    row.reason = checked_reason(reason)
    _tell(session, actor, row, "undone", reason=row.reason)
    return _start(session, actor, row, "undoing")


def go_on(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Let a job that was stopped or failed go on where it was. Raises NotFound, ImportNotReady."""
    actor.require(CREATE)
    row = _locked(session, import_id, *GOING)
    if row.state == "undoing":
        actor.require(CORRECT)
    if not stopped(session, row):
        raise ImportNotReady(state=row.state)
    job = jobs.find(session, row.job_id)
    if job is None:
        return _start(session, actor, row, row.state)
    jobs.retry(session, job.id)
    return row


def cancel(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Stop the job at its next chunk; what it has done stays. Raises NotFound, ImportNotReady. Audited."""
    actor.require(CREATE)
    row = _locked(session, import_id, *GOING)
    if row.job_id is None or stopped(session, row):
        raise ImportNotReady(state=row.state)
    jobs.cancel(session, row.job_id)
    _tell(session, actor, row, "cancelled")
    return row


def find(session: Session, import_id: UUID) -> Import:
    """An import. Raises NotFound."""
    row: Import | None = session.get(Import, import_id, populate_existing=True)
    if row is None:
        raise NotFound()
    return row


def stopped(session: Session, row: Import) -> bool:
    """Whether a step is under way no more though it has not ended: cancelled, failed, or its job is gone."""
    job = jobs.find(session, row.job_id)
    return row.state in GOING and (job is None or job.state in ("cancelled", "failed"))


def problems(row: Import) -> Select[ImportProblem]:
    """The query of the lines that the newest step could not take; unsorted, for paging by line."""
    step = "tried" if row.state in ("uploaded", "checking", "checked") else "done"
    return select(ImportProblem).where(ImportProblem.import_id == row.id, ImportProblem.step == step)


def run(context: JobContext) -> dict[str, Any]:
    """The job: try, do or undo, as the import's row says; behind the last chunk that was kept."""
    with context.unit_of_work() as session:
        row = find(session, UUID(context.params["import_id"]))
        masked = _masked(session)
    if row.state not in GOING or row.state != context.params["step"]:  # an old job that somebody started again
        return dict(row.told)
    if row.state == "undoing":
        return _undo(context, row)
    with tempfile.TemporaryDirectory(prefix="guildhall-import-") as folder:
        with context.unit_of_work() as session:
            path = _fetch(session, row, Path(folder))
        return _read(context, row, csv_lines(path, masked, row.columns))


def _read(context: JobContext, row: Import, lines: Iterator[Line | BadLine]) -> dict[str, Any]:
    step, kept = STEP[row.state], context.checkpoint()
    kept = kept if kept.get("step") == step else {}
    report = importing.Report(**kept.get("figures", {}))
    left = (one for one in lines if one.number > kept.get("line", 0))
    seen: set[tuple[str, str]] = set()

    def keep(session: Session, chunk: importing.Chunk, report: importing.Report) -> None:
        if step == "done":
            brought = [one.contribution_id for one in chunk.outcomes if one.outcome in ("recorded", "rejected")]
            if brought:
                rows = [{"import_id": row.id, "contribution_id": key} for key in brought]
                session.execute(insert(ImportRow).on_conflict_do_nothing(), rows)
        _keep_problems(session, row.id, step, chunk)
        context.save(session, step=step, line=chunk.last, figures=_figures(report))

    def show(done: int) -> None:
        context.progress(done, row.lines)

    context.progress(report.lines, row.lines)
    if step == "done":
        importing.run(context.unit_of_work, context.actor, left, kind="import", progress=show, report=report, keep=keep)
    else:
        for chunk in importing.chunks(left):
            tried = _try(context, chunk, seen)
            report.add(tried, len(chunk))
            with context.unit_of_work() as session:
                keep(session, tried, report)
            show(report.lines)
    figures = _figures(report)
    with context.unit_of_work() as session:
        ended = _locked(session, row.id, row.state)
        ended.figures = {**ended.figures, step: figures}
        ended.state = "checked" if step == "tried" else "done"
        if step == "done":
            ended.ended_at = now()
            _forget(session, ended)
    return figures


class _Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


def _try(context: JobContext, chunk: list[Line | BadLine], seen: set[tuple[str, str]]) -> importing.Chunk:
    """What would become of a chunk, by importing it and taking all of it back; ``seen`` are the keys before it."""
    twice = {one.number for one in chunk if isinstance(one, Line) and (one.type, one.key) in seen}
    seen |= {(one.type, one.key) for one in chunk if isinstance(one, Line)}
    tried = importing.Chunk(chunk[-1].number, [], [])
    try:
        with context.unit_of_work() as session:
            left = [one for one in chunk if one.number not in twice]
            if left:
                tried = importing.take(session, context.actor, left, "import")
            raise _Undone
    except _Undone:
        again = [service.Outcome(line=number, outcome="duplicate") for number in sorted(twice)]
        return importing.Chunk(chunk[-1].number, [*tried.outcomes, *again], tried.problems)


def _undo(context: JobContext, row: Import) -> dict[str, Any]:
    state = {"after": None, "figures": {"reversed": 0, "points": 0}, **_of_step(context, "undone")}
    with context.unit_of_work() as session:
        total = session.scalar(select(func.count()).where(ImportRow.import_id == row.id)) or 0
    while True:
        with context.unit_of_work() as session:
            page = select(ImportRow.contribution_id).where(ImportRow.import_id == row.id)
            if state["after"]:
                page = page.where(ImportRow.contribution_id > UUID(state["after"]))
            ids = session.scalars(page.order_by(ImportRow.contribution_id).limit(PAGE)).all()
            count, points = undoing.reverse_many(session, context.actor, ids, reason=row.reason) if ids else (0, 0)
            figures = {
                "reversed": state["figures"]["reversed"] + count,
                "points": state["figures"]["points"] + points,
            }
            state = {"after": str(ids[-1]) if ids else state["after"], "figures": figures}
            context.save(session, step="undone", **state)
            if len(ids) < PAGE:
                ended = _locked(session, row.id, "undoing")
                ended.figures, ended.state, ended.ended_at = {**ended.figures, "undone": figures}, "undone", now()
                _forget(session, ended)
                return figures
        context.progress(figures["reversed"], total)


def _of_step(context: JobContext, step: str) -> dict[str, Any]:
    kept = context.checkpoint()
    return {name: kept[name] for name in ("after", "figures")} if kept.get("step") == step else {}


def _figures(report: importing.Report) -> dict[str, int]:
    return {name: getattr(report, name) for name in ("lines", "recorded", "duplicate", "rejected", "invalid")}


def _keep_problems(session: Session, import_id: UUID, step: str, chunk: importing.Chunk) -> None:
    """Keep which lines were not taken, without what may be somebody's address."""
    rows = [
        {
            "import_id": import_id,
            "step": step,
            "line": line,
            "code": code,
            "message": _ADDRESS.sub("…@…", message)[:300],
        }
        for line, code, message in chunk.problems
    ]
    if rows:
        session.execute(insert(ImportProblem).on_conflict_do_nothing(), rows)


def _start(session: Session, actor: Actor, row: Import, state: str) -> Import:
    row.state = state
    row.job_id = enqueue(session, actor, JOB, {"import_id": str(row.id), "step": state}).id
    session.flush()
    return row


def _choose(session: Session, row: Import, columns: Mapping[str, str]) -> None:
    """Say which columns hold what. Raises Invalid."""
    header = header_of(session, row)
    chosen = {name: column for name, column in columns.items() if name in COLUMNS and column in header}
    if len(chosen) < len(COLUMNS) or len(set(chosen.values())) < len(chosen):
        raise Invalid({"columns": [_("Name four different columns of the file: key, member, occurred_at and type.")]})
    row.columns = chosen


def _locked(session: Session, import_id: UUID, *states: str) -> Import:
    row: Import | None = session.get(Import, import_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    if row.state not in states:
        raise ImportNotReady(state=row.state)
    return row


@contextmanager
def _fetched(session: Session, row: Import) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="guildhall-import-") as folder:
        yield _fetch(session, row, Path(folder))


def _fetch(session: Session, row: Import, folder: Path) -> Path:
    """The file of an import, in ``folder``. Raises FileForgotten."""
    path = folder / "import.csv"
    try:
        files.copy(session, Actor.system("import"), row.file_id, path)
    except NotFound:
        raise FileForgotten() from None
    return path


def _forget(session: Session, row: Import) -> None:
    """The file is not needed any more; it may hold addresses."""
    if row.file_id is not None:
        with suppress(NotFound):
            files.delete(session, Actor.system("import"), row.file_id, reason="imported")
        row.file_id = None


def _masked(session: Session) -> Masked:
    return Masked(session.info["config"].secret_key)


def _tell(session: Session, actor: Actor, row: Import, verb: str, *, reason: str | None = None) -> None:
    about: dict[str, Any] = {"subject_type": "contributions.import", "subject_id": row.id}
    changes = {"lines": [None, row.lines]}
    audit(session, actor, f"contributions.import.{verb}", changes=changes, reason=reason, **about)
