"""Take, give and forget files. Whether an actor may see another's file is for the plugin to say that keeps it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import settings
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import NotFound
from core.files import content, documents, images, links
from core.files.errors import FileEmpty, FileInUse, FileTooLarge, FileTypeRefused, SvgRefused, TooManyFiles
from core.files.models import StoredFile
from core.files.storage import Storage, key_of
from core.files.upload import IMAGES
from core.platform_settings import PlatformSettings
from core.switches import service as switches

CHUNK = 64 * 1024
MEGABYTE = 1_000_000
SHOW = "core:file:show"


@dataclass
class OpenFile:
    """A file and its content, which the caller closes."""

    file: StoredFile
    content: IO[bytes]


def store(
    session: Session,
    actor: Actor,
    stream: IO[bytes],
    *,
    name: str,
    purpose: str,
    allowed: Collection[str],
    max_bytes: int | None = None,
) -> StoredFile:
    """Take a file for ``purpose`` (``<plugin>.<what>``); it is loose until ``keep``.

    ``allowed`` are media types of ``core.files.upload``; the content decides. Images are drawn anew, PDFs
    written anew; sound and film are kept as they came (docs/decisions). Raises FileTooLarge after reading no more
    than the limit of its kind, FileEmpty, FileTypeRefused, SvgRefused, ImageBroken, ImageTooLarge, DocumentBroken,
    DocumentLocked, TooManyFiles, StorageSilent.
    """
    switches.require(session, "core.uploads")
    limits = settings.read(session, PlatformSettings)
    _within_a_day(session, actor, limits.files_per_day)

    def most(head: bytes) -> int:
        kind = content.media_type(head, name)
        megabytes = min(limits.file_megabytes, limits.megabytes_of(kind) if kind else limits.file_megabytes)
        return min(max_bytes or MEGABYTE * megabytes, MEGABYTE * megabytes)

    with tempfile.TemporaryDirectory(prefix="guildhall-upload-") as folder:
        taken = Path(folder) / "taken"
        head = _take(stream, taken, most)
        media_type = content.media_type(head, name)
        if media_type is None and content.is_svg(head):
            raise SvgRefused()
        if media_type is None or media_type not in allowed:
            raise FileTypeRefused(allowed=", ".join(sorted(allowed)))
        if media_type == "application/pdf":
            rewritten = Path(folder) / "rewritten"
            documents.rewrite(taken, rewritten)
            taken = rewritten
        if media_type in IMAGES:
            drawn = Path(folder) / "drawn"
            with open(taken, "rb") as source:
                images.redraw(source, media_type, drawn, most_pixels=MEGABYTE * limits.image_megapixels)
            taken = drawn
        known = {"name": content.clean_name(name, media_type), "media_type": media_type}
        return _put(session, taken, owner_id=actor.member_id, purpose=purpose, **known)


def most_of_a_request(session: Session) -> int:
    """The most bytes that a request with a file may have: the largest file that any kind may be, and its envelope."""
    limits = settings.read(session, PlatformSettings)
    kinds = max(limits.image_megabytes, limits.document_megabytes, limits.text_megabytes, limits.media_megabytes)
    return max(10 * 1024 * 1024, MEGABYTE * (min(kinds, limits.file_megabytes) + 1))


def store_made(
    session: Session, source: Path, *, owner_id: UUID | None, purpose: str, name: str, media_type: str
) -> StoredFile:
    """Keep a file that the platform itself has made, such as an export; nothing of it is checked. Raises StorageSilent.

    It stays until its maker says that it is deleted.
    """
    row = _put(session, source, owner_id=owner_id, purpose=purpose, name=name, media_type=media_type)
    row.state = "kept"
    session.flush()
    return row


def store_squares(
    session: Session, row: StoredFile, *, purpose: str, sides: Sequence[int], contain: bool = False
) -> list[StoredFile]:
    """Keep the image of ``row`` as square WebP pictures of these ``sides`` (pixels), the platform's own.

    Its middle is cut out, or with ``contain`` the whole of it stands on a transparent ground; of one that moves, the
    first frame. They stay until ``delete_made``. Raises ImageBroken, NotFound, StorageSilent.
    """
    with tempfile.TemporaryDirectory(prefix="guildhall-squares-") as folder, open_file(session, row).content as source:
        drawn = images.squares(source, row.media_type, Path(folder), sides=sides, contain=contain)
        name = f"{Path(row.name).stem}.webp"
        return [
            store_made(session, path, owner_id=None, purpose=purpose, name=name, media_type="image/webp")
            for path in drawn
        ]


def open_made(session: Session, file_id: UUID) -> OpenFile:
    """The content of a file that the platform has made. Raises NotFound, StorageSilent."""
    row = session.get(StoredFile, file_id)
    if row is None or row.owner_id is not None:
        raise NotFound()
    return open_file(session, row)


def delete_made(session: Session, file_ids: Collection[UUID]) -> None:
    """Forget files that the platform has made; their content goes with the next sweep."""
    mine = StoredFile.id.in_(list(file_ids)), StoredFile.owner_id.is_(None)
    session.execute(update(StoredFile).where(*mine).values(state="deleted", deleted_at=now()))


def _put(session: Session, source: Path, **about: Any) -> StoredFile:
    """Put the content into the storage, and write its row."""
    with open(source, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    key = key_of(sha256)
    locks.advisory(session, lock_of(key))  # until the row is there, the sweeper leaves the content alone
    _storage(session).put(key, source)
    plugin, size = about["purpose"].partition(".")[0], source.stat().st_size
    row = StoredFile(plugin=plugin, size=size, sha256=sha256, storage_key=key, **about)
    session.add(row)
    session.flush()
    return row


def _take(stream: IO[bytes], target: Path, limit: Callable[[bytes], int]) -> bytes:
    """Write ``stream`` to ``target``, no more than the limit of a file that begins so; returns the beginning."""
    head, size, most = b"", 0, 0
    with open(target, "wb") as file:
        while chunk := stream.read(CHUNK):
            if not head:
                head = chunk[: content.HEAD_BYTES]
                most = limit(head)
            size += len(chunk)
            if size > most:
                raise FileTooLarge(most=f"{most / MEGABYTE:g}")
            file.write(chunk)
    if not size:
        raise FileEmpty()
    return head


def _within_a_day(session: Session, actor: Actor, most: int) -> None:
    if actor.member_id is None:
        return
    locks.members(session, [actor.member_id])
    recent = select(func.count()).where(
        StoredFile.owner_id == actor.member_id, StoredFile.created_at > now() - timedelta(days=1)
    )
    if (session.scalar(recent) or 0) >= most:
        raise TooManyFiles(most=most)


def keep(session: Session, actor: Actor, file_id: UUID, *, purpose: str) -> StoredFile:
    """Say that a record refers to the actor's own file, so that it stays. Raises NotFound for any other's."""
    row = session.get(StoredFile, file_id, with_for_update=True)
    if row is None or row.state == "deleted" or row.purpose != purpose or row.owner_id != actor.member_id:
        raise NotFound()
    row.state = "kept"
    session.flush()
    return row


def attach(session: Session, actor: Actor, file_id: UUID, *, purpose: str) -> bool:
    """``keep`` for a record that has the file for itself; False for another's, and for one that is in use already."""
    loose = StoredFile.id == file_id, StoredFile.state == "loose", StoredFile.purpose == purpose
    mine = StoredFile.owner_id.is_not_distinct_from(actor.member_id)
    kept = update(StoredFile).where(*loose, mine).values(state="kept").returning(StoredFile.id)
    return session.scalar(kept) is not None


