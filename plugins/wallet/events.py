"""What the wallet says."""

from __future__ import annotations

from uuid import UUID

from guildhall import Event


class BalanceChanged(Event):
    """A member's balance changed, once for each account of a transfer. Not published for accounts of the house."""

    event_name = "wallet.balance.changed"
    account_id: UUID
    member_id: UUID | None
    asset: str
    transfer_id: UUID


class RewardPaid(Event):
    """A requested reward reached the member's account. Not published again when the request is repeated."""

    event_name = "wallet.reward.paid"
    reward_id: UUID
    member_id: UUID
    amount: int
    asset: str
    transfer_id: UUID
    contribution_id: UUID | None


class RewardPending(Event):
    """A requested reward could not be paid at once and waits; ``reason`` is a code: ``FUND_SHORT``,
    ``FUND_FROZEN``, ``MEMBER_FLAGGED`` or ``WALLET_CLOSED``.

    Published once for a reward; not published again at each further try.
    """

    event_name = "wallet.reward.pending"
    reward_id: UUID
    member_id: UUID
    amount: int
    asset: str
    contribution_id: UUID | None
    reason: str


class RewardRefused(Event):
    """A reward that waited is refused for good; ``reason`` is ``REVIEW_REJECTED`` or ``REWARDED_TWICE``.

    Not published for one that goes on waiting.
    """

    event_name = "wallet.reward.refused"
    reward_id: UUID
    member_id: UUID
    amount: int
    asset: str
    contribution_id: UUID | None
    reason: str


class WalletStateChanged(Event):
    """A wallet was frozen, unfrozen or closed. Not published when it already was."""

    event_name = "wallet.account.state_changed"
    account_id: UUID
    member_id: UUID | None
    before: str
    after: str


class BalanceLow(Event):
    """A balance fell below the threshold its owner set. Not published again before it has risen above it."""

    event_name = "wallet.balance.low"
    account_id: UUID
    member_id: UUID | None
    asset: str
    balance: int
    threshold: int
    transfer_id: UUID


class MovementLarge(Event):
    """A transfer moved at least what the asset calls large, once for each. Not published for a member's own holds."""

    event_name = "wallet.movement.large"
    transfer_id: UUID
    asset: str
    amount: int
    source_account_id: UUID
    destination_account_id: UUID


class ReceiptFirst(Event):
    """A member's account received something for the first time. Not published for accounts of the house."""

    event_name = "wallet.receipt.first"
    account_id: UUID
    member_id: UUID
    asset: str
    amount: int
    transfer_id: UUID


class HoldOpened(Event):
    """A part of a balance was reserved. Not published when the request is repeated."""

    event_name = "wallet.hold.opened"
    hold_id: UUID
    account_id: UUID
    member_id: UUID | None
    asset: str
    amount: int


class HoldClosed(Event):
    """A hold was captured, released or found expired by the sweeper; ``state`` says which.

    Not published at the moment it expires: what expired is free from then on.
    """

    event_name = "wallet.hold.closed"
    hold_id: UUID
    account_id: UUID
    member_id: UUID | None
    asset: str
    state: str
    captured: int
