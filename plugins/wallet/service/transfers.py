"""Transfers: money moves here and nowhere else, in one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Event, new_id, now, publish

from .. import errors
from ..events import BalanceChanged, BalanceLow, MovementLarge, ReceiptFirst
from ..models import Account
from ..queries import shown
from .accounts import LONGEST_REASON, house_account, open_accounts, require_reason

BIGGEST = 10**38

_POST = text("""
    SELECT * FROM wallet_post(
        :id, :source, :destination, CAST(:amount AS numeric), CAST(:asset AS text), :kind, :reason, :actor,
        CAST(:reference AS text), CAST(:contribution_id AS uuid), :correlation_id, CAST(:link_id AS uuid),
        CAST(:reverses AS uuid), CAST(:refunds AS uuid), CAST(:hold AS uuid), CAST(:effective_on AS date), :at)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a transfer did. ``amount`` in the asset's smallest unit; ``replayed`` when its reference had moved before.

    The balances are those right after the transfer.
    """

    id: UUID
    source: UUID
    destination: UUID
    amount: int
    asset: str
    source_balance: int
    destination_balance: int
    recorded_at: datetime
    replayed: bool


def transfer(
    session: Session,
    actor: Actor,
    *,
    source: UUID,
    destination: UUID,
    amount: int,
    kind: str,
    asset: str | None = None,
    reason: str = "",
    reference: str | None = None,
    contribution_id: UUID | None = None,
    effective_on: date | None = None,
) -> Receipt:
    """Move ``amount`` smallest units from account ``source`` to ``destination``, in one statement.

    ``reference`` is unique for all time: the same transfer again moves nothing and returns the first receipt.
    ``effective_on`` is the day it is meant for, by default the day it is recorded, which alone rules balances.
    A transaction with several transfers calls ``lock_accounts`` for all of them first. Raises AmountNotPositive,
    SameAccount, ReasonRefused, UnknownAccount, AssetMismatch, InsufficientFunds, LimitExceeded, WalletFrozen,
    WalletClosed, ReferenceTaken (the reference is of a different transfer).
    """
    receipt, events = post(
        session,
        actor,
        source=source,
        destination=destination,
        amount=amount,
        kind=kind,
        asset=asset,
        reason=reason,
        reference=reference,
        contribution_id=contribution_id,
        effective_on=effective_on,
    )
    publish(session, actor, *events)
    return receipt


def post(
    session: Session,
    actor: Actor,
    *,
    source: UUID,
    destination: UUID,
    amount: int,
    kind: str,
    asset: str | None = None,
    reason: str = "",
    reference: str | None = None,
    contribution_id: UUID | None = None,
    effective_on: date | None = None,
    id: UUID | None = None,
    reverses: UUID | None = None,
    refunds: UUID | None = None,
    hold: UUID | None = None,
) -> tuple[Receipt, list[Event]]:
    """As ``transfer``, but returns the events for the caller to publish together with others.

    ``reverses`` and ``refunds`` name the transfer that this one undoes, ``hold`` the hold that it captures; then it
    raises also AlreadyReversed, AlreadyRefunded, RefundExceeds, UnknownHold, HoldExpired, HoldResolved, HoldShort.
    """
    actor.require_own()
    require_amount(amount)
    if source == destination:
        raise errors.SameAccount()
    if len(reason) > LONGEST_REASON or "\0" in reason:
        raise errors.ReasonRefused()
    values = {
        "id": id or new_id(),
        "source": source,
        "destination": destination,
        "amount": amount,
        "asset": asset,
        "kind": kind,
        "reason": reason,
        "actor": name_of(actor),
        "reference": reference,
        "contribution_id": contribution_id,
        "correlation_id": actor.correlation_id,
        "link_id": None,
        "reverses": reverses,
        "refunds": refunds,
        "hold": hold,
        "effective_on": effective_on,
        "at": now(),
    }
    row = session.execute(_POST, values).mappings().one()
    if row["outcome"] not in ("posted", "replayed"):
        raise _refusal(session, row, amount=amount, asset=asset, reference=reference)
    receipt = Receipt(
        id=row["transfer"],
        source=source,
        destination=destination,
        amount=amount,
        asset=row["source_asset"],
        source_balance=int(row["source_balance"]),
        destination_balance=int(row["destination_balance"]),
        recorded_at=row["moment"],
        replayed=row["outcome"] == "replayed",
    )
    return receipt, [] if receipt.replayed else _events(receipt, row)


def _events(receipt: Receipt, row: RowMapping) -> list[Event]:
    """What a transfer that was just posted has to tell."""
    payer, payee = row["source_member"], row["destination_member"]
    events: list[Event] = [
        BalanceChanged(account_id=account, member_id=member, asset=receipt.asset, transfer_id=receipt.id)
        for account, member in ((receipt.source, payer), (receipt.destination, payee))
        if member is not None
    ]
    if row["threshold"] is not None:
        events.append(
            BalanceLow(
                account_id=receipt.source,
                member_id=payer,
                asset=receipt.asset,
                balance=receipt.source_balance,
                threshold=int(row["threshold"]),
                transfer_id=receipt.id,
            )
        )
    if row["first"] and payee:
        events.append(
            ReceiptFirst(
                account_id=receipt.destination,
                member_id=payee,
                asset=receipt.asset,
                amount=receipt.amount,
                transfer_id=receipt.id,
            )
        )
    if row["large"]:
        events.append(
            MovementLarge(
                transfer_id=receipt.id,
                asset=receipt.asset,
                amount=receipt.amount,
                source_account_id=receipt.source,
                destination_account_id=receipt.destination,
            )
        )
    return events


def _refusal(
    session: Session, row: RowMapping, *, amount: int, asset: str | None, reference: str | None
) -> DomainError:
    """The error behind an outcome of ``wallet_post``."""

    def units(number: int) -> str:
        return shown(session, int(number), row["source_asset"])

    match row["outcome"]:
        case "missing":
            return errors.UnknownAccount()
        case "missing_hold":
            return errors.UnknownHold()
        case "hold_expired":
            return errors.HoldExpired()
        case "hold_resolved":
            return errors.HoldResolved(state=row["hold_state"])
        case "hold_short":
            return errors.HoldShort(available=units(row["available"]), needed=units(amount))
        case "limit":
            return errors.LimitExceeded(available=units(row["available"]), needed=units(amount))
        case "refund_exceeds":
            return errors.RefundExceeds(available=units(row["available"]), needed=units(amount))
        case "already_refunded":
            return errors.AlreadyRefunded()
        case "asset_mismatch":
            wanted = asset or row["source_asset"]
            return errors.AssetMismatch(asset=wanted, source=row["source_asset"], destination=row["destination_asset"])
        case "closed":
            return errors.WalletClosed(needed=units(amount))
        case "frozen":
            return errors.WalletFrozen(needed=units(amount))
        case "insufficient":
            return errors.InsufficientFunds(available=units(row["available"]), needed=units(amount))
        case "reference_taken":
            return errors.ReferenceTaken(reference=reference)
        case "already_reversed":
            return errors.AlreadyReversed()
    raise AssertionError(f"wallet_post answered {row['outcome']}")


def pay_member(session: Session, actor: Actor, *, to_member: UUID, amount: int, asset: str, note: str = "") -> Receipt:
    """Pay another member from the actor's own wallet. Raises as ``transfer``, NoWallet, UnknownAsset, UnknownMember."""
    if actor.member_id is None:
        raise errors.NoWallet()
    if to_member == actor.member_id:
        raise errors.SameAccount()
    keys = (asset, "member", actor.member_id), (asset, "member", to_member)
    accounts = open_accounts(session, keys)
    return transfer(
        session,
        actor,
        source=accounts[keys[0]],
        destination=accounts[keys[1]],
        amount=amount,
        asset=asset,
        kind="transfer",
        reason=note,
    )


