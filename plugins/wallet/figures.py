"""Figures for those who watch, read from the ledger's tables when ``/metrics`` is asked."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import Gauge

_ACCOUNTS = text("SELECT asset, state, count(*) FROM wallet_account WHERE member_id IS NOT NULL GROUP BY asset, state")
# Keys are UUIDv7, so that the last hour is the end of the primary key's index.
_HOUR = """
    FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id AND e.amount > 0
        JOIN wallet_account a ON a.id = e.account_id
    WHERE t.id >= uuidv7(interval '-1 hour') GROUP BY a.asset, t.kind
"""
_VOLUME = text(f"SELECT a.asset, t.kind, sum(e.amount) {_HOUR}")
_TRANSFERS = text(f"SELECT a.asset, t.kind, count(DISTINCT t.id) {_HOUR}")
_WAITING = text("SELECT asset, why, count(*) FROM wallet_reward WHERE state = 'pending' GROUP BY asset, why")


def accounts(session: Session) -> Mapping[tuple[str, ...], float]:
    return {(asset, state): count for asset, state, count in session.execute(_ACCOUNTS)}


def volume(session: Session) -> Mapping[tuple[str, ...], float]:
    return {(asset, kind): float(units) for asset, kind, units in session.execute(_VOLUME)}


def transfers(session: Session) -> Mapping[tuple[str, ...], float]:
    return {(asset, kind): count for asset, kind, count in session.execute(_TRANSFERS)}


def rewards_waiting(session: Session) -> Mapping[tuple[str, ...], float]:
    """Zero for the reason that an operator waits for, so that its alert has something to look at."""
    assets = session.scalars(text("SELECT code FROM wallet_asset"))
    found: dict[tuple[str, ...], float] = {(asset, "FUND_SHORT"): 0 for asset in assets}
    return found | {(asset, why): count for asset, why, count in session.execute(_WAITING)}


GAUGES = [
    Gauge(
        name="guildhall_wallet_accounts",
        help="Wallets of members that were opened, by state.",
        read=accounts,
        labels=("asset", "state"),
    ),
    Gauge(
        name="guildhall_wallet_hour_units",
        help="What moved in the last hour, in the asset's smallest unit.",
        read=volume,
        labels=("asset", "kind"),
    ),
    Gauge(
        name="guildhall_wallet_hour_transfers",
        help="Transfers of the last hour.",
        read=transfers,
        labels=("asset", "kind"),
    ),
    Gauge(
        name="guildhall_wallet_rewards_waiting",
        help="Rewards that wait, by what they wait for.",
        read=rewards_waiting,
        labels=("asset", "why"),
    ),
]
