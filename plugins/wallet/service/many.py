"""Transfers of any number of legs, many at once, all or none: one statement, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Event, new_id, now, publish

from .. import errors
from ..events import BalanceChanged, BalanceLow, MovementLarge, ReceiptFirst
from ..queries import shown
from .accounts import LONGEST_REASON, open_accounts
from .transfers import BIGGEST, name_of, require_amount

MOST_TRANSFERS = 1000
MOST_LEGS = 100

_MANY = text("""
    SELECT * FROM wallet_post_many(
        CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:reasons AS text[]), CAST(:references AS text[]),
        CAST(:reverses AS uuid[]), :actor, CAST(:contribution_id AS uuid), :correlation_id, CAST(:link_id AS uuid),
        CAST(:effective_on AS date), :at, CAST(:of AS integer[]), CAST(:accounts AS uuid[]),
        CAST(:amounts AS numeric[]))
""")


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part in a transfer, in the smallest unit: above zero it receives, below it pays."""

    account: UUID
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A transfer to be made: legs that sum to zero in each asset. ``reverses`` is the transfer that it undoes."""

    legs: Sequence[Leg]
    kind: str
    reason: str = ""
    reference: str | None = None
    reverses: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Transfers that were made together: their ids in the order given, and balances of the accounts after them.

    ``replayed`` when their references had moved before; then ``balances`` is empty.
    """

    ids: tuple[UUID, ...]
    link_id: UUID | None
    recorded_at: datetime
    replayed: bool
    balances: dict[UUID, int]


def post_many(
    session: Session,
    actor: Actor,
    moves: Sequence[Move],
    *,
    contribution_id: UUID | None = None,
    effective_on: date | None = None,
) -> Posted:
    """Make all of ``moves``, or none. More than one share a ``link_id``.

    Floors hold after each leg, in the order given. With references the same moves again move nothing; each of them
    then needs one. Raises LegsRefused, AmountNotPositive, ReasonRefused, UnknownAccount, Unbalanced,
    InsufficientFunds, LimitExceeded, WalletFrozen, WalletClosed, ReferenceTaken, AlreadyReversed, AlreadyRefunded.
    """
    _require(moves)
    link_id = new_id() if len(moves) > 1 else None
    values = {
        "ids": [new_id() for _move in moves],
        "kinds": [move.kind for move in moves],
        "reasons": [move.reason for move in moves],
        "references": [move.reference for move in moves],
        "reverses": [move.reverses for move in moves],
        "actor": name_of(actor),
        "contribution_id": contribution_id,
        "correlation_id": actor.correlation_id,
        "link_id": link_id,
        "effective_on": effective_on,
        "at": now(),
        "of": [place for place, move in enumerate(moves, 1) for _leg in move.legs],
        "accounts": [leg.account for move in moves for leg in move.legs],
        "amounts": [leg.amount for move in moves for leg in move.legs],
    }
    row = session.execute(_MANY, values).mappings().one()
    if row["outcome"] not in ("posted", "replayed"):
        raise _refusal(session, dict(row), moves)
    changes = row["changes"] or []
    publish(session, actor, *_events(changes))
    return Posted(
        ids=tuple(row["transfers"]),
        link_id=link_id,
        recorded_at=row["moment"],
        replayed=row["outcome"] == "replayed",
        balances={UUID(change["account"]): int(change["balance"]) for change in changes},
    )


