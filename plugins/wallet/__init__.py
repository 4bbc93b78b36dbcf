"""The ledger: accounts, transfers, rewards."""

from .events import BalanceChanged, RewardPaid, RewardPending, WalletStateChanged
from .queries import shown
from .service import Receipt, issue, lock_accounts, open_account, open_accounts, retire, reverse, transfer
from .units import decimal

__all__ = [
    "BalanceChanged",
    "Receipt",
    "RewardPaid",
    "RewardPending",
    "WalletStateChanged",
    "decimal",
    "issue",
    "lock_accounts",
    "open_account",
    "open_accounts",
    "retire",
    "reverse",
    "shown",
    "transfer",
]
