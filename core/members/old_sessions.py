"""Sessions that ended long ago are deleted, with their tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from core.clock import now
from core.jobs.job import JobContext
from core.platform_settings import PlatformSettings
from core.settings import read

JOB = "sweep_sessions"
CHUNK = 1000
SESSIONS = text("""
    DELETE FROM core_session WHERE id IN (
        SELECT id FROM core_session s WHERE expires_at < :before
            AND NOT EXISTS (SELECT 1 FROM core_impersonation i WHERE i.session_id = s.id)
        ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) RETURNING id
""")


def run(context: JobContext) -> dict[str, Any]:
    """The job ``core.sweep_sessions``, each day: those whose time was over for ``session_days``, a thousand at a time.

    Those in which somebody acted as somebody else stay, since the list of such acts is theirs.
    """
    gone, some = 0, CHUNK
    with context.unit_of_work() as session:
        days = read(session, PlatformSettings).session_days
    while days and some == CHUNK:
        with context.unit_of_work() as session:
            before = now() - timedelta(days=days)
            some = len(session.scalars(SESSIONS, {"before": before, "most": CHUNK}).all())
        gone += some
        context.progress(gone)
    return {"sessions": gone}
