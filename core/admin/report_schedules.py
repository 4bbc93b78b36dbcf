"""Scheduled reports in the admin: making them, looking after them, fetching copies, leaving by a link."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request, send_file
from flask_babel import gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.admin.reports import WEEKDAYS, address
from core.gateway.request import platform
from core.i18n import _
from core.ids import uuid_of
from core.reports import copies, schedules
from core.reports.models import ReportSchedule
from core.reports.period import SHORTCUTS

pages = PageBlueprint("core_report_schedules", url_prefix="/")
HOME = "/admin/reports/schedules"
FAILURES = {
    "PERMISSION_MISSING": _("The reader may not see the report any more."),
    "NOT_FOUND": _("The report is not there any more."),
    "REPORT_TOO_SLOW": _("The report took too long."),
    "TOO_LONG_FOR_PDF": _("There were too many rows for a PDF."),
    "MAIL_REFUSED": _("The mail server refused it."),
}


@pages.get("/admin/reports/schedules", permission="core:report:schedule")
def index(session: Session, actor: Actor) -> Any:
    """The schedules that the actor made or gets."""
    known = platform().registry.reports
    rows = [
        {
            "standing": one,
            "schedule": one.schedule,
            "mine": one.schedule.member_id == actor.member_id,
            "label": gettext(known[one.schedule.report].label) if one.schedule.report in known else one.schedule.report,
            "report_url": address(one.schedule.report) if one.schedule.report in known else "",
            "when": when(one.schedule),
            "period": gettext(SHORTCUTS[one.schedule.period]),
            "problem": gettext(FAILURES.get(one.last.error, _("It failed."))) if one.last and one.last.error else "",
        }
        for one in schedules.standings(session, actor)
    ]
    return render("guildhall/report_schedules.html", rows=rows, mail=bool(platform().config.smtp_url))


@pages.post("/admin/reports/<plugin>/<name>/schedule", permission="core:report:schedule", once=True)
def create(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    """Have the report sent, from the form of its page."""
    key, form = f"{plugin}.{name}", request.form
    report = platform().registry.reports.get(key)
    parameters = {one.name: form[one.name] for one in (report.parameters if report else ()) if form.get(one.name)}
    recipients = [found for each in form.getlist("recipients") if (found := uuid_of(each))]

    def change() -> None:
        schedules.create(
            session,
            actor,
            report=key,
            parameters=parameters,
            period=form.get("period", ""),
            every=form.get("every", ""),
            hour=_whole(form.get("hour")),
            weekday=_whole(form.get("weekday") or "0"),
            month_day=_whole(form.get("month_day") or "1"),
            format=form.get("format", ""),
            recipients=recipients,
        )

    if not tried(session, change):
        return redirect(address(key))
    flash(_("The report is scheduled."))
    return redirect(HOME)


@pages.post("/admin/reports/schedules/<uuid:key>/test", permission="core:report:schedule")
def test(session: Session, actor: Actor, key: UUID) -> Any:
    schedules.send_now(session, actor, key)
    flash(_("A copy is being made for you alone. It is sent in a moment."), "info")
    return redirect(HOME)


@pages.post("/admin/reports/schedules/<uuid:key>/pause", permission="core:report:schedule")
def pause(session: Session, actor: Actor, key: UUID) -> Any:
    paused = request.form.get("paused") == "yes"
    schedules.set_paused(session, actor, key, paused)
    flash(_("It rests until you resume it; what is due meanwhile is not sent.") if paused else _("It goes on."))
    return redirect(HOME)


@pages.post("/admin/reports/schedules/<uuid:key>/remove", permission="core:report:schedule")
def remove(session: Session, actor: Actor, key: UUID) -> Any:
    schedules.remove(session, actor, key)
    flash(_("It is not sent any more."))
    return redirect(HOME)


@pages.get("/admin/reports/copies/<uuid:key>", signed_in=True)
def copy(session: Session, actor: Actor, key: UUID) -> Response:
    """The file of the actor's own copy."""
    found = copies.fetch(session, actor, key)
    return send_file(
        found.content, mimetype=found.file.media_type, as_attachment=True, download_name=found.file.name, max_age=0
    )


@pages.get("/reports/leave/<token>", public=True)
def leaving(session: Session, actor: Actor, token: str) -> Any:
    """Ask whether it is meant: mail programs open links by themselves."""
    schedule_id, _member = schedules.leaving(session, token)
    schedule = session.get(ReportSchedule, schedule_id)
    report = platform().registry.reports.get(schedule.report) if schedule else None
    return render("guildhall/report_leave.html", label=gettext(report.label) if report else "", token=token)


@pages.post("/reports/leave/<token>", public=True)
def leave(session: Session, actor: Actor, token: str) -> Any:
    schedule_id, member_id = schedules.leaving(session, token)
    schedules.leave(session, member_id, schedule_id)
    return render("guildhall/report_leave.html", label="", token="")


def when(schedule: ReportSchedule) -> str:
    """When a schedule is due, in words."""
    hour = f"{schedule.hour:02d}:00"
    if schedule.every == "daily":
        said = gettext(_("Every day at %(hour)s"), hour=hour)
    elif schedule.every == "weekly":
        said = gettext(_("Every week on %(day)s at %(hour)s"), day=gettext(WEEKDAYS[schedule.weekday]), hour=hour)
    else:
        said = gettext(_("Every month on day %(day)s at %(hour)s"), day=schedule.month_day, hour=hour)
    return f"{said} ({schedule.zone})"


def _whole(given: str | None) -> int:
    return int(given) if given and given.isascii() and given.isdigit() and len(given) < 4 else -1
