"""What /metrics says of the ledger."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.actor import Actor
from core.members.service import register
from plugins.wallet import figures
from plugins.wallet.service import issue, open_account


def test_they_follow_the_ledger(session: Session, system: Actor) -> None:
    before = figures.accounts(session)
    moved = sum(figures.volume(session).values())
    member = register(session, system, email="a@example.org", password="correct horse battery", display_name="A")
    account = open_account(session, asset="POINTS", member_id=member.id)
    issue(session, system, destination=account, amount=250, reason="test")
    assert sum(figures.accounts(session).values()) > sum(before.values())
    assert sum(figures.volume(session).values()) == moved + 250
    assert {asset for asset, _kind in figures.transfers(session)} >= {"POINTS"}


def test_the_alert_of_a_short_fund_has_something_to_look_at(session: Session) -> None:
    assert figures.rewards_waiting(session)["POINTS", "FUND_SHORT"] == 0
