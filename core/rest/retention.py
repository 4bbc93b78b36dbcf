"""For how long the answers to requests with an Idempotency-Key and to forms are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from core.clock import now
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read

JOB = "sweep_answers"
CHUNK = 1000
FORMS_KEPT = timedelta(days=1)
FORMS = text("""
    DELETE FROM core_idempotency WHERE (scope, key) IN (
        SELECT scope, key FROM core_idempotency WHERE starts_with(scope, 'form:') AND created_at < :before
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) RETURNING key
""")
KEYS = text("""
    DELETE FROM core_idempotency WHERE (scope, key) IN (
        SELECT scope, key FROM core_idempotency WHERE created_at < :before
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) RETURNING key
""")


def run(context: JobContext) -> dict[str, Any]:
    """The job ``core.sweep_answers``, each hour, a thousand at a time: forms after a day, keys after the setting
    ``idempotency_days``. A request that is still running has no answer yet, so none of it can go."""
    with context.unit_of_work() as session:
        days = read(session, PlatformSettings).idempotency_days
    gone = {"forms": 0, "keys": 0}
    for name, statement, kept in (("forms", FORMS, FORMS_KEPT), ("keys", KEYS, timedelta(days=days))):
        some = CHUNK
        while some == CHUNK:
            with context.unit_of_work() as session:
                some = len(session.scalars(statement, {"before": now() - kept, "most": CHUNK}).all())
            gone[name] += some
            context.progress(sum(gone.values()))
    return gone