def issue(
    session: Session, actor: Actor, *, destination: UUID, amount: int, reason: str, reference: str | None = None
) -> Receipt:
    """Bring new units of the destination's asset into being: issuance goes further below zero by as much.

    Raises ReasonRefused, UnknownAccount and as ``transfer``.
    """
    require_reason(reason)
    asset = session.scalar(select(Account.asset).where(Account.id == destination))
    if asset is None:
        raise errors.UnknownAccount()
    return transfer(
        session,
        actor,
        source=house_account(session, asset=asset, purpose="issuance", reference=reference),
        destination=destination,
        amount=amount,
        kind="issue",
        reason=reason,
        reference=reference,
    )


def retire(
    session: Session, actor: Actor, *, source: UUID, amount: int, reason: str, reference: str | None = None
) -> Receipt:
    """Take units out of being: the opposite of ``issue``. Raises as it does, and InsufficientFunds, WalletFrozen."""
    require_reason(reason)
    asset = session.scalar(select(Account.asset).where(Account.id == source))
    if asset is None:
        raise errors.UnknownAccount()
    return transfer(
        session,
        actor,
        source=source,
        destination=house_account(session, asset=asset, purpose="issuance", reference=reference),
        amount=amount,
        kind="retire",
        reason=reason,
        reference=reference,
    )


def require_amount(amount: int) -> None:
    """Raise AmountNotPositive unless it can be moved."""
    if type(amount) is not int or not 0 < amount < BIGGEST:
        raise errors.AmountNotPositive(amount=amount)


def name_of(actor: Actor) -> str:
    """Who made a transfer, without personal data."""
    return f"member:{actor.member_id}" if actor.member_id else f"{actor.kind}:{actor.name}"[:160]
