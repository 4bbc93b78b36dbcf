"""Make the copies of scheduled reports that are due, each once, and hand them over by an event."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import access, lifecycle, settings
from core.actor import Actor
from core.clock import now
from core.errors import DomainError, Forbidden, NotFound
from core.events.publish import publish
from core.files import service as files
from core.files.models import StoredFile
from core.i18n import translated
from core.jobs.job import JobContext
from core.members.models import Member
from core.platform_settings import PlatformSettings
from core.reports import run as reports
from core.reports import shown
from core.reports.events import ReportMade
from core.reports.models import ReportCopy, ReportRecipient, ReportSchedule
from core.reports.schedules import next_time, period_at

PURPOSE = "core.report"
TRIES = 3
AT_ONCE = 100
log = structlog.get_logger("reports")


def send(context: JobContext) -> dict[str, int]:
    """The job: note what is due, then make copy after copy, each in a transaction of its own.

    A time that was missed, because nothing ran then, is caught up by one copy and not by many. A copy that fails is
    tried again by the next run, three times in all.
    """
    with context.unit_of_work() as session:
        due = note_due(session)
    made, seen = 0, set[UUID]()
    while True:
        with context.unit_of_work() as session:
            copy = session.scalar(
                select(ReportCopy)
                .where(ReportCopy.state == "due", ReportCopy.id.not_in(seen))
                .order_by(ReportCopy.due_at, ReportCopy.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if copy is None:
                return {"due": due, "made": made}
            seen.add(copy.id)
            made += _make(session, copy)
        context.progress(len(seen))


def note_due(session: Session) -> int:
    """Write a copy for each recipient of each schedule whose time has come, and set its next time."""
    off = lifecycle.disabled(session)
    registry = session.info["registry"]
    known = [key for key in registry.reports if key.split(".")[0] not in off]
    due = select(ReportSchedule).where(
        ~ReportSchedule.paused, ReportSchedule.next_at <= now(), ReportSchedule.report.in_(known)
    )
    noted = 0
    for schedule in session.scalars(
        due.order_by(ReportSchedule.next_at).limit(AT_ONCE).with_for_update(skip_locked=True)
    ):
        readers = session.scalars(
            select(ReportRecipient.member_id).where(ReportRecipient.schedule_id == schedule.id)
        ).all()
        for member_id in readers:
            copy = insert(ReportCopy).values(schedule_id=schedule.id, member_id=member_id, due_at=schedule.next_at)
            session.execute(copy.on_conflict_do_nothing())
            noted += 1
        schedule.next_at = next_time(schedule, now())
    return noted


def _make(session: Session, copy: ReportCopy) -> int:
    """Make the file of a copy and say so; 1 when it is made. What fails is kept on the copy, by its code."""
    schedule = session.get_one(ReportSchedule, copy.schedule_id)
    member = session.get_one(Member, copy.member_id)
    copy.attempts += 1
    try:
        with session.begin_nested():
            _write(session, copy, schedule, member)
    except (Forbidden, NotFound) as refused:
        copy.state, copy.error = "refused", refused.code
    except DomainError as problem:
        log.warning("a scheduled report failed", report=schedule.report, copy=str(copy.id), code=problem.code)
        copy.state, copy.error = (
            "due" if problem.status in (429, 503) and copy.attempts < TRIES else "failed",
            problem.code,
        )
    except Exception as problem:
        log.exception("a scheduled report failed", report=schedule.report, copy=str(copy.id))
        copy.state, copy.error = "due" if copy.attempts < TRIES else "failed", type(problem).__name__
    session.flush()
    return int(copy.state == "made")


def _write(session: Session, copy: ReportCopy, schedule: ReportSchedule, member: Member) -> None:
    reader = Actor(
        kind="member",
        name=member.display_name,
        member_id=member.id,
        permissions=access.member_permissions(session, member.id) if member.status == "active" else frozenset(),
        bulk=True,
    )
    result = reports.run(session, reader, schedule.report, period_at(schedule, copy.due_at), schedule.parameters)
    say = translated(session, member.locale)
    with tempfile.TemporaryDirectory(prefix="guildhall-report-") as folder:
        path = Path(folder) / "report"
        with path.open("wb") as file:
            shown.write(result, schedule.format, file, say, say.language)
        stored = files.store_made(
            session,
            path,
            owner_id=None,
            purpose=PURPOSE,
            name=shown.file_name(result, schedule.format),
            media_type=shown.MEDIA[schedule.format],
        )
    copy.state, copy.error, copy.file_id, copy.made_at = "made", "", stored.id, now()
    session.flush()
    told = ReportMade(copy_id=copy.id, schedule_id=schedule.id, member_id=member.id, report=schedule.report)
    publish(session, reader, told)


def sweep(context: JobContext) -> dict[str, int]:
    """The job that takes away the files of copies, and the copies, when their time is over."""
    with context.unit_of_work() as session:
        before = now() - timedelta(days=settings.read(session, PlatformSettings).report_copy_days)
        for copy in session.scalars(select(ReportCopy).where(ReportCopy.due_at < before, ReportCopy.state != "due")):
            session.delete(copy)
        session.flush()
        old = select(StoredFile.id).where(
            StoredFile.purpose == PURPOSE, StoredFile.created_at < before, StoredFile.state == "kept"
        )
        gone = session.scalars(old).all()
        files.delete_made(session, gone)
        return {"files": len(gone)}
