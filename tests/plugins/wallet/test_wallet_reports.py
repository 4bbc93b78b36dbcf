"""The reports of the wallet say what the transfers that were made add up to."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import frozen
from core.reports.period import Period
from core.reports.run import run
from guildhall import Actor
from plugins.wallet import reports, service

from .conftest import new_wallet

BEGINS = datetime(2026, 1, 1, 12, tzinfo=UTC)
PERIOD = Period(date(2026, 1, 5), date(2026, 1, 25))


@pytest.fixture
def history(session: Session, system: Actor) -> list[tuple[date, str, int]]:
    """Sixty transfers of a month as (day, what, units)."""
    chance = random.Random(3)
    made = []
    with frozen(BEGINS - timedelta(days=30)):
        ada, grace = new_wallet(session), new_wallet(session)
        fund = service.house_account(session, asset="POINTS", purpose="rewards")
        shop = service.open_account(session, asset="POINTS", purpose="shop")
        service.issue(session, system, destination=fund, amount=5000, reason="before")
    for number in range(60):
        at = BEGINS + timedelta(hours=12 * number)
        what, units = chance.choice(["fund", "reward", "spend", "gift"]), chance.randrange(1, 40)
        with frozen(at):
            if what == "fund":
                service.issue(session, system, destination=fund, amount=units, reason="fund")
            else:
                source, destination = {"reward": (fund, ada), "spend": (ada, shop), "gift": (ada, grace)}[what]
                if what != "reward":
                    service.issue(session, system, destination=ada, amount=units, reason="enough")
                    made.append((at.date(), "given", units))
                service.transfer(
                    session, system, source=source, destination=destination, amount=units, kind=what, reason=what
                )
        made.append((at.date(), what, units))
    return made


def total(history: list[tuple[date, str, int]], day: date, *kinds: str) -> Decimal:
    return Decimal(sum(units for at, what, units in history if at == day and what in kinds))


def test_issued_and_spent(session: Session, system: Actor, history: list[tuple[date, str, int]]) -> None:
    told = run(session, system, "wallet.issued_and_spent", PERIOD, {"asset": "POINTS"})
    assert list(told.rows) == [
        (
            day,
            total(history, day, "fund", "given"),
            total(history, day, "reward", "given"),
            total(history, day, "spend"),
        )
        for day in PERIOD.steps
    ]
    assert told.totals["spent"] == sum(row[3] for row in told.rows) > 0


def test_reward_fund(session: Session, system: Actor, history: list[tuple[date, str, int]]) -> None:
    told = run(session, system, "wallet.reward_fund", PERIOD, {"asset": "POINTS"})
    balance, expected = Decimal(5000), []
    for number in range((PERIOD.last - BEGINS.date()).days + 1):
        day = BEGINS.date() + timedelta(days=number)
        came, paid = total(history, day, "fund"), total(history, day, "reward")
        balance += came - paid
        if day >= PERIOD.first:
            expected.append((day, came, paid, balance))
    assert list(told.rows) == expected


def test_a_period_is_read_from_an_index_that_is_small(session: Session) -> None:
    session.execute(text("SET LOCAL enable_seqscan = off"))
    span = {"since": BEGINS, "until": BEGINS + timedelta(days=30), "asset": "POINTS", "step": "day", "zone": "UTC"}
    period = "SELECT amount FROM wallet_entry WHERE recorded_at >= :since AND recorded_at < :until"
    told = "\n".join(session.scalars(text(f"EXPLAIN {period}"), span))
    assert "ix_wallet_entry_recorded_at" in told
    opening = "\n".join(session.scalars(text(f"EXPLAIN {reports._OPENING.text}"), span))
    assert "pk_wallet_entry" in opening and "wallet_entries_until" in opening
