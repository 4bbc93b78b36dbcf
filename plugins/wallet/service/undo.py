"""Undoing: a reversal mirrors a whole transfer, once; refunds give parts back until all is given back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, publish

from .. import errors, queries
from ..models import Entry, Transfer
from .accounts import require_reason
from .many import Leg, Move, Posted, post_many
from .transfers import Receipt, post


@dataclass(frozen=True, slots=True)
class _Original:
    kind: str
    link_id: UUID | None
    legs: tuple[Leg, ...]


def reverse(session: Session, actor: Actor, *, transfer_id: UUID, reason: str) -> Posted:
    """Move everything of a transfer back, once; of linked transfers, all of them together.

    Raises ReasonRefused, UnknownTransfer, AlreadyReversed (also when parts were refunded), NotRefundable for a
    reversal or a refund, and as ``post_many``.
    """
    require_reason(reason)
    first = _original(session, transfer_id)
    ids = [transfer_id]
    if first.link_id:
        linked = select(Transfer.id).where(Transfer.link_id == first.link_id).order_by(Transfer.id.desc())
        ids = list(session.scalars(linked))
    moves = []
    for one in ids:
        original = _original(session, one)
        if original.kind in ("reversal", "refund"):
            raise errors.NotRefundable()
        mirrored = tuple(Leg(leg.account, -leg.amount) for leg in original.legs)
        moves.append(Move(legs=mirrored, kind="reversal", reason=reason, reverses=one))
    return post_many(session, actor, moves)


def refund(
    session: Session,
    actor: Actor,
    *,
    transfer_id: UUID,
    amount: int | None = None,
    reason: str,
    reference: str | None = None,
) -> Receipt:
    """Give ``amount`` of a transfer back to who paid it, by default what is left of it; in parts, up to its amount.

    Raises ReasonRefused, UnknownTransfer, NotRefundable (more than two legs, or itself an undoing), RefundExceeds,
    AlreadyReversed, and as ``transfer``.
    """
    require_reason(reason)
    original = _original(session, transfer_id)
    if len(original.legs) != 2 or original.kind in ("reversal", "refund"):
        raise errors.NotRefundable()
    payer, payee = original.legs
    receipt, events = post(
        session,
        actor,
        source=payee.account,
        destination=payer.account,
        amount=queries.refundable(session, transfer_id) if amount is None else amount,
        kind="refund",
        reason=reason,
        reference=reference,
        refunds=transfer_id,
    )
    publish(session, actor, *events)
    return receipt


def _original(session: Session, transfer_id: UUID) -> _Original:
    """A transfer with its legs, what paid first. Raises UnknownTransfer."""
    found = session.execute(select(Transfer.kind, Transfer.link_id).where(Transfer.id == transfer_id)).first()
    if found is None:
        raise errors.UnknownTransfer()
    entries = select(Entry.account_id, Entry.amount).where(Entry.transfer_id == transfer_id).order_by(Entry.amount)
    return _Original(
        found.kind, found.link_id, tuple(Leg(row.account_id, int(row.amount)) for row in session.execute(entries))
    )
