"""A copy of everything that is held about a member, as JSON and CSV in one ZIP file.

Every row of every table about the member is in it by itself, but for secrets; of rows that only mention the member,
their key. Plugins add what they hold elsewhere by the hook ``personal_data``. What could not be read is named.
"""

from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import LargeBinary, and_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import hooks, lifecycle, settings
from core.actor import Actor
from core.audit import reading
from core.audit.models import AuditRow
from core.audit.trail import plain, record
from core.clock import now, rfc3339
from core.comments.service import PURPOSE as OF_COMMENTS
from core.comments.service import files_about
from core.crypto import members as member_keys
from core.db.base import metadata
from core.db.personal import Holding, holdings
from core.errors import NotFound
from core.events.publish import publish
from core.export.csv import csv_cell
from core.files import service as files
from core.files.errors import StorageSilent
from core.files.models import StoredFile
from core.files.sweep import Steps
from core.ids import new_id
from core.jobs.job import JobContext
from core.jobs.queue import enqueue
from core.members.events import ExportReady
from core.members.models import Member
from core.platform_settings import PlatformSettings
from core.privacy.erase import is_erased
from core.privacy.errors import AlreadyErased, ExportNotReady, ExportWaiting
from core.privacy.models import Export

JOB = "core.export"
PURPOSE = "core.export"
ROWS = 1000
log = structlog.get_logger("privacy")
_PRESENT = text("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace")


def ask(session: Session, actor: Actor, member_id: UUID) -> Export:
    """Ask for a copy of one's own data, or of anybody's with ``core:member:export``; a worker makes it. Audited.

    Raises NotFound, PermissionMissing, StepUpRequired, ExportWaiting, AlreadyErased.
    """
    _allowed(actor, member_id)
    actor.require_step_up()
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound()
    if is_erased(session, member_id):
        raise AlreadyErased()
    row = {"id": new_id(), "member_id": member_id, "asked_by_id": actor.member_id}
    made: Export | None = session.scalar(insert(Export).values(row).on_conflict_do_nothing().returning(Export))
    if made is None:
        raise ExportWaiting()
    enqueue(session, Actor.system("export"), JOB, {"export_id": str(made.id)})
    record(session, actor, "core.member.export_asked", subject_type="core.member", subject_id=member_id)
    return made


def latest(session: Session, member_id: UUID) -> Export | None:
    """The newest copy of a member's data that is being made or can be fetched."""
    query = select(Export).where(Export.member_id == member_id, Export.state != "expired")
    return session.scalar(query.order_by(Export.created_at.desc()).limit(1))


def link(session: Session, actor: Actor, export_id: UUID) -> str:
    """A signed link to a copy that is ready; it ends soon. Audited.

    Raises NotFound for another's without ``core:member:export``, StepUpRequired, ExportNotReady.
    """
    row = session.get(Export, export_id)
    if row is None or not (row.member_id == actor.member_id or actor.can("core:member:export")):
        raise NotFound()
    actor.require_step_up()
    file = session.get(StoredFile, row.file_id) if row.file_id else None
    if row.state != "ready" or file is None or not row.expires_at or row.expires_at <= now():
        raise ExportNotReady()
    record(session, actor, "core.member.export_fetched", subject_type="core.member", subject_id=row.member_id)
    return files.link(session, file)


def run(context: JobContext) -> dict[str, Any]:
    """The job ``core.export``: makes the copy, keeps it as a private file of the member's, and tells."""
    key = UUID(context.params["export_id"])
    with tempfile.TemporaryDirectory(prefix="guildhall-export-") as folder, context.unit_of_work() as session:
        row = session.get(Export, key, with_for_update=True)
        if row is None or row.state != "waiting":
            return {}
        packed = Path(folder) / "copy.zip"
        missing = write(session, row.member_id, packed)
        name = f"data-{now():%Y-%m-%d}.zip"
        file = files.store_made(
            session, packed, owner_id=row.member_id, purpose=PURPOSE, name=name, media_type="application/zip"
        )
        days = settings.read(session, PlatformSettings).export_days
        row.state, row.file_id, row.expires_at = "ready", file.id, now() + timedelta(days=days)
        publish(
            session,
            context.actor,
            ExportReady(export_id=row.id, member_id=row.member_id, asked_by_id=row.asked_by_id),
        )
    return {"bytes": file.size, "missing": missing}


def sweep(context: Steps) -> dict[str, Any]:
    """The job ``core.sweep_exports``: copies whose time is over are deleted."""
    with context.unit_of_work() as session:
        over = update(Export).where(Export.state == "ready", Export.expires_at <= now()).values(state="expired")
        gone = session.scalars(over.returning(Export.file_id)).all()
        deleted = update(StoredFile).where(StoredFile.id.in_(gone))
        session.execute(deleted.values(state="deleted", deleted_at=now()))
    return {"expired": len(gone)}


