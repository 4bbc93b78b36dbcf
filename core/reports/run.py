"""Run a report: who may, on which database, for how long at most; its totals and what they were before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import structlog
from psycopg.errors import QueryCanceled
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from core import lifecycle, settings
from core.actor import Actor
from core.clock import now, rfc3339
from core.db.session import Database
from core.errors import NotFound
from core.members.models import Member
from core.platform_settings import PlatformSettings
from core.reports.errors import ParameterInvalid, ReportTooSlow
from core.reports.period import Period, zone_named
from core.reports.report import Report

log = structlog.get_logger("reports")
AGAIN_SECONDS = 60  # what else the database was busy with may be over then


@dataclass(frozen=True)
class Result:
    """What a report said. ``totals`` are sums by the names of the columns that have one; ``before`` is the same of the
    period before, when it was asked for."""

    key: str
    report: Report
    period: Period
    parameters: Mapping[str, str]
    rows: Sequence[Sequence[Any]]
    totals: Mapping[str, Any]
    made_at: datetime = field(default_factory=now)
    before: Result | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no row, or nothing but zeros under the columns that are counted."""
        if not self.rows or not self.totals:
            return not self.rows
        places = [self.report.index(name) for name in self.totals]
        return not any(row[place] for row in self.rows for place in places)

    def change(self, name: str) -> float | None:
        """By how many percent a total differs from the period before; None where there is nothing to compare with."""
        earlier = self.before.totals.get(name) if self.before else None
        if not earlier:
            return None
        return round(float(Decimal(self.totals[name] - earlier) * 100 / Decimal(abs(earlier))), 1)

    def link(self, column: str, row: Sequence[Any]) -> str:
        """The list that explains a cell, or nothing."""
        found = self.report.columns[self.report.index(column)]
        if not found.link or not row[self.report.index(column)]:
            return ""
        since, until = self.period.since, self.period.until
        if self.report.over_time:
            since, until = step_of(self.period, row[0])
        cells = {one.name: quote(str(cell), safe="") for one, cell in zip(self.report.columns, row, strict=True)}
        chosen = {name: quote(value, safe="") for name, value in self.parameters.items()}
        last = until.astimezone(ZoneInfo(self.period.zone)).date() - timedelta(days=1)
        times = {
            "since": rfc3339(since),
            "until": rfc3339(until),
            "first": since.astimezone(ZoneInfo(self.period.zone)).date().isoformat(),
            "last": last.isoformat(),
        }
        return found.link.format(**{**chosen, **cells, **times})


def step_of(period: Period, day: date) -> tuple[datetime, datetime]:
    """The part of a step that lies in the period."""
    steps = period.steps
    place = steps.index(day)
    ends = steps[place + 1 : place + 2]
    part = Period(
        max(day, period.first), min(ends[0] - timedelta(days=1), period.last) if ends else period.last, period.zone
    )
    return part.since, part.until


def find(session: Session, actor: Actor, key: str) -> Report:
    """The report ``<plugin>.<name>``. Raises NotFound, also while its plugin is off; PermissionMissing."""
    report: Report | None = session.info["registry"].reports.get(key)
    if report is None or key.split(".")[0] in lifecycle.disabled(session):
        raise NotFound()
    actor.require(report.permission)
    return report


def available(session: Session, actor: Actor) -> dict[str, Report]:
    """Reports of enabled plugins that the actor may see, by key, in the order of their plugins."""
    off = lifecycle.disabled(session)
    return {
        key: report
        for key, report in session.info["registry"].reports.items()
        if key.split(".")[0] not in off and actor.can(report.permission)
    }


def zone_of(session: Session, actor: Actor) -> str:
    """The time zone of whoever asks."""
    member = session.get(Member, actor.member_id) if actor.member_id else None
    return zone_named(member.time_zone if member else None)


def today_in(zone: str) -> date:
    """The day it is in ``zone``."""
    return now().astimezone(ZoneInfo(zone)).date()


def run(
    session: Session,
    actor: Actor,
    key: str,
    period: Period,
    parameters: Mapping[str, str] | None = None,
    *,
    compare: bool = False,
) -> Result:
    """What the report says of ``period``, and with ``compare`` of the one before.

    Raises NotFound, PermissionMissing, ParameterInvalid, ReportTooSlow.
    """
    report = find(session, actor, key)
    with reading(session) as reader:
        chosen = checked(reader, report, parameters or {})
        before = _load(reader, key, report, period.before, chosen) if compare else None
        return _load(reader, key, report, period, chosen, before)


def choices(session: Session, report: Report) -> dict[str, list[tuple[str, str]]]:
    """What each parameter may be."""
    return {one.name: [(str(value), label) for value, label in one.choices(session)] for one in report.parameters}


def checked(session: Session, report: Report, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a report with what is not given filled in. Raises ParameterInvalid."""
    chosen = {}
    for parameter in report.parameters:
        values = [str(value) for value, _label in parameter.choices(session)]
        value = given.get(parameter.name) or (values[0] if values else "")
        if values and value not in values:
            raise ParameterInvalid(name=parameter.name)
        chosen[parameter.name] = value
    if unknown := sorted(given.keys() - chosen.keys()):
        raise ParameterInvalid(name=unknown[0])
    return chosen


def _load(
    session: Session, key: str, report: Report, period: Period, chosen: Mapping[str, str], before: Result | None = None
) -> Result:
    rows = [tuple(row) for row in report.load(session, period, chosen)]
    totals = {
        column.name: sum((row[place] or 0 for row in rows), start=0)
        for place, column in enumerate(report.columns)
        if column.total
    }
    return Result(key, report, period, chosen, rows, totals, before=before)


@contextmanager
def reading(session: Session) -> Iterator[Session]:
    """A session that reads and cannot write, under the statement time-out: on the replica where there is one.

    A replica that does not answer is passed over. Raises ReportTooSlow.
    """
    seconds = settings.read(session, PlatformSettings).report_seconds
    replica: Database | None = session.info.get("replica")
    reader = session
    if replica is not None:
        reader = replica.session(session.info.get("actor"))
        try:
            reader.connection()
        except (OperationalError, PoolTimeout):
            log.warning("the read replica does not answer")
            reader.close()
            reader = session
    # What a savepoint has set, the time-out and that nothing may be written, ends with it.
    point = reader.begin_nested()
    try:
        reader.execute(text("SELECT set_config('statement_timeout', :most, true)"), {"most": f"{seconds}s"})
        reader.execute(text("SET LOCAL transaction_read_only = on"))
        yield reader
    except DBAPIError as problem:
        if isinstance(problem.orig, QueryCanceled):
            raise ReportTooSlow(seconds=seconds, retry_after=AGAIN_SECONDS) from None
        raise
    finally:
        if point.is_active:
            point.rollback()
        if reader is not session:
            reader.close()
