"""Rewards: requested by other plugins, paid from a funded account, once each and the oldest first.

Order of locks: the fund's case, reward rows (new ones by reference, waiting ones skipped when somebody else has them),
members, accounts. Whoever flags a member or decides about it holds the member's lock too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, Review, audit, enqueue, locks, now, publish, switches
from plugins.contributions import queries as contributions

from .. import errors, queries
from ..events import RewardPaid, RewardPending, RewardRefused
from ..models import Account, Asset, Reward
from . import shortage
from .accounts import lock_accounts, open_account, open_accounts
from .shortage import FUND_SHORT
from .transfers import Receipt, issue, post

AT_ONCE = 100
FUND_FROZEN = "FUND_FROZEN"
MEMBER_FLAGGED = "MEMBER_FLAGGED"
REVIEW_REJECTED = "REVIEW_REJECTED"
REWARDED_TWICE = "REWARDED_TWICE"
WALLET_CLOSED = errors.WalletClosed.code
ASIDE = (MEMBER_FLAGGED, WALLET_CLOSED)  # they wait for somebody's decision and hold nobody up


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

    A reference that is known is passed over. What cannot be paid waits and is announced as pending, once: the rewards
    of a flagged member, those after which the fund is short (a case of the review inbox asks to fill it), those of a
    closed wallet. Raises UnknownAsset.
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
    claimed = _claim(session, assets, AT_ONCE)
    new = session.scalars(select(Reward).where(Reward.id.in_(fresh)).order_by(Reward.reference)).all()
    # One that stands behind more than are tried is judged too: the decision about its member finds it.
    paid = _pay(session, actor, claimed, _flagged(session, actor, {*claimed, *new}))
    for reward in (reward for reward in new if reward.state == "pending"):
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
    return _pay(session, actor, claimed, _flagged(session, actor, claimed))


def settle_flagged(session: Session, actor: Actor, *, member_id: UUID, contribution_id: UUID, released: bool) -> int:
    """What a decided review means for the member's rewards that wait.

    A rejection refuses, for good, those for the contribution that was rejected. The decision about the last open review
    of the member pays the others, in their turn. Returns how many were paid or refused.
    """
    held = select(Reward).where(Reward.member_id == member_id, Reward.state == "pending", Reward.why == MEMBER_FLAGGED)
    rewards = session.scalars(
        held.order_by(Reward.id).with_for_update(of=Reward), execution_options={"populate_existing": True}
    ).all()
    doubtful = [] if released else [reward for reward in rewards if reward.contribution_id == contribution_id]
    settled = _refuse(session, actor, doubtful, REVIEW_REJECTED)
    waiting = [reward for reward in rewards if reward.state == "pending"]
    if not waiting or contributions.under_review(session, [member_id]):
        return settled
    for reward in waiting:
        reward.why = ""
    session.flush()
    return settled + pay_pending(session, actor, assets={reward.asset for reward in waiting})


def hand_over(session: Session, actor: Actor, *, old: UUID, new: UUID, twice: Iterable[UUID]) -> int:
    """A member's waiting rewards are another's now; ``twice`` are those that one had for the same, and are refused.

    Returns how many went over.
    """
    waiting = select(Reward).where(Reward.member_id == old, Reward.state == "pending").order_by(Reward.id)
    rewards = session.scalars(waiting.with_for_update(of=Reward), execution_options={"populate_existing": True}).all()
    doubled = set(twice)
    _refuse(session, actor, [reward for reward in rewards if reward.id in doubled], REWARDED_TWICE)
    kept = [reward for reward in rewards if reward.id not in doubled]
    for reward in kept:
        reward.member_id, reward.why = new, ""
    session.flush()
    pay_pending(session, actor, assets={reward.asset for reward in kept})
    return len(kept)


def _refuse(session: Session, actor: Actor, rewards: Sequence[Reward], why: str) -> int:
    for reward in rewards:
        reward.state, reward.why = "refused", why
        refused = RewardRefused(
            reward_id=reward.id,
            member_id=reward.member_id,
            amount=reward.amount,
            asset=reward.asset,
            contribution_id=reward.contribution_id,
            reason=why,
        )
        publish(session, replace(actor, correlation_id=reward.correlation_id), refused)
        audit(
            session,
            actor,
            "wallet.reward.refused",
            subject_type="wallet.reward",
            subject_id=reward.id,
            changes={"state": ["pending", "refused"]},
            reason=why,
        )
    session.flush()
    return len(rewards)


def fund_rewards(
    session: Session, actor: Actor, *, amount: int, asset: str, reason: str, reference: str | None = None
) -> Funding:
    """Issue ``amount`` into the reward fund of ``asset`` and pay what waited: a hundred at once, the rest by a job.

    The case that asks for it is withdrawn unless the fund is still short. Raises UnknownAsset, AmountNotPositive,
    ReasonRefused.
    """
    shortage.lock_case(session, asset)
    funding = _fill(session, actor, asset=asset, amount=amount, reason=reason, reference=reference)
    shortage.withdraw_if_filled(session, actor, asset)
    assert funding is not None
    return funding


def decide_shortage(session: Session, actor: Actor, review: Review, approved: bool) -> None:
    """Issue what the fund lacks now and pay what waits, if approved; otherwise the rewards go on waiting."""
    if approved:
        asset, reference = review.subject_id, f"fund-case:{review.id}"
        _fill(session, actor, asset=asset, amount=None, reason="The reward fund was short.", reference=reference)


def _fill(
    session: Session, actor: Actor, *, asset: str, amount: int | None, reason: str, reference: str | None
) -> Funding | None:
    """Issue ``amount``, or what is missing; None when nothing is. What waits is paid in any case."""
    fund = open_account(session, asset=asset, purpose="rewards")
    issuance = open_account(session, asset=asset, purpose="issuance")
    claimed = _claim(session, [asset], AT_ONCE)
    flagged = _flagged(session, actor, claimed)
    lock_accounts(session, [fund, issuance, *_accounts(session, claimed).values()])
    wanted = queries.reward_fund(session, asset).short if amount is None else amount
    receipt = None
    if amount is not None or wanted:
        receipt = issue(session, actor, destination=fund, amount=wanted, reason=reason, reference=reference)
        if not receipt.replayed:
            audit(
                session,
                actor,
                "wallet.fund.created",
                subject_type="wallet.account",
                subject_id=fund,
                changes={"balance": [receipt.destination_balance - wanted, receipt.destination_balance]},
                reason=reason,
            )
    paid = _pay(session, actor, claimed, flagged)
    if paid == AT_ONCE:  # more may wait
        enqueue(session, actor, "wallet.pay_pending")
    return Funding(receipt, paid) if receipt else None


def _claim(session: Session, assets: Iterable[str], most: int) -> list[Reward]:
    claimed: list[Reward] = []
    if "wallet.rewards" in switches.pulled(session):  # they wait, whoever would have paid them
        return claimed
    for asset in sorted(set(assets)):
        waiting = select(Reward).where(Reward.state == "pending", Reward.asset == asset, Reward.why.not_in(ASIDE))
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


def _flagged(session: Session, actor: Actor, rewards: Iterable[Reward]) -> set[UUID]:
    """Lock the members and mark what is due to flagged ones; returns who is not to be paid now.

    They stay as they are until the end. What is due to a former member is the heir's, who is paid once locked. What is
    due for a contribution that a review rejected is refused, whichever of the two was told first.
    """
    due = list(rewards)
    members = locks.members(session, [reward.member_id for reward in due])
    rejected = contributions.rejected(session, {reward.contribution_id for reward in due if reward.contribution_id})
    _refuse(session, actor, [reward for reward in due if reward.contribution_id in rejected], REVIEW_REJECTED)
    due = [reward for reward in due if reward.state == "pending"]
    flagged = contributions.under_review(session, members) if members else set()
    for reward in due:
        if reward.member_id in flagged:
            reward.why = MEMBER_FLAGGED
    heirs = contributions.heirs(session, members) if members else {}
    late = [reward for reward in due if reward.member_id in heirs and reward.state == "pending"]
    if late:
        owners = contributions.reward_owners(session, [reward.id for reward in late])
        twice = [reward for reward in late if owners.get(reward.id) == reward.member_id]
        _refuse(session, actor, twice, REWARDED_TWICE)
        for reward in late:
            if reward.state == "pending":
                reward.member_id, reward.why = heirs[reward.member_id], ""
    return flagged | set(heirs) | set(heirs.values()) - members


def _pay(session: Session, actor: Actor, claimed: Sequence[Reward], flagged: set[UUID]) -> int:
    """Pay what ``flagged`` members do not have to wait for, in order, until a fund is short."""
    rewards = [reward for reward in claimed if reward.member_id not in flagged and reward.state == "pending"]
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
    for asset in sorted(asset for asset, why in stopped.items() if why == FUND_SHORT):
        shortage.ask(session, actor, asset)
    return paid


def assets_waiting(session: Session) -> list[str]:
    """Assets with rewards that wait for their fund, where the fund holds anything."""
    funded = select(Account.asset).where(Account.purpose == "rewards", Account.posted > Account.held)
    query = select(Reward.asset).distinct().where(Reward.state == "pending", Reward.asset.in_(funded))
    return sorted(session.scalars(query))
