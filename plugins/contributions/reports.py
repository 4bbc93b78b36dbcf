"""What contributions report: what was done, by whom anew and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import Chart, Period, Report, ReportColumn, _, now

LATER_LABELS = (
    _("1 month later"),
    _("2 months later"),
    _("3 months later"),
    _("4 months later"),
    _("5 months later"),
    _("6 months later"),
)
LATER = len(LATER_LABELS)  # months that a cohort is followed

_BY_TYPE = text("""
    SELECT c.type, t.label, count(*) AS count, count(DISTINCT c.member_id) AS members,
        sum(c.points + c.correction) AS points
    FROM contributions_contribution c JOIN contributions_type t ON t.code = c.type
    WHERE c.state = 'counted' AND c.occurred_at >= :since AND c.occurred_at < :until
    GROUP BY c.type, t.label ORDER BY 3 DESC, 1
""")
_ACTIVE = text("""
    SELECT CAST(mine.step AS date) AS step, count(*) AS active,
        count(*) FILTER (WHERE p.first_at >= mine.step AT TIME ZONE :zone) AS fresh, sum(mine.number) AS count
    FROM (
        SELECT date_trunc(:step, occurred_at AT TIME ZONE :zone) AS step, member_id, count(*) AS number
        FROM contributions_contribution
        WHERE state = 'counted' AND occurred_at >= :since AND occurred_at < :until GROUP BY 1, 2
    ) mine JOIN contributions_progress p USING (member_id) GROUP BY mine.step
""")
_RETENTION = text("""
    SELECT b.month, count(*) AS members,
        CAST((extract(year FROM p.month) - extract(year FROM b.month)) * 12
            + extract(month FROM p.month) - extract(month FROM b.month) AS int) AS later
    FROM (
        SELECT member_id, CAST(date_trunc('month', first_at AT TIME ZONE 'UTC') AS date) AS month
        FROM contributions_progress WHERE first_at >= :first AND first_at < :until
    ) b JOIN contributions_month_progress p ON p.member_id = b.member_id AND p.count > 0
    GROUP BY b.month, later ORDER BY b.month, later
""")
_LIST = (
    "/admin/contributions/contribution/list/?_flt_0_state=counted&_flt_0_occurred_at={since}&_flt_1_occurred_at={until}"
)


def by_type(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """What counts of each type, and what it is worth after corrections."""
    rows = session.execute(_BY_TYPE, period.values)
    return [(code, label, count, members, int(points)) for code, label, count, members, points in rows]


def active_members(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Members who contributed in each step; fresh ones had never before it."""
    return period.filled(session.execute(_ACTIVE, period.values), 3)


def retention(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Of those whose first month (UTC) lies in the period: how many contributed again so many months later.

    Months that have not come yet are empty.
    """
    cohorts: dict[date, list[int]] = {}
    present = _month(now().date())
    after = period.last.replace(day=1) + timedelta(days=31)
    bounds = {"first": _began(period.first), "until": _began(after)}
    for month, members, later in session.execute(_RETENTION, bounds):
        cohort = cohorts.setdefault(month, [0] * (LATER + 1))
        if later <= LATER:
            cohort[later] = members
    return [
        (month, *(count if _month(month) + later <= present else None for later, count in enumerate(counts)))
        for month, counts in cohorts.items()
    ]


def _began(day: date) -> datetime:
    """When the month (UTC) of a day began."""
    return datetime(day.year, day.month, 1, tzinfo=UTC)


def _month(day: date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month


REPORTS = [
    Report(
        name="by_type",
        label=_("Contributions by type"),
        permission="contributions:contribution:list",
        help=_("What members did that counts, and the points it is worth."),
        load=by_type,
        columns=[
            ReportColumn(name="type", label=_("Type"), hidden=True),
            ReportColumn(name="label", label=_("Type")),
            ReportColumn(
                name="count",
                label=_("Contributions"),
                kind="integer",
                total=True,
                link=_LIST + "&_flt_1_type={type}",
            ),
            ReportColumn(name="members", label=_("Members"), kind="integer"),
            ReportColumn(name="points", label=_("Points"), kind="integer", total=True),
        ],
        chart=Chart(kind="hbar", x="label", series=["count"]),
        order=10,
    ),
    Report(
        name="active_members",
        label=_("Active members"),
        permission="contributions:contribution:list",
        help=_("Members who contributed, and those among them who did for the first time."),
        load=active_members,
        over_time=True,
        columns=[
            ReportColumn(name="step", label=_("From"), kind="date"),
            ReportColumn(name="active", label=_("Active members"), kind="integer"),
            ReportColumn(name="fresh", label=_("For the first time"), kind="integer", total=True),
            ReportColumn(name="count", label=_("Contributions"), kind="integer", total=True, link=_LIST),
        ],
        chart=Chart(kind="line", x="step", series=["active", "fresh"]),
        order=20,
    ),
    Report(
        name="retention",
        label=_("Retention"),
        permission="contributions:analytics:show",
        help=_("Of those who began in a month (UTC): how many contributed in each later one."),
        load=retention,
        columns=[
            ReportColumn(name="month", label=_("First month"), kind="date"),
            ReportColumn(name="began", label=_("Began"), kind="integer", total=True),
            *(
                ReportColumn(name=f"later_{later}", label=label, kind="integer")
                for later, label in enumerate(LATER_LABELS, 1)
            ),
        ],
        chart=Chart(kind="line", x="month", series=["began", "later_1", "later_3", "later_6"]),
        order=30,
    ),
]
