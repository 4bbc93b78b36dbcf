"""Adjustments: an admin proposes one with a reason, and another person decides it in the review inbox."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from guildhall import Actor, Review, audit, new_id, publish, reviews

from .. import errors, queries
from .accounts import house_account, require_reason
from .transfers import post, require_amount

KIND = "wallet.adjustment"


def propose_adjustment(session: Session, actor: Actor, *, account_id: UUID, amount: int, reason: str) -> UUID:
    """Ask a second person to add ``amount`` smallest units to an account, or to take them (below zero).

    Returns the case of the review inbox. Nothing moves before it is approved. Raises ReasonRefused, UnknownAccount,
    AmountNotPositive (zero), WalletClosed.
    """
    require_reason(reason)
    if amount == 0:
        raise errors.AmountNotPositive(amount=0)
    require_amount(abs(amount))
    found = queries.account(session, account_id)
    if found.state == "closed":
        raise errors.WalletClosed(needed=queries.shown(session, abs(amount), found.asset))
    subject = new_id()
    case = reviews.open_review(
        session,
        actor,
        KIND,
        subject_id=subject,
        title=f"{'+' if amount > 0 else ''}{queries.shown(session, amount, found.asset)}",
        member_id=found.member_id,
        params={"account_id": str(account_id), "amount": str(amount), "asset": found.asset, "reason": reason},
    )
    audit(
        session,
        actor,
        "wallet.adjustment.proposed",
        subject_type="wallet.account",
        subject_id=account_id,
        changes={"amount": [None, str(amount)], "review": [None, str(case)]},
        reason=reason,
    )
    return case


def decide_adjustment(session: Session, actor: Actor, review: Review, approved: bool) -> None:
    """Carry out what was approved: units come from issuance, or go back to it, once for each case."""
    if not approved:
        return
    account, amount = UUID(review.params["account_id"]), int(review.params["amount"])
    reference = f"adjustment:{review.subject_id}"
    issuance = house_account(session, asset=review.params["asset"], purpose="issuance", reference=reference)
    source, destination = (issuance, account) if amount > 0 else (account, issuance)
    _receipt, events = post(
        session,
        actor,
        source=source,
        destination=destination,
        amount=abs(amount),
        kind="adjustment",
        reason=review.params["reason"],
        reference=reference,
    )
    publish(session, actor, *events)
