"""What the wallet does, one function a use case."""

from .accounts import lock_accounts, open_account, open_accounts, set_state
from .rewards import Funding, RewardRequest, fund_rewards, pay_pending, request_rewards
from .transfers import Receipt, issue, pay_member, retire, reverse, transfer

__all__ = [
    "Funding",
    "Receipt",
    "RewardRequest",
    "fund_rewards",
    "issue",
    "lock_accounts",
    "open_account",
    "open_accounts",
    "pay_member",
    "pay_pending",
    "request_rewards",
    "retire",
    "reverse",
    "set_state",
    "transfer",
]
