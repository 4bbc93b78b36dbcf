"""What an admin does with chosen transfers and holds: reverse, refund, release."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from guildhall import Actor, Operation, _, now

from . import queries, service
from .models import Hold, Transfer
from .service.accounts import LONGEST_REASON
from .units import units

UNDO = "wallet:transfer:undo"
UNDOING = ("reversal", "refund")
REASON = _("Stays in the ledger for good, whoever leaves: write no names here.")


class ReverseForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description=REASON)


class RefundForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: str = Field(
        "", max_length=60, description=_("A part, such as 12.50; empty: all that was not refunded yet.")
    )
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description=REASON)


def reverse(session: Session, actor: Actor, record: Transfer, values: dict[str, Any]) -> None:
    """Move everything back. Raises as ``service.reverse``."""
    service.reverse(session, actor, transfer_id=record.id, reason=values["reason"])


def refund(session: Session, actor: Actor, record: Transfer, values: dict[str, Any]) -> None:
    """Give a part back, or the rest. Raises as ``service.refund``, AmountUnreadable."""
    legs = queries.legs(session, record.id)
    amount = units(values["amount"], legs[0]["scale"]) if values["amount"].strip() and legs else None
    service.refund(session, actor, transfer_id=record.id, amount=amount, reason=values["reason"])


def reversible(session: Session, record: Transfer) -> bool:
    """Whether nothing of a transfer was given back, and it is no giving back itself."""
    back = exists().where(or_(Transfer.reverses == record.id, Transfer.refunds == record.id))
    return record.kind not in UNDOING and not session.scalar(select(back))


def refundable(session: Session, record: Transfer) -> bool:
    """Whether a payment from one account to another was not given back wholly."""
    if record.kind in UNDOING or session.scalar(select(exists().where(Transfer.reverses == record.id))):
        return False
    return len(queries.legs(session, record.id)) == 2 and queries.refundable(session, record.id) > 0


def release(session: Session, actor: Actor, record: Hold, values: dict[str, Any]) -> None:
    """Free what is reserved. Raises as ``service.release``."""
    service.release(session, actor, hold_id=record.id)


REVERSE = Operation(
    name="reverse",
    label=_("Reverse"),
    permission=UNDO,
    run=reverse,
    form=ReverseForm,
    icon="arrow-back-up",
    applies=reversible,
    help=_("Moves everything of it back, once, and with it all that was made together with it."),
    danger=True,
    moves_value=True,
)
REFUND = Operation(
    name="refund",
    label=_("Refund"),
    permission=UNDO,
    run=refund,
    form=RefundForm,
    icon="coins",
    applies=refundable,
    help=_("Gives back a part of what was paid, or the rest, from who received it to who paid it."),
    danger=True,
    moves_value=True,
)
RELEASE = Operation(
    name="release",
    label=_("Release the hold"),
    permission="wallet:account:update",
    run=release,
    icon="lock-open",
    applies=lambda _session, hold: hold.state == "open" and hold.expires_at > now(),
    help=_("What is reserved is free again."),
    danger=True,
)
