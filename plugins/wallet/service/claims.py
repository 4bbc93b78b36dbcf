"""What becomes of the wallets of a member whose history was claimed by another."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guildhall import Actor, locks

from ..models import Account, Reward
from .accounts import lock_accounts, open_accounts, set_state
from .many import MOST_TRANSFERS, Leg, Move, post_many
from .transfers import BIGGEST

REASON = "The history went to its owner."


def take_over(session: Session, actor: Actor, *, claim_id: UUID, old: UUID, new: UUID, twice: Collection[UUID]) -> int:
    """Move what the wallets of ``old`` hold to those of ``new`` and close them; returns how many were closed.

    What ``old`` was paid of the rewards ``twice``, which ``new`` had for the same, goes back to the fund, as far as it
    is there. Each wallet's transfer has the claim as reference, so a second call finds nothing. A wallet with open
    holds, or below zero, stays open with them. Raises WalletFrozen (of ``old``) and WalletClosed (of ``new``): then
    nothing has moved, and the delivery may be repeated once an admin has decided.
    """
    locks.members(session, [old, new])
    mine = select(Account).where(Account.member_id == old, Account.state != "closed").order_by(Account.id)
    accounts = session.scalars(mine.limit(MOST_TRANSFERS)).all()
    keys = {account.id: (account.asset, account.purpose, new) for account in accounts}
    paid = select(Reward.asset, func.sum(Reward.amount)).where(Reward.id.in_(list(twice)), Reward.member_id == old)
    doubled = dict(session.execute(paid.where(Reward.state == "paid").group_by(Reward.asset)).tuples().all())
    opened = open_accounts(session, [*keys.values(), *((asset, "rewards", None) for asset in doubled)])
    lock_accounts(session, [*keys, *opened.values()])
    moves = []
    for account in session.scalars(mine, execution_options={"populate_existing": True}).all():
        free = int(account.posted - account.held)
        if free <= 0 or account.id not in keys:
            continue
        back = min(free, int(doubled.pop(account.asset, 0))) if account.purpose == "member" else 0
        parts = ((opened[keys[account.id]], free - back), (opened.get((account.asset, "rewards", None)), back))
        legs = [Leg(account.id, -free), *(Leg(to, amount) for to, amount in parts if to and amount)]
        reference = f"claim:{claim_id}:{account.id}"
        moves.append(Move(legs=legs, kind="claim", reason=REASON, reference=reference))
        account.daily_limit = BIGGEST - 1  # a limit of what leaves it must not keep it from leaving for good
    session.flush()
    if moves:
        post_many(session, actor, moves)
    left = session.scalars(mine, execution_options={"populate_existing": True}).all()
    empty = [account.id for account in left if account.id in keys and not account.posted and not account.held]
    for account_id in empty:
        set_state(session, actor, account_id=account_id, state="closed", reason=REASON)
    return len(empty)
