"""Schedules of reports: made, paused, removed, left; and when each is due."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.db import locks
from core.errors import NotFound
from core.i18n import _
from core.jobs.queue import enqueue
from core.members.models import Member
from core.reports import run as reports
from core.reports.errors import RecipientRefused, ScheduleInvalid, TooManySchedules
from core.reports.models import EVERY, FORMATS, ReportCopy, ReportRecipient, ReportSchedule
from core.reports.period import SHORTCUTS, Period, shortcut

MAY = "core:report:schedule"
JOB = "core.send_reports"
MOST = 50
MOST_RECIPIENTS = 50


@dataclass(frozen=True)
class Standing:
    """A schedule with who gets it, its last copy, and how many of its copies failed or were refused."""

    schedule: ReportSchedule
    recipients: Sequence[Member]
    last: ReportCopy | None
    failures: int


def create(
    session: Session,
    actor: Actor,
    *,
    report: str,
    parameters: Mapping[str, str],
    period: str,
    every: str,
    hour: int,
    weekday: int = 0,
    month_day: int = 1,
    format: str = "pdf",
    recipients: Iterable[UUID] = (),
) -> ReportSchedule:
    """Have a report sent, in the time zone of the actor, to ``recipients`` or else to the actor alone. Audited.

    Raises NotFound, PermissionMissing, ScheduleInvalid, RecipientRefused, TooManySchedules.
    """
    actor.require(MAY)
    declared = reports.find(session, actor, report)
    if actor.member_id is None:
        raise NotFound()
    problems: dict[str, list[str]] = {}
    for name, value, known in (("period", period, SHORTCUTS), ("every", every, EVERY), ("format", format, FORMATS)):
        if value not in known:
            problems[name] = [_("Choose one of the values that are offered.")]
    for name, number, low, high in (("hour", hour, 0, 23), ("weekday", weekday, 0, 6), ("month_day", month_day, 1, 28)):
        if not low <= number <= high:
            problems[name] = [_("Choose one of the values that are offered.")]
    if problems:
        raise ScheduleInvalid(problems)
    locks.members(session, [actor.member_id])
    mine = select(func.count()).where(ReportSchedule.member_id == actor.member_id)
    if (session.scalar(mine) or 0) >= MOST:
        raise TooManySchedules(most=MOST)
    schedule = ReportSchedule(
        member_id=actor.member_id,
        report=report,
        parameters=reports.checked(session, declared, parameters),
        period=period,
        every=every,
        hour=hour,
        weekday=weekday,
        month_day=month_day,
        zone=reports.zone_of(session, actor),
        format=format,
        next_at=now(),
    )
    schedule.next_at = next_time(schedule, now())
    session.add(schedule)
    session.flush()
    wanted = list(dict.fromkeys(recipients)) or [actor.member_id]
    if len(wanted) > MOST_RECIPIENTS:
        raise ScheduleInvalid({"recipients": [_("Choose fewer recipients.")]})
    for member_id in wanted:
        _require_reader(session, declared.permission, member_id)
    rows = [{"schedule_id": schedule.id, "member_id": member_id} for member_id in wanted]
    session.execute(insert(ReportRecipient).values(rows))
    _told(session, actor, "scheduled", schedule, {"report": [None, report], "every": [None, every]})
    return schedule


def _require_reader(session: Session, permission: str, member_id: UUID) -> None:
    member = session.get(Member, member_id)
    able = (
        member is not None and member.status == "active" and permission in access.member_permissions(session, member_id)
    )
    if not able:
        raise RecipientRefused(name=member.display_name if member else str(member_id))


def next_time(schedule: ReportSchedule, after: datetime) -> datetime:
    """The first time of a schedule that comes after ``after``; an hour that a clock leaves out is the one after it."""
    zone = ZoneInfo(schedule.zone)
    day = after.astimezone(zone).date()
    while True:
        if _falls_on(schedule, day):
            at = datetime.combine(day, time(schedule.hour), zone).astimezone(after.tzinfo)
            if at > after:
                return at
        day += timedelta(days=1)


def _falls_on(schedule: ReportSchedule, day: date) -> bool:
    if schedule.every == "weekly":
        return day.weekday() == schedule.weekday
    return schedule.every == "daily" or day.day == schedule.month_day


def period_at(schedule: ReportSchedule, at: datetime) -> Period:
    """What a copy that is due at ``at`` tells: whole days, up to yesterday."""
    day = at.astimezone(ZoneInfo(schedule.zone)).date()
    ended = schedule.period in ("last_month", "last_year")
    return shortcut(schedule.period, day if ended else day - timedelta(days=1), schedule.zone)


def own(session: Session, actor: Actor, schedule_id: UUID) -> ReportSchedule:
    """A schedule of the actor's own, locked. Raises NotFound for any other."""
    schedule = session.get(ReportSchedule, schedule_id, with_for_update=True)
    if schedule is None or schedule.member_id != actor.member_id:
        raise NotFound()
    return schedule


