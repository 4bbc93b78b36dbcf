"""Takes away what nobody needs: loose files, the content of deleted ones, and what a failed upload left behind."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import settings
from core.clock import now
from core.db import locks
from core.files.models import StoredFile
from core.files.service import lock_of
from core.files.storage import Storage
from core.platform_settings import PlatformSettings

LEFT_OVER = timedelta(hours=24)
BATCH = 500


class Steps(Protocol):
    """What sweeping needs of a job's context."""

    def unit_of_work(self) -> AbstractContextManager[Session]: ...

    def progress(self, done: int, total: int | None = None) -> None: ...


def sweep(context: Steps) -> dict[str, Any]:
    """The job ``core.sweep_files``, each hour. Content goes only when no file that is not deleted has it."""
    with context.unit_of_work() as session:
        storage: Storage = session.info["files"]
        hours = settings.read(session, PlatformSettings).loose_file_hours
        ended = StoredFile.state == "loose", StoredFile.created_at < now() - timedelta(hours=hours)
        loose = session.execute(update(StoredFile).where(*ended).values(state="deleted", deleted_at=now()))
    gone = 0
    keys = storage.keys(now() - LEFT_OVER)
    candidates = [*_deleted(context), *keys]
    for done, key in enumerate(dict.fromkeys(candidates), 1):
        with context.unit_of_work() as session:
            gone += forget_content(session, key)
        if done % 50 == 0:
            context.progress(done)
    return {"loose": getattr(loose, "rowcount", 0), "content": gone}


def forget_content(session: Session, key: str) -> bool:
    """Take the content of ``key`` out of the storage, unless a file that is not deleted has it."""
    storage: Storage = session.info["files"]
    locks.advisory(session, lock_of(key))
    live = select(StoredFile.id).where(StoredFile.storage_key == key, StoredFile.state != "deleted").limit(1)
    if session.scalar(live) is not None:
        return False
    storage.delete(key)
    erased = StoredFile.storage_key == key, StoredFile.state == "deleted"
    session.execute(update(StoredFile).where(*erased).values(storage_key=""))
    return True


def _deleted(context: Steps) -> list[str]:
    with context.unit_of_work() as session:
        query = select(StoredFile.storage_key).where(StoredFile.state == "deleted", StoredFile.storage_key != "")
        return list(session.scalars(query.distinct()))
