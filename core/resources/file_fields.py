"""Columns of a resource that hold a file: kept with the record, shown with a link, let go with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ForeignKey
from sqlalchemy.orm import mapped_column

from core.clock import now
from core.errors import Invalid
from core.files import service
from core.files.models import StoredFile
from core.i18n import _
from core.ids import uuid_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.actor import Actor

# A column that holds a file; name it in ``Resource(files=…)``.
FileRef = Annotated[UUID, mapped_column(ForeignKey("core_file.id"), index=True)]
SHOWN = "_shown_files"
NOT_TAKEN = _("Send the file for this field first. One that is in use elsewhere is not taken.")


def keep(
    session: Session, actor: Actor, plugin: str, files: Mapping[str, Any], values: Mapping[str, Any], record: Any = None
) -> list[UUID]:
    """Keep the files that ``values`` name anew; returns those that ``record`` will no longer refer to.

    A file is the actor's own, was sent for this column, and belongs to no other record. Raises Invalid at the column.
    """
    dropped: list[UUID] = []
    for column, upload in files.items():
        if column not in values:
            continue
        before, after = (getattr(record, column) if record is not None else None), values[column]
        if before == after:
            continue
        if after is not None and not service.attach(session, actor, after, purpose=f"{plugin}.{upload.name}"):
            raise Invalid({column: [NOT_TAKEN]})
        if before is not None:
            dropped.append(before)
    return dropped


def held(files: Mapping[str, Any], record: Any) -> list[UUID]:
    """The files that a record refers to."""
    return [key for column in files if (key := getattr(record, column)) is not None]


def show(session: Session, files: Mapping[str, Any], records: Sequence[Any]) -> None:
    """Note on each record what its files are, with signed links; one statement for all of them.

    One that is gone, as after its sender was erased, is shown as empty.
    """
    keys = {key for record in records for key in held(files, record)}
    if not files:
        return
    known: dict[UUID, StoredFile] = {}
    if keys:
        query = sa.select(StoredFile).where(StoredFile.id.in_(keys), StoredFile.state != "deleted")
        known = {row.id: row for row in session.scalars(query)}
    for record in records:
        record.__dict__[SHOWN] = {
            column: told(session, row) for column in files if (row := known.get(getattr(record, column))) is not None
        }


def shown(record: Any, column: str) -> dict[str, Any] | None:
    """What ``show`` noted of the file in ``column``, as ``told`` says it."""
    found: dict[str, Any] | None = record.__dict__.get(SHOWN, {}).get(column)
    return found


def past(
    session: Session, plugin: str, files: Mapping[str, Any], values: Iterable[tuple[str, Any]]
) -> dict[tuple[str, Any], dict[str, Any]]:
    """What is shown of the files that ``values``, each with its column, name or once named, as ``told`` says it; one
    statement for all. ``url`` is None unless a record holds the file still."""
    wanted = {(column, value): key for column, value in values if column in files and (key := _key(value)) is not None}
    if not wanted:
        return {}
    purposes = {f"{plugin}.{upload.name}" for upload in files.values()}
    query = sa.select(StoredFile).where(StoredFile.id.in_(set(wanted.values())), StoredFile.purpose.in_(purposes))
    known = {row.id: row for row in session.scalars(query)}
    return {
        one: told(session, row) if row.state == "kept" else {**_about(row), "url": None}
        for one, key in wanted.items()
        if (row := known.get(key)) is not None
    }


def _key(value: Any) -> UUID | None:
    return value if isinstance(value, UUID) else uuid_of(value) if isinstance(value, str) else None


def told(session: Session, row: StoredFile) -> dict[str, Any]:
    """What is shown of a file: id, name, media_type, size (bytes) and url, a path that expires."""
    return {**_about(row), "url": service.link(session, row)}


def _about(row: StoredFile) -> dict[str, Any]:
    return {"id": str(row.id), "name": row.name, "media_type": row.media_type, "size": row.size}


def forget_unused(session: Session, plugin: str, resource: Any) -> int:
    """Forget kept files of these columns that no record refers to; how many. A record and its file commit together."""
    gone = 0
    for column, upload in resource.files.items():
        attribute = getattr(resource.model, column)
        held = sa.exists().where(attribute == StoredFile.id)
        unused = StoredFile.purpose == f"{plugin}.{upload.name}", StoredFile.state == "kept", ~held
        done = session.execute(sa.update(StoredFile).where(*unused).values(state="deleted", deleted_at=now()))
        gone += getattr(done, "rowcount", 0)
    return gone
