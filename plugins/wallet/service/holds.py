"""Holds: a part of a balance is reserved, then captured once, wholly or in part, or released, or it expires.

No money moves before the capture. A hold is expired from its moment on: the funds check and the capture look at the
clock, and the sweeper only tidies up.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, new_id, now, publish

from .. import errors
from ..events import HoldClosed, HoldOpened
from ..models import Account, Hold
from ..queries import shown
from .accounts import LONGEST_REASON, lock_accounts
from .transfers import Receipt, name_of, post, require_amount

LONGEST = timedelta(days=366)
AT_ONCE = 500

_OPEN = text("""
    SELECT * FROM wallet_hold_open(
        :id, :account, CAST(:amount AS numeric), CAST(:asset AS text), :reason, CAST(:reference AS text), :actor,
        :correlation_id, :expires_at, :at)
""")
_RELEASE = text("SELECT * FROM wallet_hold_release(:hold, :at)")
_EXPIRED = text("""
    SELECT DISTINCT account_id FROM wallet_hold WHERE state = 'open' AND expires_at <= :at LIMIT :most
""")
_SWEEP = text("SELECT wallet_expire(:account, :at)")


def hold(
    session: Session,
    actor: Actor,
    *,
    account: UUID,
    amount: int,
    lasts: timedelta,
    asset: str | None = None,
    reason: str = "",
    reference: str | None = None,
) -> Hold:
    """Reserve ``amount`` smallest units of an account for ``lasts``; it counts to the day's limit at once.

    The same ``reference`` again returns the first hold. Raises AmountNotPositive, ExpiryRefused, ReasonRefused,
    UnknownAccount, AssetMismatch, InsufficientFunds, LimitExceeded, WalletFrozen, WalletClosed, ReferenceTaken.
    """
    require_amount(amount)
    if not timedelta(seconds=1) <= lasts <= LONGEST:
        raise errors.ExpiryRefused()
    if len(reason) > LONGEST_REASON or "\0" in reason:
        raise errors.ReasonRefused()
    at = now()
    values = {
        "id": new_id(),
        "account": account,
        "amount": amount,
        "asset": asset,
        "reason": reason,
        "reference": reference,
        "actor": name_of(actor),
        "correlation_id": actor.correlation_id,
        "expires_at": at + lasts,
        "at": at,
    }
    row = session.execute(_OPEN, values).mappings().one()
    outcome = row["outcome"]
    if outcome == "open":
        opened = HoldOpened(
            hold_id=row["hold"], account_id=account, member_id=row["member"], asset=row["asset"], amount=amount
        )
        publish(session, actor, opened)
    elif outcome != "replayed":
        raise _refusal(session, row["asset"], outcome, amount, row["available"], asset, reference)
    return get(session, row["hold"])


def capture(
    session: Session,
    actor: Actor,
    *,
    hold_id: UUID,
    destination: UUID,
    amount: int | None = None,
    kind: str = "capture",
    reason: str = "",
    reference: str | None = None,
) -> Receipt:
    """Move a hold's amount, or a part of it, to ``destination``; the rest is free again. Once.

    Raises UnknownHold, HoldExpired, HoldResolved, HoldShort (more than it reserves), and as ``transfer`` does.
    """
    found = get(session, hold_id)
    taken = found.amount if amount is None else amount
    receipt, events = post(
        session,
        actor,
        source=found.account_id,
        destination=destination,
        amount=taken,
        kind=kind,
        reason=reason or found.reason,
        reference=reference,
        hold=hold_id,
    )
    if not receipt.replayed:
        owner = session.scalar(select(Account.member_id).where(Account.id == found.account_id))
        closed = HoldClosed(
            hold_id=hold_id,
            account_id=found.account_id,
            member_id=owner,
            asset=receipt.asset,
            state="captured",
            captured=taken,
        )
        publish(session, actor, *events, closed)
    return receipt


def release(session: Session, actor: Actor, *, hold_id: UUID) -> Hold:
    """Give a hold up: all of it is free again. Releasing it twice is as once.

    Raises UnknownHold, HoldExpired, HoldResolved (it was captured).
    """
    row = session.execute(_RELEASE, {"hold": hold_id, "at": now()}).mappings().one()
    match row["outcome"]:
        case "released":
            closed = HoldClosed(
                hold_id=hold_id,
                account_id=row["account"],
                member_id=row["member"],
                asset=row["asset"],
                state="released",
                captured=0,
            )
            publish(session, actor, closed)
        case "missing":
            raise errors.UnknownHold()
        case "hold_expired":
            raise errors.HoldExpired()
        case "hold_resolved":
            raise errors.HoldResolved(state="captured")
    return get(session, hold_id)


def sweep(session: Session, actor: Actor, *, most: int = AT_ONCE) -> int:
    """Close the expired holds of up to ``most`` accounts; returns how many accounts had some."""
    at = now()
    accounts = sorted(session.scalars(_EXPIRED, {"at": at, "most": most}))
    lock_accounts(session, accounts)
    for account in accounts:
        session.execute(_SWEEP, {"account": account, "at": at})
    gone = select(Hold.id, Hold.account_id, Hold.amount, Account.member_id, Account.asset).join(
        Account, Account.id == Hold.account_id
    )
    closed = [
        HoldClosed(
            hold_id=row.id,
            account_id=row.account_id,
            member_id=row.member_id,
            asset=row.asset,
            state="expired",
            captured=0,
        )
        for row in session.execute(
            gone.where(Hold.account_id.in_(accounts), Hold.state == "expired", Hold.resolved_at == at).order_by(Hold.id)
        )
    ]
    publish(session, actor, *closed)
    return len(accounts)


def get(session: Session, hold_id: UUID) -> Hold:
    """A hold as it is now. Raises UnknownHold."""
    found = session.get(Hold, hold_id, populate_existing=True)
    if found is None:
        raise errors.UnknownHold()
    return found


def _refusal(
    session: Session,
    held: str | None,
    outcome: str,
    amount: int,
    available: int | None,
    asset: str | None,
    reference: str | None,
) -> DomainError:
    if held is None:
        return errors.UnknownAccount()
    needed = shown(session, amount, held)
    match outcome:
        case "asset_mismatch":
            return errors.AssetMismatch(asset=asset, source=held, destination=held)
        case "closed":
            return errors.WalletClosed(needed=needed)
        case "frozen":
            return errors.WalletFrozen(needed=needed)
        case "limit":
            return errors.LimitExceeded(available=shown(session, int(available or 0), held), needed=needed)
        case "insufficient":
            return errors.InsufficientFunds(available=shown(session, int(available or 0), held), needed=needed)
    return errors.ReferenceTaken(reference=reference)
