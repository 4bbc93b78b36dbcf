"""The core's own reports: new members, deliveries and decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.i18n import _
from core.reports.period import Period
from core.reports.report import Chart, Report, ReportColumn

_JOINED = text("""
    SELECT CAST(date_trunc(:step, joined_at AT TIME ZONE :zone) AS date) AS step, count(*) AS joined,
        count(*) FILTER (WHERE status = 'active') AS active
    FROM core_member WHERE joined_at >= :since AND joined_at < :until GROUP BY 1
""")
# How far back it can tell is how long finished deliveries are kept (``delivery_days``).
_DELIVERED = text("""
    SELECT subscriber, count(*) AS all, count(*) FILTER (WHERE state = 'done') AS done,
        count(*) FILTER (WHERE state = 'dead') AS dead, count(*) FILTER (WHERE attempts > 1) AS again
    FROM core_delivery WHERE (state = 'done' AND done_at >= :since AND done_at < :until)
        OR (state = 'dead' AND failed_at >= :since AND failed_at < :until)
    GROUP BY subscriber ORDER BY 2 DESC, 1
""")
_DECIDED = text("""
    SELECT kind, count(*) AS decided, count(*) FILTER (WHERE state = 'approved') AS approved,
        count(*) FILTER (WHERE state = 'rejected') AS rejected, count(*) FILTER (WHERE decided_at > due_at) AS late,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - opened_at)) / 3600 AS median,
        max(extract(epoch FROM decided_at - opened_at)) / 3600 AS longest
    FROM core_review WHERE state IN ('approved', 'rejected') AND decided_at >= :since AND decided_at < :until
    GROUP BY kind ORDER BY 2 DESC, 1
""")


def joined(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Members by the step they joined in, and how many of them are active now."""
    return period.filled(session.execute(_JOINED, period.values), 2)


def delivered(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Deliveries that ended in the period, by subscriber."""
    return list(session.execute(_DELIVERED, period.values).tuples())


def decided(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Cases that were decided in the period, by kind, and how many hours that took."""
    kinds = session.info["registry"].reviews
    rows = session.execute(_DECIDED, period.values).tuples()
    return [
        (kind, kinds[kind].label if kind in kinds else kind, *counts, _hours(median), _hours(longest))
        for kind, *counts, median, longest in rows
    ]


def _hours(told: Any) -> Decimal:
    return Decimal(told).quantize(Decimal("0.1"))


REPORTS = [
    Report(
        name="new_members",
        label=_("New members"),
        permission="core:member:list",
        help=_("Who joined, by the day, week or month."),
        load=joined,
        over_time=True,
        columns=[
            ReportColumn(name="step", label=_("From"), kind="date"),
            ReportColumn(
                name="joined",
                label=_("Joined"),
                kind="integer",
                total=True,
                link="/admin/core/member/list/?_flt_0_joined_at={since}&_flt_1_joined_at={until}",
            ),
            ReportColumn(name="active", label=_("Active now"), kind="integer", total=True),
        ],
        chart=Chart(kind="bar", x="step", series=["joined"]),
        order=10,
    ),
    Report(
        name="reviews_decided",
        label=_("Reviews decided"),
        permission="core:review:list",
        help=_("Cases that were approved or rejected, and how long that took."),
        load=decided,
        columns=[
            ReportColumn(name="key", label=_("Key"), hidden=True),
            ReportColumn(name="kind", label=_("Kind"), marked=True),
            ReportColumn(
                name="decided",
                label=_("Decided"),
                kind="integer",
                total=True,
                link="/admin/reviews?view=decided&kind={key}",
            ),
            ReportColumn(name="approved", label=_("Approved"), kind="integer", total=True),
            ReportColumn(name="rejected", label=_("Rejected"), kind="integer", total=True),
            ReportColumn(name="late", label=_("Too late"), kind="integer", total=True, good="down"),
            ReportColumn(name="median", label=_("Median (hours)"), kind="decimal", good="down"),
            ReportColumn(name="longest", label=_("Longest (hours)"), kind="decimal", good="down"),
        ],
        chart=Chart(kind="bar", x="kind", series=["approved", "rejected"], stacked=True),
        order=20,
    ),
    Report(
        name="deliveries",
        label=_("Deliveries and failures"),
        permission="core:event:list",
        help=_("What subscribers were brought, as far back as finished deliveries are kept."),
        load=delivered,
        columns=[
            ReportColumn(name="subscriber", label=_("Subscriber")),
            ReportColumn(name="ended", label=_("Ended"), kind="integer", total=True),
            ReportColumn(name="done", label=_("Done"), kind="integer", total=True),
            ReportColumn(
                name="dead",
                label=_("Dead"),
                kind="integer",
                total=True,
                link="/admin/events/dead?subscriber={subscriber}",
                good="down",
            ),
            ReportColumn(name="again", label=_("Tried again"), kind="integer", total=True, good="down"),
        ],
        chart=Chart(kind="hbar", x="subscriber", series=["done", "dead"], stacked=True),
        order=90,
    ),
]
