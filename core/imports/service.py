"""Imports: a file is sent, its columns are named, it is tried, brought in, and undone if need be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from core import lifecycle
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import DomainError, NotFound
from core.files import service as files
from core.files.errors import FileTypeRefused
from core.files.upload import SPREADSHEET
from core.ids import new_id
from core.imports import cells
from core.imports.errors import FileUnreadable, ImportFileForgotten, ImportNotReady, RecordsUnknown
from core.imports.models import Import, ImportProblem
from core.imports.plan import Plan, allow, catalogues_of, check, existing_choices, guess
from core.imports.rows import Problem, Reader, Row
from core.imports.steps import SYSTEM
from core.imports.table import Sheet, open_sheet
from core.imports.writing import Writer
from core.jobs import queue as jobs
from core.members.standing import reason_given
from core.resources.resource import BoundResource

JOB = "import_records"
PURPOSE = "core.import"
MEDIA = frozenset({"text/csv", "text/plain", SPREADSHEET})
GOING = ("checking", "running", "undoing")
PREVIEWED = 8


@dataclass(frozen=True)
class Preview:
    """A row as it would become: its ``action`` (create, update, leave, fail) and, by field, what it would hold."""

    line: int
    action: str
    cells: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def resource_of(session: Session, key: str) -> BoundResource:
    """The resource ``key`` of which records may be made. Raises RecordsUnknown, also while its plugin is disabled."""
    bound: BoundResource | None = session.info["registry"].resources.get(key)
    if bound is None or "create" not in bound.resource.actions or bound.plugin in lifecycle.disabled(session):
        raise RecordsUnknown(name=key)
    return bound


def upload(session: Session, actor: Actor, bound: BoundResource, stream: IO[bytes], name: str) -> Import:
    """Take a file; nothing of it is brought in yet. Raises PermissionMissing, FileUnreadable, and what ``files.store``
    raises. The doors let nobody in with an API key: the job acts with all that its member may do."""
    allow(actor, bound)
    try:
        stored = files.store(session, actor, stream, name=name, purpose=PURPOSE, allowed=MEDIA)
    except FileTypeRefused:
        raise FileUnreadable() from None
    return begin(session, actor, bound, stored.id)


def begin(session: Session, actor: Actor, bound: BoundResource, file_id: UUID) -> Import:
    """Begin with a file that was sent for ``core.import``. Raises NotFound, FileUnreadable, PermissionMissing."""
    allow(actor, bound)
    stored = files.find(session, actor, file_id)
    if stored.purpose != PURPOSE:
        raise NotFound()
    row = Import(
        id=new_id(),
        resource=bound.key,
        name=stored.name[:200],
        format="xlsx" if stored.media_type == SPREADSHEET else "csv",
        file_id=file_id,
        member_id=actor.member_id,
        impersonator_id=actor.impersonator,
        created_at=now(),
    )
    with opened(session, row) as sheet:
        guessed = guess(bound, sheet.header, catalogues_of(session)).as_json()
        row.plan = {**guessed, "existing": existing_choices(actor, bound)[0]}
        if row.format == "csv":
            with sheet.path.open("rb") as file:
                parts = iter(lambda: file.read(1 << 20), b"")
                row.rows = max(0, sum(part.count(b"\n") for part in parts) - 1)
    session.add(row)
    session.flush()
    return row


def choose(session: Session, actor: Actor, import_id: UUID, plan: Plan) -> Import:
    """Say what the columns are. What was tried by another plan is forgotten. Raises what ``try_out`` raises."""
    row, bound = _locked(session, actor, import_id, "uploaded", "checked")
    with opened(session, row) as sheet:
        kept = check(bound, sheet.header, plan)
    allow(actor, bound, kept)
    session.execute(delete(ImportProblem).where(ImportProblem.import_id == row.id))
    row.plan, row.figures, row.state = kept.as_json(), {}, "uploaded"
    session.flush()
    return row


def try_out(session: Session, actor: Actor, import_id: UUID, plan: Plan | None = None) -> Import:
    """Start the dry run, perhaps by another plan. Raises NotFound, ImportNotReady, Invalid, ImportFileForgotten,
    PermissionMissing."""
    row, _bound = find(session, actor, import_id)
    row = choose(session, actor, import_id, plan or Plan.of(row.plan))
    return _start(session, actor, row, "checking")


def start(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Bring in what was tried. Raises NotFound, ImportNotReady, ImportFileForgotten, PermissionMissing. Audited."""
    row, bound = _locked(session, actor, import_id, "checked")
    allow(actor, bound, Plan.of(row.plan))
    with opened(session, row):
        pass
    _tell(session, actor, row, "started")
    return _start(session, actor, row, "running")


