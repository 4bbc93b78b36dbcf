"""What automations can pay, up to a cap."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Action, ActionCall, Actor, _, publish, switches, take_from_cap

from .models import Asset
from .service import lock_accounts, open_accounts
from .service.transfers import BIGGEST, post


class PayForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    asset: str = Field(max_length=12, description=_("What is paid."))
    amount: int = Field(
        gt=0, lt=BIGGEST, description=_("How much, in the smallest unit: 1250 is 12.50 with two decimals.")
    )
    cap: int = Field(
        gt=0,
        lt=BIGGEST,
        description=_("What this automation may pay of the asset altogether, in the smallest unit; then it refuses."),
    )
    reason: str = Field(min_length=3, max_length=200, description=_("Why; it stands on the member's statement."))


def pay_from_fund(session: Session, actor: Actor, call: ActionCall) -> dict[str, Any]:
    """Pay the member from the reward fund of the asset, once for each call, and never more than the cap in all.

    Raises SwitchedOff while rewards are, CapReached, UnknownAsset, and as ``transfer`` InsufficientFunds,
    WalletFrozen, WalletClosed.
    """
    switches.require(session, "wallet.rewards")
    asset, amount = call.values["asset"], call.values["amount"]
    keys = (asset, "rewards", None), (asset, "member", call.member_id)
    accounts = open_accounts(session, keys)
    used = take_from_cap(session, call, f"wallet.{asset}", amount, call.values["cap"])
    lock_accounts(session, accounts.values())
    receipt, events = post(
        session,
        actor,
        source=accounts[keys[0]],
        destination=accounts[keys[1]],
        amount=amount,
        asset=asset,
        kind="automation",
        reason=call.values["reason"],
        reference=f"automation:{call.key}",
    )
    publish(session, actor, *events)
    return {"transfer": receipt.id, "used": str(used)}


def asset_choices(session: Session) -> list[tuple[str, str]]:
    """The assets that a fund can hold."""
    query = select(Asset.code, Asset.name).order_by(Asset.code)
    return [(code, f"{code} · {name}") for code, name in session.execute(query).tuples()]


ACTIONS = [
    Action(
        name="pay",
        label=_("Pay from the reward fund"),
        help=_("Pays the member what the fund holds, up to a cap for this automation."),
        run=pay_from_fund,
        form=PayForm,
        permission="wallet:fund:create",
        icon="coin",
        choices={"asset": asset_choices},
        moves_value=True,
    )
]