def write(session: Session, member_id: UUID, target: Path) -> list[str]:
    """Write the copy to ``target``; returns what is missing from it, a sentence each, which it says itself."""
    missing = [f"{name}: it is turned off, and only its tables are here." for name in lifecycle.disabled(session)]
    with (
        tempfile.TemporaryDirectory(prefix="guildhall-export-") as folder,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name, rows in _parts(session, member_id):
            try:
                with session.begin_nested():
                    _add(packed, Path(folder), name, rows)
            except Exception as problem:
                log.exception("a table could not be copied", table=name)
                missing.append(f"{name}: it could not be read ({getattr(problem, 'code', 'ERROR')}).")
        for plugin, given, failed in hooks.attempt(session, "personal_data", member_id=member_id):
            if failed:
                missing.append(f"{plugin}: what it holds beyond its tables could not be read.")
                continue
            try:
                for name, rows in given.items():
                    _add(packed, Path(folder), f"{plugin}.{name}", rows)
            except Exception as problem:
                log.exception("what a plugin gave could not be copied", plugin=plugin)
                missing.append(f"{plugin}: what it gave could not be written ({type(problem).__name__}).")
        missing += list(_add_files(session, packed, member_id))
        about = {"member": str(member_id), "made_at": rfc3339(now()), "missing": sorted(missing)}
        packed.writestr("about.json", json.dumps(about, ensure_ascii=False, indent=1))
    return sorted(missing)


def _parts(session: Session, member_id: UUID) -> Iterator[tuple[str, Iterable[Mapping[str, Any]]]]:
    """Everything of the tables: each by its name, and its rows."""
    member = metadata.tables["core_member"]
    yield "core_member", _rows(session, [*_shown(member)], member.c.id == member_id)
    present = set(session.scalars(_PRESENT))
    for held in sorted(holdings(metadata, present), key=lambda one: one.table.name):
        yield held.table.name, _opened(session, held, _rows(session, _shown(held.table), held.member == member_id))
        if held.mentions:
            keys = [*held.table.primary_key, *held.mentions]
            yield f"{held.table.name}.mentions", _mentioned(session, held, keys, member_id)
    yield "core_audit", _trail(session, member_id)


def _shown(table: Any) -> list[Any]:
    """The columns of a table that are told: no secrets, and no bytes but personal ones."""
    return [
        column
        for column in table.columns
        if column.info.get("pii") or not (column.info.get("secret") or isinstance(column.type, LargeBinary))
    ]


def _mentioned(session: Session, held: Holding, keys: list[Any], member_id: UUID) -> Iterator[dict[str, Any]]:
    """The keys of rows about others that mention the member, and where; whom else they mention stays out."""
    for row in _rows(session, keys, or_(*(column == member_id for column in held.mentions))):
        others = {one.name for one in held.mentions if row[one.name] != member_id}
        yield {name: value for name, value in row.items() if name not in others}


def _rows(session: Session, columns: list[Any], condition: Any) -> Iterator[dict[str, Any]]:
    query = select(*columns).where(condition).execution_options(yield_per=ROWS)
    for row in session.connection().execute(query).mappings():
        yield {str(name): value for name, value in row.items()}


def _opened(session: Session, held: Holding, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows with what is sealed under a member's key as plain text."""
    for row in rows:
        if owners := {key for value in row.values() if (key := member_keys.owner(value))}:
            keys, table = member_keys.keys_of(session, owners), held.table.name
            row = {name: member_keys.opened(keys, value, f"{table}.{name}") for name, value in row.items()}
        yield row


def _trail(session: Session, member_id: UUID) -> Iterator[dict[str, Any]]:
    """What the member did and what was done to the member; whoever else acted is not named."""
    mine = AuditRow.actor_id == member_id
    about = (AuditRow.subject_type == "core.member") & (AuditRow.subject_id == str(member_id))
    query = select(AuditRow).where(or_(mine, about)).order_by(AuditRow.id).execution_options(yield_per=ROWS)
    for rows in session.scalars(query).partitions():
        for one in reading.about(session, member_id, rows):
            told = {name: getattr(one, name) for name in ("at", "action", "subject_type", "subject_id", "changes")}
            own = {"ip": one.ip, "by_me": True} if one.row.actor_id == member_id else {"ip": None, "by_me": False}
            yield {**told, "reason": one.reason, **own}


def _add(packed: zipfile.ZipFile, folder: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put rows into the archive twice, as ``json/<name>.json`` and ``csv/<name>.csv``; nothing where there are none."""
    as_json, as_csv = folder / "rows.json", folder / "rows.csv"
    count = 0
    with open(as_json, "w", encoding="utf-8") as objects, open(as_csv, "w", encoding="utf-8", newline="") as cells:
        writer = csv.writer(cells)
        for row in rows:
            told = plain(dict(row))
            if not count:
                writer.writerow(told)
            objects.write(",\n" if count else "[\n")
            objects.write(json.dumps(told, ensure_ascii=False))
            writer.writerow(map(csv_cell, told.values()))
            count += 1
        objects.write("\n]\n")
    if count:
        packed.write(as_json, f"json/{name}.json")
        packed.write(as_csv, f"csv/{name}.csv")


def _add_files(session: Session, packed: zipfile.ZipFile, member_id: UUID) -> Iterator[str]:
    """Put the member's files into the archive, and those of comments on them; yields what could not be read.

    Files that the member sent with comments on others are about those others.
    """
    own = and_(StoredFile.owner_id == member_id, StoredFile.purpose != OF_COMMENTS)
    theirs = or_(own, StoredFile.id.in_(files_about(member_id)))
    kept = theirs, StoredFile.state != "deleted", StoredFile.purpose != PURPOSE
    for row in session.scalars(select(StoredFile).where(*kept).order_by(StoredFile.id)):
        try:
            with files.open_file(session, row).content as content, packed.open(f"files/{row.id}-{row.name}", "w") as to:
                while chunk := content.read(files.CHUNK):
                    to.write(chunk)
        except (NotFound, StorageSilent):
            yield f"files/{row.id}: its content could not be read."


def _allowed(actor: Actor, member_id: UUID) -> None:
    actor.require_own()
    if actor.member_id == member_id:
        actor.require_session()
    else:
        actor.require("core:member:export")
