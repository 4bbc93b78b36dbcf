"""What the wallet reports: what was issued, earned and spent, and how the reward fund stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import Chart, Parameter, Period, Report, ReportColumn, _

# What a transfer brought to members as a whole: from one to another it is nothing.
_FLOW = text("""
    SELECT CAST(date_trunc(:step, at AT TIME ZONE :zone) AS date) AS step, sum(issued) AS issued,
        sum(greatest(net, 0)) AS earned, sum(greatest(-net, 0)) AS spent
    FROM (
        SELECT min(e.recorded_at) AS at,
            coalesce(-sum(e.amount) FILTER (WHERE a.purpose = 'issuance' AND a.member_id IS NULL), 0) AS issued,
            coalesce(sum(e.amount) FILTER (WHERE a.member_id IS NOT NULL), 0) AS net
        FROM wallet_entry e JOIN wallet_account a ON a.id = e.account_id
        WHERE a.asset = :asset AND e.recorded_at >= :since AND e.recorded_at < :until GROUP BY e.transfer_id
    ) transfers GROUP BY 1
""")
_FUND = text("""
    SELECT CAST(date_trunc(:step, e.recorded_at AT TIME ZONE :zone) AS date) AS step,
        sum(greatest(e.amount, 0)) AS came, sum(greatest(-e.amount, 0)) AS paid
    FROM wallet_entry e JOIN wallet_account a ON a.id = e.account_id
    WHERE a.asset = :asset AND a.purpose = 'rewards' AND a.member_id IS NULL
        AND e.recorded_at >= :since AND e.recorded_at < :until GROUP BY 1
""")
_OPENING = text("""
    SELECT coalesce(sum(e.balance_after), 0) FROM wallet_account a
    JOIN wallet_entry e ON e.account_id = a.id AND e.version = wallet_entries_until(a.id, :since, false)
    WHERE a.asset = :asset AND a.purpose = 'rewards' AND a.member_id IS NULL
""")
_ASSETS = text("SELECT code, name FROM wallet_asset ORDER BY kind <> 'point', code")
_SCALE = text("SELECT scale FROM wallet_asset WHERE code = :asset")


def assets(session: Session) -> Sequence[tuple[str, str]]:
    """Every asset, points first."""
    return [(code, name) for code, name in session.execute(_ASSETS)]


def flow(session: Session, period: Period, parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """By step: net issuance, what members received from the house, and what they gave back to it."""
    scale = _scale(session, parameters)
    rows = period.filled(session.execute(_FLOW, {**period.values, **parameters}), 3)
    return [(step, *(_shown(units, scale) for units in row)) for step, *row in rows]


def fund(session: Session, period: Period, parameters: Mapping[str, str]) -> Sequence[Sequence[Any]]:
    """By step: what came into the reward fund, what it paid, and what was in it at the end."""
    scale = _scale(session, parameters)
    balance = int(session.scalar(_OPENING, {**period.values, **parameters}) or 0)
    made = []
    for step, came, paid in period.filled(session.execute(_FUND, {**period.values, **parameters}), 2):
        balance += int(came) - int(paid)
        made.append((step, _shown(came, scale), _shown(paid, scale), _shown(balance, scale)))
    return made


def _scale(session: Session, parameters: Mapping[str, str]) -> int:
    return int(session.scalar(_SCALE, dict(parameters)) or 0)


def _shown(units: int | Decimal, scale: int) -> Decimal:
    return Decimal(int(units)).scaleb(-scale)


ASSET = Parameter(name="asset", label=_("Asset"), choices=assets)
STEP = ReportColumn(name="step", label=_("From"), kind="date")
_TRANSFERS = "/admin/wallet/transfer/list/?_flt_0_recorded_at={since}&_flt_1_recorded_at={until}"

REPORTS = [
    Report(
        name="issued_and_spent",
        label=_("Points issued and spent"),
        permission="wallet:transfer:list",
        help=_("What the house issued, what members received from it, and what they gave back."),
        load=flow,
        over_time=True,
        parameters=[ASSET],
        columns=[
            STEP,
            ReportColumn(name="issued", label=_("Issued"), kind="decimal", total=True, link=_TRANSFERS),
            ReportColumn(name="earned", label=_("Received by members"), kind="decimal", total=True, link=_TRANSFERS),
            ReportColumn(name="spent", label=_("Spent by members"), kind="decimal", total=True, link=_TRANSFERS),
        ],
        chart=Chart(kind="line", x="step", series=["earned", "spent"]),
        order=10,
    ),
    Report(
        name="reward_fund",
        label=_("Reward fund"),
        permission="wallet:account:list",
        help=_("What came into the fund that rewards are paid from, what left it, and what is in it."),
        load=fund,
        over_time=True,
        parameters=[ASSET],
        columns=[
            STEP,
            ReportColumn(name="came", label=_("Came in"), kind="decimal", total=True, link=_TRANSFERS),
            ReportColumn(name="paid", label=_("Paid out"), kind="decimal", total=True, good="down", link=_TRANSFERS),
            ReportColumn(name="balance", label=_("In it at the end"), kind="decimal"),
        ],
        chart=Chart(kind="line", x="step", series=["balance", "paid"]),
        order=20,
    ),
]
