"""Take a plugin whose handlers keep failing out of service, so that it harms no data and fills no log all night."""

from __future__ import annotations

import traceback
from datetime import timedelta

import structlog
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import generation
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.events.event import Event
from core.events.publish import publish
from core.lifecycle import PluginRow
from core.platform_settings import PlatformSettings
from core.settings import read

log = structlog.get_logger("quarantine")
_TALLY = text("""
    SELECT (SELECT count(*) FROM (
        SELECT FROM core_delivery d WHERE d.failed_at > :since AND d.state <> 'done' AND d.subscriber = ANY(:names)
        LIMIT :most
    ) one) AS failed, (SELECT count(*) FROM (
        SELECT FROM core_delivery d WHERE d.subscriber = ANY(:names) AND d.state = 'done' AND d.done_at > :since
        LIMIT :most
    ) one) AS done
""")


class PluginQuarantined(Event):
    """A plugin was taken out of service because its handlers kept failing; ``subscriber`` is the one that failed last.

    Not published when an admin turns a plugin off, nor when one fails to load or to migrate.
    """

    event_name = "core.plugin.quarantined"
    plugin: str
    subscriber: str


def consider(session: Session, subscriber: str, problem: Exception) -> bool:
    """After a failure of a transactional handler: quarantine its plugin if there were enough. Audited.

    There were when ``quarantine_after`` deliveries of the plugin's transactional subscribers failed within
    ``quarantine_minutes``, and fewer were made. Not for the core, not for what is outside (external subscribers), not
    for trouble with the database itself. Returns whether it is quarantined now.
    """
    name, settings = subscriber.split(".")[0], read(session, PlatformSettings)
    if name == "core" or not settings.quarantine_after or isinstance(problem, OperationalError):
        return False
    declared = session.info["registry"].subscribers.items()
    names = [key for key, one in declared if key.split(".")[0] == name and one.kind == "transactional"]
    since = now() - timedelta(minutes=settings.quarantine_minutes)
    tally = session.execute(_TALLY, {"since": since, "names": names, "most": settings.quarantine_after}).one()
    if tally.failed < settings.quarantine_after or tally.done >= tally.failed:
        return False
    reason = f"{tally.failed} deliveries failed within {settings.quarantine_minutes} minutes, the last in {subscriber}"
    values = {"quarantined": f"{reason}: {type(problem).__name__}", "traceback": _traceback(problem)}
    once = update(PluginRow).where(PluginRow.name == name, PluginRow.quarantined == "").values(values)
    if session.scalar(once.returning(PluginRow.name)) is None:
        return False
    actor = Actor.system("quarantine")
    record(session, actor, "core.plugin.quarantined", subject_type="plugin", subject_id=name, reason=reason)
    publish(session, actor, PluginQuarantined(plugin=name, subscriber=subscriber))
    generation.advance(session)
    log.error("plugin quarantined", plugin=name, subscriber=subscriber, failed=tally.failed)
    return True


def _traceback(problem: Exception) -> str:
    """Where it failed. The message is left out, since it may hold what people wrote."""
    lines = traceback.format_list(traceback.extract_tb(problem.__traceback__))
    return "".join([*lines, type(problem).__name__])[-20_000:]
