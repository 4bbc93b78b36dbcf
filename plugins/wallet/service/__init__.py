"""What the wallet does, one function a use case."""

from .accounts import (
    house_account,
    lock_accounts,
    open_account,
    open_accounts,
    set_limits,
    set_state,
    update_own,
)
from .adjustments import propose_adjustment
from .assets import create_asset, update_asset
from .checkpoints import make_checkpoint
from .claims import take_over
from .holds import capture, hold, release, sweep
from .many import Leg, Move, Posted, convert, post_many
from .rewards import (
    Funding,
    RewardRequest,
    decide_shortage,
    fund_rewards,
    hand_over,
    pay_pending,
    request_rewards,
    settle_flagged,
)
from .transfers import Receipt, issue, pay_member, retire, transfer
from .undo import refund, reverse

__all__ = [
    "Funding",
    "Leg",
    "Move",
    "Posted",
    "Receipt",
    "RewardRequest",
    "capture",
    "convert",
    "create_asset",
    "decide_shortage",
    "fund_rewards",
    "hand_over",
    "hold",
    "house_account",
    "issue",
    "lock_accounts",
    "make_checkpoint",
    "open_account",
    "open_accounts",
    "pay_member",
    "pay_pending",
    "post_many",
    "propose_adjustment",
    "refund",
    "release",
    "request_rewards",
    "retire",
    "reverse",
    "set_limits",
    "set_state",
    "settle_flagged",
    "sweep",
    "take_over",
    "transfer",
    "update_asset",
    "update_own",
]
