"""Rewards: requested by other plugins, paid from a funded account, once each and the oldest first.

Order of locks: reward rows (new ones by reference, waiting ones skipped when somebody else has them), then accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, audit, enqueue, now, publish

from .. import errors
from ..events import RewardPaid, RewardPending
from ..models import Account, Asset, Reward
from .accounts import lock_accounts, open_account, open_accounts
from .transfers import Receipt, issue, post

AT_ONCE = 100
FUND_SHORT = "FUND_SHORT"
FUND_FROZEN = "FUND_FROZEN"
WALLET_CLOSED = errors.WalletClosed.code


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRequest:
    """Who is to get what, and why. ``reference`` is unique for all time; ``amount`` in the smallest unit."""

    reward_id: UUID
    member_id: UUID
    amount: int
    asset: str
    reason: str
    reference: str
    contribution_id: UUID | None
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Funding:
    """A filled fund: the transfer that filled it, and how many waiting rewards it paid at once."""

    receipt: Receipt
    paid: int


def request_rewards(session: Session, actor: Actor, requests: Sequence[RewardRequest]) -> int:
    """Take in reward requests and pay what can be paid; returns how many were paid, older ones included.

    A reference that is known is passed over. What cannot be paid waits and is announced as pending, once.
    Raises UnknownAsset.
    """
    at = now()
    assets = {request.asset for request in requests}
    if unknown := assets - set(session.scalars(select(Asset.code).where(Asset.code.in_(assets)))):
        raise errors.UnknownAsset(asset=", ".join(sorted(unknown)))
    rows = [
        {
            "id": request.reward_id,
            "member_id": request.member_id,
            "amount": request.amount,
            "asset": request.asset,
            "reason": request.reason,
            "reference": request.reference,
            "contribution_id": request.contribution_id,
            "correlation_id": request.correlation_id,
            "requested_at": at,
        }
        for request in sorted(requests, key=lambda request: request.reference)
    ]
    statement = insert(Reward).values(rows).on_conflict_do_nothing().returning(Reward.id)
    fresh = set(session.scalars(statement))
    if not fresh:
        return 0
    paid = pay_pending(session, actor, assets=sorted(assets))
    waiting = select(Reward).where(Reward.id.in_(fresh), Reward.state == "pending").order_by(Reward.reference)
    for reward in session.scalars(waiting):
        if not reward.why:  # it stands behind more than were tried
            reward.why = FUND_SHORT
        pending = RewardPending(
            reward_id=reward.id,
            member_id=reward.member_id,
            amount=reward.amount,
            asset=reward.asset,
            contribution_id=reward.contribution_id,
            reason=reward.why,
        )
        publish(session, replace(actor, correlation_id=reward.correlation_id), pending)
    session.flush()
    return paid


def pay_pending(session: Session, actor: Actor, *, assets: Iterable[str], most: int = AT_ONCE) -> int:
    """Pay up to ``most`` waiting rewards of each asset, the oldest first, until its fund is short.

    Returns how many were paid. Safe beside others: a reward that somebody else is paying is passed over.
    """
    claimed = _claim(session, assets, most)
    return _pay(session, actor, claimed)


def fund_rewards(
    session: Session, actor: Actor, *, amount: int, asset: str, reason: str, reference: str | None = None
) -> Funding:
    """Issue ``amount`` into the reward fund of ``asset`` and pay what waited: a hundred at once, the rest by a job.

    Raises UnknownAsset, AmountNotPositive, ReasonRefused.
    """
    fund = open_account(session, asset=asset, purpose="rewards")
    issuance = open_account(session, asset=asset, purpose="issuance")
    claimed = _claim(session, [asset], AT_ONCE)
    accounts = _accounts(session, claimed)
    lock_accounts(session, [fund, issuance, *accounts.values()])
    receipt = issue(session, actor, destination=fund, amount=amount, reason=reason, reference=reference)
    if not receipt.replayed:
        audit(
            session,
            actor,
            "wallet.fund.created",
            subject_type="wallet.account",
            subject_id=fund,
            changes={"balance": [receipt.destination_balance - amount, receipt.destination_balance]},
            reason=reason,
        )
    paid = _pay(session, actor, claimed)
    if paid == AT_ONCE:  # more may wait
        enqueue(session, actor, "wallet.pay_pending")
    return Funding(receipt, paid)


def _claim(session: Session, assets: Iterable[str], most: int) -> list[Reward]:
    claimed: list[Reward] = []
    for asset in sorted(set(assets)):
        waiting = select(Reward).where(Reward.state == "pending", Reward.asset == asset, Reward.why != WALLET_CLOSED)
        oldest = waiting.order_by(Reward.requested_at, Reward.id).limit(most)
        claimed += session.scalars(
            oldest.with_for_update(skip_locked=True, of=Reward), execution_options={"populate_existing": True}
        )
    return claimed


def _accounts(session: Session, rewards: Sequence[Reward]) -> dict[tuple[str, str, UUID | None], UUID]:
    """The members' accounts and the funds of ``rewards``."""
    members = {(reward.asset, "member", reward.member_id) for reward in rewards}
    funds = {(reward.asset, "rewards", None) for reward in rewards}
    return open_accounts(session, [*members, *funds])


def _pay(session: Session, actor: Actor, rewards: Sequence[Reward]) -> int:
    accounts = _accounts(session, rewards)
    lock_accounts(session, accounts.values())
    stopped: dict[str, str] = {}  # why no more is paid in an asset
    paid = 0
    for reward in rewards:
        if reward.asset in stopped:
            reward.why = stopped[reward.asset]
            continue
        cause = replace(actor, correlation_id=reward.correlation_id)
        try:
            receipt, events = post(
                session,
                cause,
                source=accounts[reward.asset, "rewards", None],
                destination=accounts[reward.asset, "member", reward.member_id],
                amount=reward.amount,
                kind="reward",
                reason=reward.reason,
                reference=f"reward:{reward.id}",
                contribution_id=reward.contribution_id,
            )
        except errors.InsufficientFunds:
            reward.why = stopped[reward.asset] = FUND_SHORT
        except errors.WalletFrozen:
            reward.why = stopped[reward.asset] = FUND_FROZEN
        except errors.WalletClosed:
            reward.why = WALLET_CLOSED
        else:
            reward.state, reward.why = "paid", ""
            reward.transfer_id, reward.paid_at = receipt.id, receipt.recorded_at
            done = RewardPaid(
                reward_id=reward.id,
                member_id=reward.member_id,
                amount=reward.amount,
                asset=reward.asset,
                transfer_id=receipt.id,
                contribution_id=reward.contribution_id,
            )
            publish(session, cause, *events, done)
            paid += 1
    session.flush()
    return paid


def assets_waiting(session: Session) -> list[str]:
    """Assets with rewards that wait for their fund, where the fund holds anything."""
    funded = select(Account.asset).where(Account.purpose == "rewards", Account.posted > Account.held)
    query = select(Reward.asset).distinct().where(Reward.state == "pending", Reward.asset.in_(funded))
    return sorted(session.scalars(query))
