"""The manifest of the wallet: a double-entry ledger of points and money, and rewards paid from it once."""

from __future__ import annotations

from guildhall import Inline, MenuItem, Permission, Plugin, Resource, Role, Subscriber, Switch, _

from . import (
    actions,
    admin,
    commands,
    conformance,
    events,
    figures,
    handlers,
    hooks,
    hookspecs,
    jobs,
    operations,
    reports,
    rest,
    rest_admin,
    rest_money,
    seed,
    service,
    wording,
)
from .admin_accounts import MONITOR
from .models import Account, Asset, Hold, Reward, Transfer

ACCOUNT_STATES = {"active": "green", "frozen": "blue", "closed": "gray"}
HOLD_STATES = {"open": "yellow", "captured": "green", "released": "gray", "expired": "gray"}
REWARD_STATES = {"pending": "yellow", "paid": "green", "refused": "red"}

# They declare their routes on the blueprint of ``rest`` when they are imported.
ROUTES = (rest_admin, rest_money)

plugin = Plugin(
    "wallet",
    version="0.1.0",
    label=_("Wallet"),
    description=_("A double-entry ledger of points and money: balances that can be proved, rewards paid once."),
    icon="wallet",
    requires={"contributions": ">=0.1"},
    resources=[
        Resource(
            Account,
            icon="wallet",
            actions=("list", "show"),
            columns=("member.display_name", "purpose", "asset", "balance", "state", "moved_at"),
            filters=("asset", "purpose", "state", "member_id"),
            labels={
                "member.display_name": _("Member"),
                "member_id": _("Member"),
                "posted": _("Balance"),
                "balance": _("Balance"),
                "version": _("Entries"),
                "low_below": _("Announced below"),
                "daily_limit": _("Daily limit"),
                "spent": _("Spent"),
                "spent_on": _("Spent on"),
                "moved_at": _("Last moved"),
                "label": _("Name"),
            },
            help={
                "posted": _("Sum of all entries, in the asset's smallest unit."),
                "held": _("Part of the balance that is reserved for something that is not final."),
                "floor": _("zero: never below zero; none: may go below, as issuance does."),
            },
            states={"state": ACCOUNT_STATES},
            hidden=("tip", "rank", "stripe"),
            audit=False,
            rest=False,
            graphql=(
                "id",
                "asset",
                "member_id",
                "purpose",
                "label",
                "state",
                "posted",
                "held",
                "overdraft",
                "daily_limit",
                "low_below",
                "moved_at",
                "created_at",
            ),
            menu=False,
            page="/admin/wallet/accounts/{id}",
        ),
        Resource(
            Transfer,
            icon="arrows-exchange",
            actions=("list", "show"),
            columns=("recorded_at", "what", "reason", "reference"),
            search=("reference",),
            filters=("kind", "recorded_at"),
            labels={
                "what": _("What"),
                "actor": _("By"),
                "recorded_at": _("Recorded"),
                "effective_on": _("Effective"),
                "reverses": _("Reverses"),
            },
            help={
                "reference": _("Unique for all time: what has it, moves once."),
                "effective_on": _("The day it is meant for; balances follow the time it was recorded."),
            },
            audit=False,
            operations=(operations.REVERSE, operations.REFUND),
            detail=admin.transfer_detail,
            detail_template="wallet/transfer.html",
            display=wording.transfers,
            title=wording.transfer_title,
        ),
        Resource(
            Reward,
            icon="gift",
            actions=("list", "show"),
            columns=("requested_at", "member.display_name", "sum", "asset", "reason", "state", "why", "paid_at"),
            search=("reference",),
            filters=("state", "asset", "reason", "member_id"),
            owner="member_id",
            labels={
                "member.display_name": _("Member"),
                "member_id": _("Member"),
                "requested_at": _("Requested"),
                "sum": _("Amount"),
                "paid_at": _("Paid"),
                "why": _("Waits for"),
                "transfer_id": _("Transfer"),
            },
            help={
                "why": _(
                    "FUND_SHORT: the reward fund must be filled; FUND_FROZEN: the fund is frozen; "
                    "WALLET_CLOSED: the member's wallet is closed; MEMBER_FLAGGED: a contribution of the member is "
                    "under review; REVIEW_REJECTED: that review was rejected, so the reward is refused; "
                    "REWARDED_TWICE: the member who took the history over was rewarded for the same."
                ),
                "reference": _("Names the cause; a cause is rewarded once."),
            },
            states={"state": REWARD_STATES},
            audit=False,
            display=wording.rewards,
            title=wording.reward_title,
        ),
        Resource(
            Hold,
            icon="hourglass",
            actions=("list", "show"),
            columns=("created_at", "amount", "captured", "state", "reason", "expires_at"),
            filters=("state", "account_id"),
            operations=(operations.RELEASE,),
            labels={"created_at": _("Reserved"), "expires_at": _("Expires"), "account_id": _("Account")},
            help={"amount": _("In the asset's smallest unit."), "captured": _("What was paid of it.")},
            states={"state": HOLD_STATES},
            audit=False,
            rest=False,
            graphql=(
                "id",
                "account_id",
                "amount",
                "captured",
                "state",
                "reason",
                "reference",
                "created_at",
                "expires_at",
                "resolved_at",
                "transfer_id",
            ),
        ),
        Resource(
            Asset,
            icon="coin",
            actions=("list", "show", "create", "update"),
            columns=("code", "name", "kind", "scale", "daily_limit", "large_from"),
            fields=("code", "name", "kind", "scale", "daily_limit", "large_from", "stripes"),
            create=service.create_asset,
            update=service.update_asset,
            inline=(Inline(model=Account, by="asset"),),
            filters=("kind",),
            order="code",
            labels={
                "scale": _("Decimals"),
                "code": _("Code"),
                "daily_limit": _("Daily limit"),
                "large_from": _("Large from"),
                "stripes": _("Stripes of issuance"),
            },
            help={
                "code": _("Capital letters and digits, such as KUDOS; it cannot change later."),
                "kind": _("It cannot change later."),
                "scale": _("One is 10 to the power of this many smallest units, 0 to 18; it cannot change later."),
                "daily_limit": _(
                    "What may leave a member's wallet in a day (UTC), in the smallest unit; empty: no limit. A wallet "
                    "may have a limit of its own."
                ),
                "large_from": _("Movements of so many smallest units are announced; empty: none."),
                "stripes": _(
                    "Among how many accounts issuance is spread, 1 to 64; more let more transfers run at once."
                ),
            },
        ),
    ],
    permissions=[
        Permission("wallet:account:update", _("Freeze, unfreeze and close accounts")),
        Permission("wallet:transfer:create", _("Pay from one's own wallet")),
        Permission("wallet:adjustment:create", _("Propose an adjustment of an account")),
        Permission("wallet:adjustment:decide", _("Decide adjustments that others propose")),
        Permission("wallet:transfer:undo", _("Reverse and refund transfers")),
        Permission("wallet:fund:create", _("Issue units into the reward fund")),
    ],
    roles=[
        Role("User", ("wallet:transfer:create",)),
        Role(
            "Moderator",
            (
                "wallet:transfer:create",
                "wallet:account:list",
                "wallet:account:show",
                "wallet:transfer:list",
                "wallet:transfer:show",
                "wallet:reward:*",
                "wallet:hold:list",
                "wallet:hold:show",
                "wallet:asset:list",
                "wallet:asset:show",
            ),
        ),
    ],
    events=[
        events.BalanceChanged,
        events.BalanceLow,
        events.MovementLarge,
        events.ReceiptFirst,
        events.HoldOpened,
        events.HoldClosed,
        events.RewardPaid,
        events.RewardPending,
        events.RewardRefused,
        events.WalletStateChanged,
    ],
    actions=actions.ACTIONS,
    reviews=[admin.ADJUSTMENT, admin.SHORTAGE],
    subscribers=[
        Subscriber(event="contributions.reward.requested", handler=handlers.pay_reward, batch=50),
        Subscriber(event="contributions.review.decided", handler=handlers.settle_reviewed),
        Subscriber(event="contributions.identity.claimed", handler=handlers.follow_claim),
        Subscriber(event="contributions.identity.claimed", handler=handlers.move_wallets),
    ],
    jobs=[jobs.PAY_PENDING, jobs.SWEEP_HOLDS, jobs.CHECKPOINT],
    schedules=[jobs.EVERY_MINUTE, jobs.SWEEP_EVERY_MINUTE, jobs.CHECKPOINT_HOURLY],
    rest=rest.rest,
    conformance=conformance.rest,
    pages=admin.pages,
    menu=[
        MenuItem(label=_("Accounts"), url=MONITOR, icon="wallet", permission="wallet:account:list", order=5),
        MenuItem(label=_("Ledger"), url=admin.LEDGER, icon="scale", permission="wallet:account:list", order=10),
    ],
    widgets=admin.WIDGETS,
    reports=reports.REPORTS,
    switches=[
        Switch(
            name="rewards",
            label=_("Rewards"),
            help=_("No reward is paid; what is asked for waits, and is paid when it is on again."),
            subscribers=("wallet.pay_reward", "wallet.settle_reviewed"),
            jobs=("wallet.pay_pending",),
        ),
        Switch(
            name="transfers",
            label=_("Transfers by members and staff"),
            help=_(
                "Neither the API nor a form moves value between wallets, and no adjustment is approved. Clients are"
                " told to try again later."
            ),
            value_routes=True,
        ),
    ],
    commands=[commands.wallet, commands.ledger],
    gauges=figures.GAUGES,
    hookspecs=hookspecs,
    hooks=hooks,
    seed=seed.seed,
)