def set_paused(session: Session, actor: Actor, schedule_id: UUID, paused: bool) -> None:
    """Let a schedule rest, or go on with its next time; what it missed is not sent. Audited. Raises NotFound."""
    schedule = own(session, actor, schedule_id)
    if schedule.paused != paused:
        schedule.paused = paused
        schedule.next_at = next_time(schedule, now())
        _told(session, actor, "paused" if paused else "resumed", schedule)


def remove(session: Session, actor: Actor, schedule_id: UUID) -> None:
    """End a schedule; its copies go with it. Audited. Raises NotFound."""
    schedule = own(session, actor, schedule_id)
    _told(session, actor, "unscheduled", schedule, {"report": [schedule.report, None]})
    session.delete(schedule)
    session.flush()


def send_now(session: Session, actor: Actor, schedule_id: UUID) -> None:
    """Send a copy to the actor alone, to see what it is like. Raises NotFound."""
    schedule = own(session, actor, schedule_id)
    assert actor.member_id is not None
    session.add(ReportCopy(schedule_id=schedule.id, member_id=actor.member_id, due_at=now()))
    session.flush()
    enqueue(session, actor, JOB)


def leave(session: Session, member_id: UUID, schedule_id: UUID) -> bool:
    """Take a recipient off a schedule, which ends when nobody is left. Returns whether they were on it."""
    gone = delete(ReportRecipient).where(
        ReportRecipient.schedule_id == schedule_id, ReportRecipient.member_id == member_id
    )
    if session.scalar(gone.returning(ReportRecipient.member_id)) is None:
        return False
    left = select(func.count()).where(ReportRecipient.schedule_id == schedule_id)
    if not session.scalar(left):
        session.execute(delete(ReportSchedule).where(ReportSchedule.id == schedule_id))
    return True


def standings(session: Session, actor: Actor) -> list[Standing]:
    """The schedules that the actor made or gets, the newest first."""
    got = select(ReportRecipient.schedule_id).where(ReportRecipient.member_id == actor.member_id)
    mine = (ReportSchedule.member_id == actor.member_id) | ReportSchedule.id.in_(got)
    found = []
    for schedule in session.scalars(select(ReportSchedule).where(mine).order_by(ReportSchedule.id.desc()).limit(200)):
        readers = select(Member).join(ReportRecipient, ReportRecipient.member_id == Member.id)
        readers = readers.where(ReportRecipient.schedule_id == schedule.id).order_by(Member.display_name)
        copies = select(ReportCopy).where(ReportCopy.schedule_id == schedule.id)
        last = session.scalar(copies.where(ReportCopy.state != "due").order_by(ReportCopy.due_at.desc()).limit(1))
        failed = select(func.count()).where(
            ReportCopy.schedule_id == schedule.id, ReportCopy.state.in_(("failed", "refused"))
        )
        found.append(Standing(schedule, session.scalars(readers).all(), last, session.scalar(failed) or 0))
    return found


def leaving_token(session: Session, schedule_id: UUID, member_id: UUID) -> str:
    """What the link that ends a subscription holds: it opens nothing else, and needs no sign-in."""
    head = schedule_id.bytes + member_id.bytes
    return base64.urlsafe_b64encode(head + _signature(session, head)).decode().rstrip("=")


def leaving(session: Session, token: str) -> tuple[UUID, UUID]:
    """The schedule and the member of such a link. Raises NotFound for one that was not made here."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise NotFound() from None
    if len(raw) != 64 or not hmac.compare_digest(_signature(session, raw[:32]), raw[32:]):
        raise NotFound()
    return UUID(bytes=raw[:16]), UUID(bytes=raw[16:32])


def _signature(session: Session, head: bytes) -> bytes:
    secret: str = session.info["config"].secret_key
    return hmac.new(secret.encode(), b"guildhall:report-leave|" + head, hashlib.sha256).digest()


def _told(session: Session, actor: Actor, act: str, schedule: ReportSchedule, changes: Any = None) -> None:
    record(
        session,
        actor,
        f"core.report.{act}",
        subject_type="core.report_schedule",
        subject_id=schedule.id,
        changes=changes or {"report": [schedule.report, schedule.report]},
    )