def let_go(session: Session, file_ids: Collection[UUID]) -> None:
    """Forget files that a record no longer refers to, whoever sent them; the record's own trail tells of it."""
    if file_ids:
        gone = update(StoredFile).where(StoredFile.id.in_(list(file_ids)), StoredFile.state != "deleted")
        session.execute(gone.values(state="deleted", deleted_at=now()))


def find(session: Session, actor: Actor, file_id: UUID) -> StoredFile:
    """A file of the actor's, or any for who holds ``core:file:show``. Raises NotFound, whichever it lacks."""
    row = session.get(StoredFile, file_id)
    mine = row is not None and row.owner_id is not None and row.owner_id == actor.member_id
    if row is None or row.state == "deleted" or not (mine or actor.can(SHOW)):
        raise NotFound()
    return row


def open_file(session: Session, row: StoredFile, start: int = 0, stop: int | None = None) -> OpenFile:
    """The content of a file that the caller found and may give away, from ``start`` on, of which it reads to ``stop``.

    Raises NotFound, StorageSilent.
    """
    if row.state == "deleted":
        raise NotFound()
    try:
        return OpenFile(row, _storage(session).open(row.storage_key, start, stop))
    except FileNotFoundError:
        raise NotFound() from None


def copy(session: Session, actor: Actor, file_id: UUID | None, target: Path) -> None:
    """Write the content of a file that the actor may see to ``target``. Raises NotFound, StorageSilent."""
    if file_id is None:
        raise NotFound()
    found = open_file(session, find(session, actor, file_id))
    with found.content as source, target.open("wb") as into:
        shutil.copyfileobj(source, into)


def link(session: Session, row: StoredFile, lifetime: timedelta | None = None) -> str:
    """The path of a signed link to a file; it expires after ``lifetime``, by default the platform's setting."""
    lifetime = lifetime or timedelta(minutes=settings.read(session, PlatformSettings).file_link_minutes)
    return f"/files/{links.token(session.info['config'].secret_key, row.id, now() + lifetime)}"


def public_address(session: Session | None, path: str) -> str:
    """The address of a public file whose ``path`` holds the digest of its content: on the CDN, where there is one."""
    base: str = session.info["config"].cdn_url if session is not None else ""
    return base + path


def follow(session: Session, token: str) -> tuple[StoredFile, timedelta]:
    """The file behind a signed link, and how long the link is good yet. Raises NotFound, LinkExpired."""
    file_id, left = links.read(session.info["config"].secret_key, token)
    row = session.get(StoredFile, file_id)
    if row is None or row.state == "deleted":
        raise NotFound()
    return row, left


def delete_loose(session: Session, actor: Actor, file_id: UUID) -> None:
    """Forget a file that nothing refers to yet. Raises NotFound, FileInUse."""
    if find(session, actor, file_id).state != "loose":
        raise FileInUse()
    delete(session, actor, file_id)


def delete(session: Session, actor: Actor, file_id: UUID, reason: str | None = None) -> None:
    """Forget a file; links to it end at once, its content goes with the next sweep. Audited. Raises NotFound."""
    row = find(session, actor, file_id)
    row.state, row.deleted_at = "deleted", now()
    session.flush()
    about = {"purpose": [row.purpose, None], "sha256": [row.sha256, None]}
    record(
        session, actor, "core.file.deleted", subject_type="core.file", subject_id=row.id, changes=about, reason=reason
    )


def lock_of(key: str) -> str:
    """The advisory lock that whoever puts or sweeps the content of ``key`` holds."""
    return f"core.files:{key}"


def _storage(session: Session) -> Storage:
    storage: Storage = session.info["files"]
    return storage
