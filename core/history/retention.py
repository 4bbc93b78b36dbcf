"""Takes deleted records away for good when nobody can be expected to restore them any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import settings
from core.clock import now
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.resources.declaration import DELETED_AT
from core.resources.file_fields import forget_unused
from core.resources.resource import BoundResource

JOB = "purge_deleted_records"
BATCH = 200
log = structlog.get_logger("retention")


def run(context: JobContext) -> dict[str, Any]:
    """The job ``core.purge_deleted_records``, each day; those that others depend on are left until these are gone.

    It also forgets files that no record holds any more, as where a deletion took the record along.
    """
    with context.unit_of_work() as session:
        resources = list(session.info["registry"].resources.values())
    gone, kept, files = 0, 0, 0
    for bound in resources:
        if bound.resource.soft_delete:
            done, left = _purge(context, bound)
            gone, kept = gone + done, kept + left
        if bound.resource.files:
            with context.unit_of_work() as session:
                files += forget_unused(session, bound.plugin, bound.resource)
    return {"purged": gone, "in_use": kept, "files": files}


def _purge(context: JobContext, bound: BoundResource) -> tuple[int, int]:
    """How many records of a resource went, and how many could not."""
    model, after, gone, kept = bound.resource.model, None, 0, 0
    key: Any = getattr(model, bound.resource.key)
    while True:
        with context.unit_of_work() as session:
            days = _days(session, bound)
            if not days:
                return gone, kept
            over = getattr(model, DELETED_AT) < now() - timedelta(days=days)
            query = select(model).where(over) if after is None else select(model).where(over, key > after)
            found = session.scalars(query.order_by(key).limit(BATCH).with_for_update(skip_locked=True)).all()
            keys = [bound.key_of(record) for record in found]
            for record in found:
                try:
                    with session.begin_nested():
                        bound.purge(session, record)
                    gone += 1
                except IntegrityError:
                    kept += 1
        if len(keys) < BATCH:
            if kept:
                log.info("deleted records are in use still", resource=bound.key, count=kept)
            return gone, kept
        after = keys[-1]
        context.progress(gone)


def _days(session: Session, bound: BoundResource) -> int:
    declared = bound.resource.keep_deleted_days
    return settings.read(session, PlatformSettings).deleted_record_days if declared is None else declared
