"""The wallet's manifest."""

from guildhall import Plugin, Subscriber, _

from . import commands, events, handlers, jobs, seed

plugin = Plugin(
    "wallet",
    version="0.1.0",
    label=_("Wallet"),
    events=[events.BalanceChanged, events.RewardPaid, events.RewardPending, events.WalletStateChanged],
    subscribers=[Subscriber(event="contributions.reward.requested", handler=handlers.pay_reward, batch=50)],
    jobs=[jobs.PAY_PENDING],
    schedules=[jobs.EVERY_MINUTE],
    commands=[commands.wallet, commands.ledger],
    seed=seed.seed,
)
