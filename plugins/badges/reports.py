"""What badges report: which were earned, and how rare each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import Chart, Period, Report, ReportColumn, _

_RARITY = text("""
    SELECT b.id, b.name, count(a.id) FILTER (WHERE a.awarded_at >= :since) AS earned, count(a.id) AS holders,
        (SELECT count(*) FROM core_member WHERE status = 'active') AS members
    FROM badges_badge b LEFT JOIN badges_award a
        ON a.badge_id = b.id AND a.awarded_at < :until AND (a.revoked_at IS NULL OR a.revoked_at >= :until)
    WHERE b.enabled GROUP BY b.id ORDER BY holders, b.name
""")


def by_rarity(session: Session, period: Period, _parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """Badges that can be earned, the rarest first: earned in the period, held at its end, by how many of 100 members
    that are active now."""
    return [
        (badge, name, earned, holders, (Decimal(holders * 100) / (members or 1)).quantize(Decimal("0.1")))
        for badge, name, earned, holders, members in session.execute(_RARITY, period.values)
    ]


REPORTS = [
    Report(
        name="by_rarity",
        label=_("Badges by rarity"),
        permission="badges:award:list",
        help=_("How many members earned each badge in the period, and how many hold it at its end."),
        load=by_rarity,
        columns=[
            ReportColumn(name="badge", label=_("Badge"), hidden=True),
            ReportColumn(name="name", label=_("Badge")),
            ReportColumn(
                name="earned",
                label=_("Earned"),
                kind="integer",
                total=True,
                link="/admin/badges/award/list/?_flt_0_badge_id={badge}"
                "&_flt_0_awarded_at={since}&_flt_1_awarded_at={until}",
            ),
            ReportColumn(name="holders", label=_("Holders"), kind="integer", total=True),
            ReportColumn(name="share", label=_("Of 100 members"), kind="decimal"),
        ],
        chart=Chart(kind="hbar", x="name", series=["holders", "earned"]),
        order=10,
    ),
]