def convert(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    amount: int,
    asset: str,
    into_amount: int,
    into_asset: str,
    reason: str = "",
    reference: str | None = None,
) -> Posted:
    """Exchange ``amount`` of one asset of a member for ``into_amount`` of another, through accounts of the house.

    Two linked transfers; the account ``exchange`` of ``into_asset`` must hold what it gives. The rate is the caller's.
    Raises SameAsset, AmountNotPositive, UnknownAsset, UnknownMember and as ``post_many``.
    """
    if asset == into_asset:
        raise errors.SameAsset()
    require_amount(amount)
    require_amount(into_amount)
    given, taken = (asset, "member", member_id), (into_asset, "member", member_id)
    to_house, from_house = (asset, "exchange", None), (into_asset, "exchange", None)
    accounts = open_accounts(session, [given, taken, to_house, from_house])
    pay = Move(
        legs=(Leg(accounts[given], -amount), Leg(accounts[to_house], amount)),
        kind="conversion",
        reason=reason,
        reference=reference and f"{reference}:out",
    )
    receive = Move(
        legs=(Leg(accounts[from_house], -into_amount), Leg(accounts[taken], into_amount)),
        kind="conversion",
        reason=reason,
        reference=reference and f"{reference}:in",
    )
    return post_many(session, actor, [pay, receive])


def _require(moves: Sequence[Move]) -> None:
    if not 1 <= len(moves) <= MOST_TRANSFERS:
        raise errors.LegsRefused()
    for move in moves:
        if not 2 <= len(move.legs) <= MOST_LEGS or len({leg.account for leg in move.legs}) < len(move.legs):
            raise errors.LegsRefused()
        if len(move.reason) > LONGEST_REASON or "\0" in move.reason:
            raise errors.ReasonRefused()
        for leg in move.legs:
            if type(leg.amount) is not int or not 0 < abs(leg.amount) < BIGGEST:
                raise errors.AmountNotPositive(amount=leg.amount)
    references = [move.reference for move in moves if move.reference]
    if len(references) != len(set(references)):
        raise errors.ReferenceTaken(reference=max(references, key=references.count))


def _refusal(session: Session, row: dict[str, Any], moves: Sequence[Move]) -> DomainError:
    def units(name: str) -> str:
        return shown(session, int(row[name]), row["asset"])

    match row["outcome"]:
        case "missing":
            return errors.UnknownAccount()
        case "unbalanced":
            return errors.Unbalanced(place=row["place"], asset=row["asset"])
        case "closed":
            return errors.WalletClosed(needed=shown(session, abs(int(row["needed"])), row["asset"]))
        case "frozen":
            return errors.WalletFrozen(needed=units("needed"))
        case "limit":
            return errors.LimitExceeded(available=units("available"), needed=units("needed"))
        case "insufficient":
            return errors.InsufficientFunds(available=units("available"), needed=units("needed"))
        case "already_reversed":
            return errors.AlreadyReversed()
        case "already_refunded":
            return errors.AlreadyRefunded()
        case "reference_taken":
            taken = moves[(row["place"] or 1) - 1].reference
            return errors.ReferenceTaken(reference=taken)
    raise AssertionError(f"wallet_post_many answered {row['outcome']}")


def _events(changes: Sequence[dict[str, Any]]) -> list[Event]:
    """What the legs have to tell; a large movement once a transfer and asset, from its largest leg on each side."""
    events: list[Event] = []
    large: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for change in changes:
        known: dict[str, Any] = {
            "asset": change["asset"],
            "account_id": UUID(change["account"]),
            "transfer_id": UUID(change["transfer"]),
        }
        if change["member"]:
            member = UUID(change["member"])
            events.append(BalanceChanged(**known, member_id=member))
            if change["first"]:
                events.append(ReceiptFirst(**known, member_id=member, amount=int(change["amount"])))
        if change["threshold"] is not None:
            payer = UUID(change["member"]) if change["member"] else None
            balance, threshold = int(change["balance"]), int(change["threshold"])
            events.append(BalanceLow(**known, member_id=payer, balance=balance, threshold=threshold))
        large.setdefault((change["transfer"], change["asset"]), []).append(change)
    for (transfer, asset), legs in large.items():
        if any(leg["large"] for leg in legs):
            ordered = sorted(legs, key=lambda leg: int(leg["amount"]))
            movement = MovementLarge(
                transfer_id=UUID(transfer),
                asset=asset,
                amount=max(abs(int(leg["amount"])) for leg in legs),
                source_account_id=UUID(ordered[0]["account"]),
                destination_account_id=UUID(ordered[-1]["account"]),
            )
            events.append(movement)
    return events
