"""A fund that is short: one case of the review inbox for each asset asks to fill it, until it is filled.

Order of locks: the case, then accounts. Whoever finds the fund short has its account, so ``ask`` takes no lock of a
case that stands.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, Review, reviews

from .. import queries
from ..models import Reward
from .accounts import lock_accounts, open_account

KIND = "wallet.fund"
FUND_SHORT = "FUND_SHORT"


def ask(session: Session, actor: Actor, asset: str) -> None:
    """Ask somebody to fill the fund of ``asset``; nothing happens while such a case is open."""
    fund = queries.reward_fund(session, asset)
    reviews.open_review(session, actor, KIND, subject_id=asset, title=queries.shown(session, fund.short, asset))


def lock_case(session: Session, asset: str) -> bool:
    """Lock the open case of an asset, before any account; False if there is none."""
    open_case = select(Review.id).where(Review.kind == KIND, Review.subject_id == asset, Review.state == "open")
    return session.scalar(open_case.with_for_update()) is not None


def withdraw_if_filled(session: Session, actor: Actor, asset: str) -> bool:
    """Withdraw the case of an asset unless a reward still waits for its fund; whoever calls has locked the case."""
    lock_accounts(session, [open_account(session, asset=asset, purpose="rewards")])
    short = select(Reward.id).where(Reward.asset == asset, Reward.state == "pending", Reward.why == FUND_SHORT).limit(1)
    if session.scalar(short) is not None:
        return False
    return reviews.withdraw_review(session, actor, KIND, subject_id=asset, reason="The fund was filled.")


def assets_asked(session: Session) -> list[str]:
    """Assets with an open case."""
    query = select(Review.subject_id).where(Review.kind == KIND, Review.state == "open")
    return sorted(session.scalars(query))
