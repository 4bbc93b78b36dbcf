"""Figures of ``/metrics`` that are read from the tables, and from the disk, when they are asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import lifecycle
from core.clock import now
from core.events.replay import lag
from core.platform import Platform
from core.plugin import Gauge as Declared

log = structlog.get_logger("figures")
_JOBS = text("""
    SELECT state, count(*) AS number, extract(epoch FROM :at - min(created_at)) AS age
    FROM core_job WHERE state IN ('queued', 'running') GROUP BY state
""")
# The day bounds the work; a sealer that stands still for longer shows a day.
_UNSEALED = text("""
    SELECT count(*) AS number, coalesce(extract(epoch FROM :at - min(at)), 0) AS age FROM core_audit a
    WHERE id >= uuidv7(interval '-1 day') AND NOT EXISTS (SELECT FROM core_audit_seal s WHERE s.audit_id = a.id)
""")
_LEADERS = text("""
    SELECT count(*) FROM pg_locks, hashtextextended('core.scheduler', 0) AS key
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint = (key >> 32) & 4294967295 AND objid::bigint = key & 4294967295
""")
_OVERDUE = text(
    "SELECT coalesce(extract(epoch FROM greatest(:at - min(next_run_at), interval '0')), 0) FROM core_schedule"
)
_DATABASE = text("SELECT pg_database_size(current_database())")


def read(platform: Platform, session: Session) -> CollectorRegistry:
    """Every figure of the core, and those of the plugins that are on; one that fails costs itself alone."""
    made = CollectorRegistry()
    for part in (_deliveries, _jobs, _scheduler, _audit, _database):
        try:
            with session.begin_nested():
                part(made, platform, session)
        except Exception:
            log.exception("figures failed", part=part.__name__)
    off = lifecycle.disabled(session)
    for plugin in platform.registry.plugins.values():
        for gauge in plugin.gauges if plugin.name not in off else ():
            try:
                with session.begin_nested():
                    value = gauge.read(session)
                _set(made, gauge, value)
            except Exception:
                log.exception("gauge failed", plugin=plugin.name, gauge=gauge.name)
    return made


def disk(platform: Platform, made: CollectorRegistry) -> None:
    """Room on the disk of HOME, where files and the embedded database lie."""
    home = platform.config.home.absolute()
    usage = shutil.disk_usage(next(one for one in (home, *home.parents) if one.exists()))
    Gauge("guildhall_disk_bytes", "Size of the disk of HOME.", registry=made).set(usage.total)
    Gauge("guildhall_disk_free_bytes", "Room left on the disk of HOME.", registry=made).set(usage.free)


def _deliveries(made: CollectorRegistry, platform: Platform, session: Session) -> None:
    waiting = Gauge(
        "guildhall_deliveries", "Deliveries by state, counted up to 100,000.", ["subscriber", "state"], registry=made
    )
    late = Gauge("guildhall_delivery_lag_seconds", "Age of the oldest due delivery.", ["subscriber"], registry=made)
    for name in platform.registry.subscribers:
        late.labels(name).set(0)
        for state in ("pending", "dead"):
            waiting.labels(name, state).set(0)
    for row in lag(session):
        late.labels(row["subscriber"]).set(float(row["lag"]))
        for state in ("pending", "dead"):
            waiting.labels(row["subscriber"], state).set(row[state])


def _jobs(made: CollectorRegistry, _platform: Platform, session: Session) -> None:
    jobs = Gauge("guildhall_jobs", "Open jobs by state.", ["state"], registry=made)
    age = Gauge("guildhall_job_age_seconds", "Age of the oldest open job, by state.", ["state"], registry=made)
    for state in ("queued", "running"):
        jobs.labels(state).set(0)
        age.labels(state).set(0)
    for row in session.execute(_JOBS, {"at": now()}):
        jobs.labels(row.state).set(row.number)
        age.labels(row.state).set(float(row.age))


def _scheduler(made: CollectorRegistry, _platform: Platform, session: Session) -> None:
    leads = Gauge("guildhall_scheduler_leaders", "Schedulers that hold the leader's lock: 1.", registry=made)
    leads.set(session.scalar(_LEADERS) or 0)
    late = Gauge("guildhall_schedule_overdue_seconds", "How late the latest schedule is.", registry=made)
    late.set(float(session.scalar(_OVERDUE, {"at": now()}) or 0))


def _audit(made: CollectorRegistry, _platform: Platform, session: Session) -> None:
    row = session.execute(_UNSEALED, {"at": now()}).one()
    Gauge("guildhall_audit_unsealed", "Audit rows that are not sealed yet.", registry=made).set(row.number)
    age = Gauge("guildhall_audit_unsealed_seconds", "Age of the oldest audit row that is not sealed.", registry=made)
    age.set(float(row.age))


def _database(made: CollectorRegistry, _platform: Platform, session: Session) -> None:
    size = Gauge("guildhall_database_bytes", "Size of the database.", registry=made)
    size.set(session.scalar(_DATABASE) or 0)


def _set(made: CollectorRegistry, gauge: Declared, value: Any) -> None:
    shown = Gauge(gauge.name, gauge.help, gauge.labels, registry=made)
    if isinstance(value, Mapping):
        for label, amount in value.items():
            shown.labels(*(label if isinstance(label, tuple) else (label,))).set(float(amount))
    else:
        shown.set(float(value))
