"""The ledger: accounts, transfers, rewards."""

from .events import BalanceChanged, RewardPaid, RewardPending, WalletStateChanged
from .service import Receipt, issue, lock_accounts, open_account, open_accounts, reverse, transfer

__all__ = [
    "BalanceChanged", "Receipt", "RewardPaid", "RewardPending", "WalletStateChanged", "issue", "lock_accounts",
    "open_account", "open_accounts", "reverse", "transfer",
]  # fmt: skip