def undo(session: Session, actor: Actor, import_id: UUID, *, reason: str) -> Import:
    """Delete what an import created and set back what it updated, by a job; what was changed since is left. Audited.

    One that was stopped half way can be undone too. Raises NotFound, ImportNotReady, Invalid, PermissionMissing.
    """
    row, bound = _locked(session, actor, import_id, "done", "running")
    may_undo(actor, row, bound)
    if row.state != "done" and not stopped(session, row):
        raise ImportNotReady(state=row.state)
    row.reason = reason_given(reason)[:200]
    _tell(session, actor, row, "undone", reason=row.reason)
    return _start(session, actor, row, "undoing")


def may_undo(actor: Actor, row: Import, bound: BoundResource) -> None:
    """Raise PermissionMissing unless the actor may take back what this import did."""
    allow(actor, bound)
    if "delete" in bound.resource.actions:
        actor.require(bound.permission("delete"))
    if (row.figures.get("done") or {}).get("updated"):
        actor.require(bound.permission("update"))


def go_on(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Let a step that was stopped or has failed go on where it was. Raises NotFound, ImportNotReady."""
    row, bound = _locked(session, actor, import_id, *GOING)
    if row.state == "undoing":
        may_undo(actor, row, bound)
    else:
        allow(actor, bound, Plan.of(row.plan))
    if not stopped(session, row):
        raise ImportNotReady(state=row.state)
    job = jobs.find(session, row.job_id)
    if job is None:
        return _start(session, actor, row, row.state)
    jobs.retry(session, job.id)
    return row


def cancel(session: Session, actor: Actor, import_id: UUID) -> Import:
    """Stop the step at its next chunk; what it has done stays. Raises NotFound, ImportNotReady. Audited."""
    row, _bound = _locked(session, actor, import_id, *GOING)
    if row.job_id is None or stopped(session, row):
        raise ImportNotReady(state=row.state)
    jobs.cancel(session, row.job_id)
    _tell(session, actor, row, "cancelled")
    return row


def find(session: Session, actor: Actor, import_id: UUID) -> tuple[Import, BoundResource]:
    """An import and its resource, for who may make such records. Raises NotFound, PermissionMissing."""
    row = session.get(Import, import_id, populate_existing=True)
    if row is None:
        raise NotFound()
    bound = resource_of(session, row.resource)
    allow(actor, bound)
    if _hides(actor, bound) and row.member_id != actor.member_id:
        raise NotFound()
    return row, bound


def of_resource(actor: Actor, bound: BoundResource) -> Select[Import]:
    """The query of the imports of a resource that the actor may see; unsorted, for paging."""
    query = select(Import).where(Import.resource == bound.key)
    return query.where(Import.member_id == actor.member_id) if _hides(actor, bound) else query


def _hides(actor: Actor, bound: BoundResource) -> bool:
    """Whether rows may hold what their sender may know of and this actor may not."""
    if actor.kind == "system":
        return False
    visible = bound.resource.visible
    return not actor.can(bound.permission("list")) or (visible is not None and visible(actor) is not None)


def stopped(session: Session, row: Import) -> bool:
    """Whether a step is under way no more though it has not ended: cancelled, failed, or its job is gone."""
    job = jobs.find(session, row.job_id)
    return row.state in GOING and (job is None or job.state in ("cancelled", "failed"))


def step_of(row: Import) -> str:
    """The step whose problems count now."""
    if row.state in ("undoing", "undone"):
        return "undone"
    return "done" if row.state in ("running", "done") else "tried"


def problems(row: Import, step: str = "") -> Select[ImportProblem]:
    """The query of what was wrong with rows in a step, by default the newest; unsorted, for paging by line."""
    return select(ImportProblem).where(ImportProblem.import_id == row.id, ImportProblem.step == (step or step_of(row)))


def failed_rows(session: Session, row: Import, step: str = "") -> int:
    """How many rows have problems."""
    lines = problems(row, step).with_only_columns(ImportProblem.line).distinct().subquery()
    return session.scalar(select(func.count()).select_from(lines)) or 0


def preview(session: Session, actor: Actor, row: Import, sheet: Sheet, plan: Plan) -> list[Preview]:
    """The first rows as they would become by ``plan``; nothing is written."""
    bound = resource_of(session, row.resource)
    reader = Reader(session, bound, plan, sheet)
    writer = Writer(session.info["registry"], bound, plan, reader.required)
    lines = [line for line, _number in zip(sheet.lines(), range(PREVIEWED), strict=False)]
    rows = reader.read(session, actor, lines)
    there = writer.there(session, actor, [one.key for one in rows if one.key is not None], lock=False)
    return [_previewed(writer, one, there.get(one.key, []) if one.key is not None else []) for one in rows]


def _previewed(writer: Writer, row: Row, records: list[Any]) -> Preview:
    told = {name: cells.text_of(value) for name, value in row.values.items()}
    if row.problems:
        return Preview(row.line, "fail", told, row.problems)
    try:
        act = writer.act(row, records)
    except DomainError as problem:
        return Preview(row.line, "fail", told, Problem.of(row.line, problem))
    if row.problems:
        return Preview(row.line, "fail", told, row.problems)
    return Preview(row.line, "leave" if act is None else "create" if act.record is None else "update", told)


@contextmanager
def opened(session: Session, row: Import) -> Iterator[Sheet]:
    """The file of an import as a table, in a temporary folder. Raises ImportFileForgotten, FileUnreadable."""
    with tempfile.TemporaryDirectory(prefix="guildhall-import-") as folder:
        yield open_sheet(fetch(session, row, Path(folder)), row.format)


def fetch(session: Session, row: Import, folder: Path) -> Path:
    """The file of an import, in ``folder``. Raises ImportFileForgotten."""
    path = folder / f"import.{row.format}"
    try:
        files.copy(session, SYSTEM, row.file_id, path)
    except NotFound:
        raise ImportFileForgotten() from None
    return path


def forget(session: Session, row: Import) -> None:
    """The file is not needed any more; it may hold what is personal."""
    if row.file_id is not None:
        with suppress(NotFound):
            files.delete(session, replace(SYSTEM, correlation_id=row.id), row.file_id, reason="imported")
        row.file_id = None


def _start(session: Session, actor: Actor, row: Import, state: str) -> Import:
    row.state = state
    acting_now = replace(actor, correlation_id=row.id)
    row.job_id = jobs.enqueue(session, acting_now, f"core.{JOB}", {"import_id": str(row.id), "step": state}).id
    session.flush()
    return row


def _locked(session: Session, actor: Actor, import_id: UUID, *states: str) -> tuple[Import, BoundResource]:
    row, bound = find(session, actor, import_id)
    session.refresh(row, with_for_update=True)
    if row.state not in states:
        raise ImportNotReady(state=row.state)
    return row, bound


def _tell(session: Session, actor: Actor, row: Import, verb: str, *, reason: str | None = None) -> None:
    about: dict[str, Any] = {"subject_type": "core.import", "subject_id": row.id}
    changes = {"resource": [None, row.resource], "rows": [None, row.rows]}
    acting_now = replace(actor, correlation_id=row.id)
    record(session, acting_now, f"core.import.{verb}", changes=changes, reason=reason, **about)
