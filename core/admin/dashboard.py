"""The dashboard: widgets by plugins and pinned reports, each loaded on its own, so that a slow one holds up nobody."""

from __future__ import annotations

from typing import Any

import structlog
from flask import render_template, request
from flask_babel import get_locale, gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.admin.reports import address
from core.errors import NotFound
from core.gateway.request import platform
from core.i18n import _
from core.members.models import Member
from core.reports import dashboards, shown
from core.reports import period as periods
from core.reports import run as reports
from core.reports.errors import ReportTooSlow

pages = PageBlueprint("core_dashboard", url_prefix="/")
log = structlog.get_logger("dashboard")
SIZES = {"kpi": _("Figure"), "half": _("Half the width"), "full": _("Full width")}
SHOW = "core:dashboard:show"


@pages.get("/", signed_in=True)
def home(session: Session, actor: Actor) -> Any:
    """The dashboard for who may see it, one's own profile for everybody else."""
    if not actor.can(SHOW):
        return redirect("/profile")
    widgets = dashboards.arranged(session, actor)
    return render("guildhall/dashboard.html", widgets=widgets, first_steps=_first_steps(session, actor))


@pages.get("/admin/dashboard", permission=SHOW)
def arrange(session: Session, actor: Actor) -> Any:
    """Put widgets in order, size them, add and remove them."""
    widgets = dashboards.arranged(session, actor)
    groups: dict[str, list[tuple[str, str]]] = {}
    for key, one in dashboards.offered(session, actor).items():
        if one.is_report or key not in {each.key for each in widgets}:
            kind = gettext("Reports") if one.is_report else gettext("Widgets")
            groups.setdefault(kind, []).append((key, gettext(one.title)))
    return render(
        "guildhall/dashboard_arrange.html",
        widgets=widgets,
        groups=groups,
        sizes=[(size, gettext(label)) for size, label in SIZES.items()],
        periods=[(name, gettext(label)) for name, label in periods.SHORTCUTS.items()],
        own=dashboards.is_own(session, actor),
        roles=sorted(access.role_names(session)) if actor.can("core:role:update") else [],
    )


@pages.post("/admin/dashboard", permission=SHOW)
def save(session: Session, actor: Actor) -> Any:
    """Keep the arrangement of the form: as one's own, or as what a role begins with."""
    form = request.form
    sent = zip(form.getlist("key"), form.getlist("size"), form.getlist("period"), strict=False)
    widgets = [{"key": key, "size": size, "period": period} for key, size, period in sent]
    if added := form.get("add", ""):
        offer = dashboards.offered(session, actor).get(added)
        widgets.append({"key": added, "size": offer.size if offer else "half", "period": ""})
    if role := form.get("role", ""):
        dashboards.save_for_role(session, actor, role, widgets)
        flash(_("Members of {role} begin with this dashboard now."), role=role)
        return redirect("/admin/dashboard")
    if not tried(session, lambda: dashboards.save(session, actor, widgets)) or added:
        return redirect("/admin/dashboard")
    flash(_("Your dashboard is kept."))
    return redirect("/")


@pages.post("/admin/dashboard/reset", permission=SHOW)
def reset(session: Session, actor: Actor) -> Any:
    dashboards.reset(session, actor)
    flash(_("Your dashboard is as it was at the beginning."))
    return redirect("/")


@pages.post("/admin/reports/<plugin>/<name>/pin", permission=SHOW)
def pin(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    """Put a report on one's dashboard."""
    key = f"{plugin}.{name}"
    if not tried(
        session, lambda: dashboards.pin(session, actor, dashboards.REPORT + key, request.form.get("period", ""))
    ):
        return redirect(address(key))
    flash(_("It is on your dashboard now, at the end."))
    return redirect(address(key))


@pages.get("/admin/widgets/<plugin>/<name>", permission=SHOW)
def widget(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    """One widget's content, fetched by the page."""
    key = f"{plugin}.{name}"
    if key not in dashboards.offered(session, actor):
        raise NotFound()
    found = next(one for one in platform().registry.plugins[plugin].widgets if one.name == name)
    try:
        with session.begin_nested():
            return render_template(found.template, **found.load(session))
    except Exception:
        log.exception("widget failed", widget=key)
        return render_template("guildhall/widget_failed.html", title=found.title, size=found.size, url=request.path)


@pages.get("/admin/widgets/report/<plugin>/<name>", permission=SHOW)
def report_widget(session: Session, actor: Actor, plugin: str, name: str) -> Any:
    """A pinned report: its chart, or its first total with the change to the period before."""
    actor.require("core:report:list")
    key, size = f"{plugin}.{name}", request.args.get("size", "half")
    report = reports.find(session, actor, key)
    zone = reports.zone_of(session, actor)
    period = periods.chosen(request.args.get("period", ""), "", "", reports.today_in(zone), zone)
    url = request.full_path
    try:
        with session.begin_nested():
            result = reports.run(session, actor, key, period, compare=size == "kpi")
    except Exception as problem:
        log.exception("widget failed", widget=f"report:{key}")
        why = problem.fill(gettext(problem.sentence)) if isinstance(problem, ReportTooSlow) else ""
        return render_template("guildhall/widget_failed.html", title=report.label, size=size, url=url, why=why)
    return render_template(
        "guildhall/widget_report.html",
        result=result,
        report=report,
        size=size,
        total=next(iter(result.totals), None),
        spec=None if result.empty else shown.spec(result, gettext, str(get_locale())),
        period_text=shown.period_text(period, str(get_locale())),
        url=f"{address(key)}?period={request.args.get('period', '')}",
    )


def _first_steps(session: Session, actor: Actor) -> list[dict[str, str]]:
    """What to do first while there is nobody but who set it up; nothing after that."""
    if not actor.can("core:member:create"):
        return []
    if (session.scalar(select(func.count()).select_from(select(Member.id).limit(2).subquery())) or 0) > 1:
        return []
    steps = [
        (_("Invite the first member"), "/admin/members/new", "core:member:create"),
        (_("Say how people may register"), "/admin/settings", "core:settings:update"),
        (_("Choose the plugins that you need"), "/admin/plugins", "core:plugin:toggle"),
        (_("See who may do what"), "/admin/access", "core:role:list"),
    ]
    return [{"label": gettext(label), "url": url} for label, url, permission in steps if actor.can(permission)]
