"""Copies of scheduled reports for those who send and fetch them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import settings
from core.actor import Actor
from core.errors import NotFound
from core.files import service as files
from core.files.models import StoredFile
from core.i18n import Translator
from core.platform_settings import PlatformSettings
from core.reports import run as reports
from core.reports import schedules, shown
from core.reports.models import ReportCopy, ReportSchedule


@dataclass(frozen=True)
class Letter:
    """What goes out about a copy: the report and its period in the reader's words, paths of this site to fetch it and
    to end the subscription, and the file where it is small enough to be attached."""

    copy_id: UUID
    report: str
    period: str
    path: str
    leave: str
    file: StoredFile
    content: bytes | None


def letter(session: Session, copy_id: UUID, say: Translator) -> Letter | None:
    """The letter about a copy, or None when it was mailed already, or is gone with its schedule."""
    copy = session.get(ReportCopy, copy_id)
    if copy is None or copy.state != "made" or copy.file_id is None:
        return None
    schedule = session.get_one(ReportSchedule, copy.schedule_id)
    report = session.info["registry"].reports.get(schedule.report)
    file = session.get_one(StoredFile, copy.file_id)
    most = settings.read(session, PlatformSettings).report_attachment_kilobytes * 1000
    content = None
    if file.size <= most:
        with files.open_file(session, file).content as stream:
            content = stream.read()
    return Letter(
        copy_id=copy.id,
        report=say(report.label) if report else schedule.report,
        period=shown.period_text(schedules.period_at(schedule, copy.due_at), say.language),
        path=f"/admin/reports/copies/{copy.id}",
        leave=f"/reports/leave/{schedules.leaving_token(session, schedule.id, copy.member_id)}",
        file=file,
        content=content,
    )


def mailed(session: Session, copy_id: UUID) -> None:
    """Keep that the mail server took a copy."""
    session.execute(update(ReportCopy).where(ReportCopy.id == copy_id).values(state="mailed", error=""))


def mail_refused(session: Session, copy_id: UUID) -> None:
    """Keep that the mail server refused a copy for good; its file can be fetched on the page."""
    values = {"state": "failed", "error": "MAIL_REFUSED"}
    session.execute(update(ReportCopy).where(ReportCopy.id == copy_id).values(values))


def fetch(session: Session, actor: Actor, copy_id: UUID) -> files.OpenFile:
    """The file of the actor's own copy. Raises NotFound, PermissionMissing when they may not see the report now."""
    copy = session.get(ReportCopy, copy_id)
    if copy is None or copy.member_id != actor.member_id or copy.file_id is None:
        raise NotFound()
    reports.find(session, actor, session.get_one(ReportSchedule, copy.schedule_id).report)
    return files.open_file(session, session.get_one(StoredFile, copy.file_id))
