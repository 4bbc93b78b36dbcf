"""Dashboards: which widgets there are for somebody, and how they arranged them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import access, lifecycle
from core.actor import Actor
from core.audit.trail import record
from core.clock import now
from core.errors import Invalid, NotFound
from core.i18n import _
from core.reports import run as reports
from core.reports.models import Dashboard
from core.reports.period import DEFAULT, SHORTCUTS

SIZES = ("kpi", "half", "full")
MOST = 40
REPORT = "report:"


class DashboardFull(Invalid):
    """A dashboard holds at most ``MOST`` widgets."""

    code = "DASHBOARD_FULL"
    sentence = _("A dashboard holds at most {most} widgets. Remove one first.")


@dataclass(frozen=True)
class Placed:
    """A widget in its place: ``<plugin>.<name>``, or ``report:<plugin>.<name>`` with a period. ``title`` is marked."""

    key: str
    title: str
    size: str
    period: str = ""

    @property
    def is_report(self) -> bool:
        return self.key.startswith(REPORT)

    @property
    def url(self) -> str:
        """Where the page fetches it."""
        if self.is_report:
            path = self.key.removeprefix(REPORT).replace(".", "/")
            return f"/admin/widgets/report/{path}?size={self.size}&period={self.period}"
        return "/admin/widgets/" + self.key.replace(".", "/")


def offered(session: Session, actor: Actor) -> dict[str, Placed]:
    """What the actor may place, by key: plugins' widgets, figures first, then every report with a chart."""
    registry, off = session.info["registry"], lifecycle.disabled(session)
    widgets = [
        (one.size != "kpi", one.size == "full", one.order, f"{plugin.name}.{one.name}", one)
        for plugin in registry.plugins.values()
        if plugin.name not in off
        for one in plugin.widgets
        if actor.can(one.permission)
    ]
    ordered = sorted(widgets, key=lambda each: each[:3])
    found = {key: Placed(key, one.title, one.size) for *_order, key, one in ordered}
    if actor.can("core:report:list"):
        for key, report in reports.available(session, actor).items():
            if report.chart:
                found[REPORT + key] = Placed(REPORT + key, report.label, "half", DEFAULT)
    return found


def arranged(session: Session, actor: Actor) -> list[Placed]:
    """The actor's dashboard: their own arrangement, else that of the first of their roles that has one, else every
    plugin's widgets. What is not there any more, or may not be seen, is left out."""
    known = offered(session, actor)
    kept = _kept(session, actor)
    if kept is None:
        return [one for one in known.values() if not one.is_report]
    return [
        Placed(key, known[key].title, *_shape(known[key], each))
        for each in kept
        if (key := str(each.get("key"))) in known
    ]


def is_own(session: Session, actor: Actor) -> bool:
    """Whether the actor arranged the dashboard."""
    return session.scalar(select(Dashboard.id).where(Dashboard.member_id == actor.member_id)) is not None


def save(session: Session, actor: Actor, widgets: Iterable[Mapping[str, Any]]) -> None:
    """Keep how the actor arranged the dashboard. Unknown widgets are left out. Raises DashboardFull."""
    if actor.member_id is None:
        raise NotFound()
    _write(session, "member_id", actor.member_id, _checked(session, actor, widgets))


def save_for_role(session: Session, actor: Actor, role: str, widgets: Iterable[Mapping[str, Any]]) -> None:
    """What members of ``role`` begin with until they arrange their own. Audited. Raises NotFound, PermissionMissing."""
    actor.require("core:role:update")
    if role not in access.role_names(session):
        raise NotFound()
    kept = _checked(session, actor, widgets)
    _write(session, "role", role, kept)
    about = {"widgets": [None, [each["key"] for each in kept]]}
    record(session, actor, "core.dashboard.given", subject_type="role", subject_id=role, changes=about)


def reset(session: Session, actor: Actor) -> None:
    """Forget the actor's arrangement."""
    session.execute(delete(Dashboard).where(Dashboard.member_id == actor.member_id))


def pin(session: Session, actor: Actor, key: str, period: str, size: str = "half") -> None:
    """Put a widget at the end of the actor's dashboard. Raises NotFound, DashboardFull."""
    if key not in offered(session, actor):
        raise NotFound()
    present = [{"key": one.key, "size": one.size, "period": one.period} for one in arranged(session, actor)]
    save(session, actor, [*present, {"key": key, "size": size, "period": period}])


def _kept(session: Session, actor: Actor) -> Sequence[Mapping[str, Any]] | None:
    mine = session.scalar(select(Dashboard.widgets).where(Dashboard.member_id == actor.member_id))
    if mine is not None or actor.member_id is None:
        return mine
    ours = select(Dashboard.role, Dashboard.widgets).where(Dashboard.role.in_(actor.roles))
    given = {row.role: row.widgets for row in session.execute(ours)}
    return next((given[role] for role in actor.roles if role in given), None)


def _shape(offer: Placed, each: Mapping[str, Any]) -> tuple[str, str]:
    size = str(each.get("size", ""))
    period = str(each.get("period", ""))
    if not offer.is_report:
        return (offer.size if offer.size == "kpi" or size not in ("half", "full") else size), ""
    return (size if size in SIZES else offer.size), (period if period in SHORTCUTS else DEFAULT)


def _checked(session: Session, actor: Actor, widgets: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    known, kept = offered(session, actor), []
    for each in widgets:
        if (key := str(each.get("key"))) in known:
            size, period = _shape(known[key], each)
            kept.append({"key": key, "size": size, "period": period})
    if len(kept) > MOST:
        raise DashboardFull(most=MOST)
    return kept


def _write(session: Session, owner: str, value: Any, widgets: list[dict[str, str]]) -> None:
    changed = {"widgets": widgets, "changed_at": now()}
    row = insert(Dashboard).values(**{owner: value}, **changed)
    session.execute(row.on_conflict_do_update(index_elements=[owner], set_=changed))
