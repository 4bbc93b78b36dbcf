"""The report pages: which there are, one with its chart and numbers, and its files."""

from __future__ import annotations

import tempfile
from typing import Any

from flask import Response, jsonify, request, send_file
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from core.actor import Actor
from core.admin.pages import PageBlueprint, render
from core.errors import NotFound
from core.gateway.request import platform
from core.i18n import _
from core.reports import period as periods
from core.reports import run as reports
from core.reports import shown
from core.reports.errors import ReportTooSlow
from core.reports.models import FORMATS
from core.reports.report import Report
from core.reports.schedules import MAY
from core.reviews.queries import deciders

pages = PageBlueprint("core_reports", url_prefix="/admin/reports")
SPOOLED = 5_000_000
WEEKDAYS = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"), _("Sunday"))


@pages.get("", permission="core:report:list")
def index(session: Session, actor: Actor) -> Any:
    """Every report that the actor may see, by plugin."""
    wanted = request.args.get("q", "").replace("\0", "").strip()[:120]
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, report in reports.available(session, actor).items():
        label, about = gettext(report.label), gettext(report.help) if report.help else ""
        if wanted.lower() in f"{label} {about}".lower():
            plugin = platform().registry.plugins[key.split(".")[0]]
            found = {"key": key, "url": address(key), "label": label, "help": about, "report": report}
            groups.setdefault(gettext(plugin.label), []).append(found)
    for group in groups.values():
        group.sort(key=lambda one: one["report"].order)
    return render("guildhall/reports.html", groups=groups, wanted=wanted)


@pages.get("/<plugin>/<name>", permission="core:report:list")
def show(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    key = f"{plugin}.{name}"
    report = reports.find(session, actor, key)
    zone = reports.zone_of(session, actor)
    problem, result, spec = None, None, None
    try:
        result = _asked(session, actor, key, report, zone, compare="compare" in request.args)
        spec = None if result.empty else shown.spec(result, gettext, str(get_locale()))
    except (ReportTooSlow, periods.PeriodInvalid) as refused:
        problem = refused.fill(gettext(refused.sentence))
    today = reports.today_in(zone)
    return render(
        "guildhall/report.html",
        key=key,
        url=address(key),
        report=report,
        result=result,
        spec=spec,
        problem=problem,
        shortcuts=[(each, gettext(label)) for each, label in periods.SHORTCUTS.items()],
        chosen=_shortcut() if request.args.get("period") or not (request.args.keys() & {"first", "last"}) else "",
        period=result.period if result else periods.shortcut(periods.DEFAULT, today, zone),
        zone=zone,
        choices=reports.choices(session, report),
        parameters=dict(result.parameters) if result else _given(report),
        period_text=shown.period_text(result.period, str(get_locale())) if result else "",
        query={name: value for name, value in request.args.items() if value},
        formats=FORMATS,
        weekdays=[(number, gettext(name)) for number, name in enumerate(WEEKDAYS)],
        month_days=[(day, day) for day in range(1, 29)],
        hours=[(hour, f"{hour:02d}:00") for hour in range(24)],
        readers=readers(session, report.permission) if actor.can(MAY) else [],
    )


@pages.get("/<plugin>/<name>/file", permission="core:report:list")
def file(session: Session, actor: Actor, plugin: str, name: str) -> Response:
    """The numbers of the page as CSV, XLSX or PDF."""
    key, format = f"{plugin}.{name}", request.args.get("format", "csv")
    if format not in FORMATS:
        raise NotFound()
    report = reports.find(session, actor, key)
    result = _asked(session, actor, key, report, reports.zone_of(session, actor))
    made = tempfile.SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115  the answer closes it
    shown.write(result, format, made, gettext, str(get_locale()))  # type: ignore[arg-type]
    made.seek(0)
    return send_file(
        made,
        mimetype=shown.MEDIA[format],
        as_attachment=True,
        download_name=shown.file_name(result, format),
        max_age=0,
    )


@pages.get("/<plugin>/<name>/readers", permission=MAY)
def find_readers(session: Session, actor: Actor, plugin: str, name: str) -> Response:
    """Who could be sent the report, by the beginning of their name, as JSON: ``[{value, text}]``."""
    report = reports.find(session, actor, f"{plugin}.{name}")
    begins = request.args.get("q", "").replace("\0", "").strip()[:120]
    return jsonify([{"value": key, "text": called} for key, called in readers(session, report.permission, begins)])


def readers(session: Session, permission: str, begins: str = "") -> list[tuple[str, str]]:
    """Who could be sent a report: pairs of id and name, at most fifty."""
    return [(str(member.id), member.display_name) for member in deciders(session, permission, begins)]


def address(key: str) -> str:
    """The page of a report."""
    return f"/admin/reports/{key.replace('.', '/')}"


def _asked(
    session: Session, actor: Actor, key: str, report: Report, zone: str, *, compare: bool = False
) -> reports.Result:
    """The report of the period and the parameters that the address names."""
    named = request.args.get("period", "") in periods.SHORTCUTS
    first, last = ("" if named else request.args.get(name, "")[:10] for name in ("first", "last"))
    period = periods.chosen(_shortcut(), first, last, reports.today_in(zone), zone)
    return reports.run(session, actor, key, period, _given(report), compare=compare)


def _shortcut() -> str:
    given = request.args.get("period", "")
    return given if given in periods.SHORTCUTS else periods.DEFAULT


def _given(report: Report) -> dict[str, str]:
    given = {one.name: request.args.get(one.name, "")[:120] for one in report.parameters}
    return {name: value for name, value in given.items() if value}
