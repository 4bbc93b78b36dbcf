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
    """A requested reward could not be paid at once and waits; ``reason`` is a code such as ``FUND_SHORT``.

    Published once for a reward; not published again at each further try.
    """

    event_name = "wallet.reward.pending"
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
