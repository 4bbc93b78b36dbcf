"""REST: holds, refunds, and what happened on an account, for its owner."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import request
from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, _, now
from guildhall.web import Page, PageQuery, Schema, fields

from . import errors, history, queries, service
from . import trace as tracing
from .models import Hold
from .rest import AccountSchema, EntrySchema, require_cursor, rest, visible
from .service import holds as holding
from .statement_pdf import statement_file, write_statement_pdf

LONGEST_PERIOD = timedelta(days=366)


class WalletBody(Schema):
    asset = fields.String(required=True, metadata={"example": "POINTS"})


class WalletChange(Schema):
    label = fields.String(metadata={"example": "Lunch money"})
    low_below = fields.Units(
        allow_none=True, metadata={"description": "Be told when the balance falls below it; null: never."}
    )


class MomentQuery(Schema):
    at = fields.Instant(required=True)


class MomentSchema(Schema):
    at = fields.Instant(required=True)
    balance = fields.Money(required=True)


class TransactionQuery(PageQuery):
    status = fields.String(load_default=None, validate=validate.OneOf(history.STATUSES))
    kind = fields.String(load_default=None, validate=validate.Length(max=40))
    since = fields.Instant(load_default=None)
    until = fields.Instant(load_default=None)


class TransactionSchema(Schema):
    id = fields.UUID(required=True, metadata={"description": "Of the transfer; of the hold while nothing moved."})
    status = fields.String(required=True, metadata={"enum": list(history.STATUSES)})
    at = fields.Instant(required=True)
    amount = fields.Money(required=True)
    balance = fields.Money(allow_none=True, metadata={"description": "After it; null where nothing moved."})
    kind = fields.String(required=True)
    reason = fields.String(required=True)


class PeriodQuery(Schema):
    start = fields.Instant(required=True)
    end = fields.Instant(required=True)
    format = fields.String(load_default="json", validate=validate.OneOf(["json", "csv", "pdf"]))


class StatementSchema(Schema):
    start = fields.Instant(required=True)
    end = fields.Instant(required=True)
    opening = fields.Money(required=True)
    came = fields.Money(required=True)
    went = fields.Money(required=True)
    closing = fields.Money(required=True)
    lines = fields.List(fields.Nested(EntrySchema), required=True)


class HoldBody(Schema):
    amount = fields.Money(required=True)
    seconds = fields.Integer(required=True, metadata={"description": "How long it lasts.", "example": 3600})
    reason = fields.String(load_default="", validate=validate.Length(max=400))


class CaptureBody(Schema):
    to_member = fields.UUID(required=True)
    amount = fields.Units(load_default=None, allow_none=True, metadata={"description": "A part; all by default."})


class HoldSchema(Schema):
    id = fields.UUID(required=True)
    account_id = fields.UUID(required=True)
    amount = fields.Units(required=True)
    captured = fields.Units(required=True)
    state = fields.String(required=True, metadata={"enum": ["open", "captured", "released", "expired"]})
    reason = fields.String(required=True)
    created_at = fields.Instant(required=True)
    expires_at = fields.Instant(required=True)
    transfer_id = fields.UUID(allow_none=True)


class RefundBody(Schema):
    amount = fields.Units(load_default=None, allow_none=True, metadata={"description": "A part; the rest by default."})
    reason = fields.String(required=True, validate=validate.Length(min=1, max=400))


class MovedSchema(Schema):
    id = fields.UUID(required=True)
    amount = fields.Money(required=True)
    recorded_at = fields.Instant(required=True)


class UndoneSchema(Schema):
    ids = fields.List(fields.UUID(), required=True, metadata={"description": "The transfers that undo it."})
    recorded_at = fields.Instant(required=True)


class TraceQuery(Schema):
    direction = fields.String(load_default="forward", validate=validate.OneOf(["forward", "backward"]))
    depth = fields.Integer(
        load_default=tracing.DEPTH,
        validate=validate.Range(1, tracing.DEPTH),
        metadata={"description": "How many transfers far.", "example": 5},
    )


class HopSchema(Schema):
    depth = fields.Integer(required=True, metadata={"description": "Transfers away from the traced one, from 1."})
    transfer_id = fields.UUID(required=True)
    kind = fields.String(required=True)
    at = fields.Instant(required=True)
    from_account = fields.UUID(attribute="source", required=True)
    to_account = fields.UUID(attribute="destination", required=True)
    amount = fields.Units(required=True, metadata={"description": "How many of the traced units it moved."})
    again = fields.Boolean(required=True, metadata={"description": "The account was passed before: a circle."})


class EndSchema(Schema):
    account_id = fields.UUID(attribute="account", required=True)
    amount = fields.Units(required=True)
    why = fields.String(required=True, metadata={"enum": ["there", "issuance", "overdraft", "beyond"]})


class TraceSchema(Schema):
    transfer_id = fields.UUID(required=True)
    direction = fields.String(required=True)
    asset = fields.String(required=True)
    amount = fields.Units(required=True)
    hops = fields.List(fields.Nested(HopSchema), required=True)
    ends = fields.List(
        fields.Nested(EndSchema), required=True, metadata={"description": "Their amounts sum to the transfer's."}
    )
    whole = fields.Boolean(required=True, metadata={"description": "False where more lies beyond the bounds."})


class ReasonBody(Schema):
    reason = fields.String(required=True, validate=validate.Length(min=1, max=400))


@rest.post("/accounts", permission="wallet:transfer:create", idempotent=True)
@rest.arguments(WalletBody)
@rest.response(201, AccountSchema)
def open_wallet(session: Session, actor: Actor, body: dict[str, Any]) -> queries.Balance:
    """Open your wallet of an asset; the one you have, if there is one."""
    if actor.member_id is None:
        raise errors.NoWallet()
    return queries.account(session, service.open_account(session, asset=body["asset"], member_id=actor.member_id))


@rest.patch("/accounts/<uuid:account_id>", permission="wallet:transfer:create")
@rest.arguments(WalletChange)
@rest.response(200, AccountSchema)
def change_wallet(session: Session, actor: Actor, body: dict[str, Any], account_id: UUID) -> queries.Balance:
    """Name your wallet, or say below which balance you want to be told."""
    service.update_own(session, actor, account_id=account_id, **body)
    return queries.account(session, account_id)


@rest.get("/accounts/<uuid:account_id>/balance", signed_in=True)
@rest.arguments(MomentQuery, location="query")
@rest.response(200, MomentSchema)
def balance_at(session: Session, actor: Actor, query: dict[str, Any], account_id: UUID) -> dict[str, Any]:
    """What an account held at a moment."""
    asset = visible(session, actor, account_id).asset
    held = queries.balance_at(session, account_id, query["at"])
    return {"at": query["at"], "balance": {"amount": held, "asset": asset}}


@rest.get("/accounts/<uuid:account_id>/transactions", signed_in=True)
@rest.arguments(TransactionQuery, location="query")
@rest.response(200, TransactionSchema(many=True))
def transactions(session: Session, actor: Actor, query: dict[str, Any], account_id: UUID) -> Page:
    """What is pending, then what moved, the newest first; or only what has a status."""
    asset = visible(session, actor, account_id).asset
    after, limit = query.pop("cursor"), query.pop("limit")
    require_cursor(after, ids=query["status"] in ("pending", "failed"))
    found = history.transactions(session, account_id, **query, after=after, limit=limit + 1)
    rows = [
        {
            **{name: getattr(one, name) for name in ("id", "status", "at", "kind", "reason")},
            "amount": {"amount": one.amount, "asset": asset},
            "balance": None if one.balance is None else {"amount": one.balance, "asset": asset},
        }
        for one in found[:limit]
    ]
    return Page(rows, found[limit - 1].place if len(found) > limit else None)


@rest.get("/accounts/<uuid:account_id>/statement", signed_in=True)
@rest.arguments(PeriodQuery, location="query")
@rest.response(200, StatementSchema)
def statement(session: Session, actor: Actor, query: dict[str, Any], account_id: UUID) -> Any:
    """A period of at most 366 days with the balances around it, as JSON or, with ``format``, as a file.

    ``format=pdf``, or ``Accept: application/pdf``, is a statement for people, in the language that they ask for.
    """
    found = visible(session, actor, account_id)
    if not timedelta(0) < query["end"] - query["start"] <= LONGEST_PERIOD:
        raise Invalid({"end": [_("The period ends after it starts, at most 366 days later.")]})
    wants_pdf = request.accept_mimetypes.best_match(["application/json", "application/pdf"]) == "application/pdf"
    if query["format"] == "pdf" or (query["format"] == "json" and wants_pdf):
        file = io.BytesIO()
        write_statement_pdf(session, file, found, start=query["start"], end=query["end"])
        return statement_file(file.getvalue(), account_id, "pdf")
    period = queries.statement(session, account_id, start=query["start"], end=query["end"])
    if query["format"] == "csv":
        return statement_file(history.statement_csv(found, period).encode(), account_id, "csv")

    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "asset": found.asset}

    lines = [
        {
            **{name: getattr(line, name) for name in ("version", "at", "kind", "reason", "counterpart", "transfer_id")},
            "amount": money(line.amount),
            "balance": money(line.balance),
        }
        for line in period.lines
    ]
    sums = {name: money(getattr(period, name)) for name in ("opening", "came", "went", "closing")}
    return {"start": period.start, "end": period.end, **sums, "lines": lines}


@rest.post("/holds", permission="wallet:transfer:create", idempotent=True)
@rest.arguments(HoldBody)
@rest.response(201, HoldSchema)
def hold(session: Session, actor: Actor, body: dict[str, Any]) -> Hold:
    """Reserve a part of your own balance for a time."""
    if actor.member_id is None:
        raise errors.NoWallet()
    money = body["amount"]
    account = service.open_account(session, asset=money["asset"], member_id=actor.member_id)
    lasts = timedelta(seconds=min(max(body["seconds"], 0), 10**9))
    return service.hold(session, actor, account=account, amount=money["amount"], lasts=lasts, reason=body["reason"])


@rest.get("/holds/<uuid:hold_id>", signed_in=True)
@rest.response(200, HoldSchema)
def show_hold(session: Session, actor: Actor, hold_id: UUID) -> Hold:
    """A hold on your own account; from its moment on it counts as expired."""
    found = _own_hold(session, actor, hold_id)
    if found.state == "open" and found.expires_at <= now():
        session.expunge(found)
        found.state = "expired"
    return found


@rest.post("/holds/<uuid:hold_id>/capture", permission="wallet:transfer:create", idempotent=True)
@rest.arguments(CaptureBody)
@rest.response(200, HoldSchema)
def capture(session: Session, actor: Actor, body: dict[str, Any], hold_id: UUID) -> Hold:
    """Pay what you reserved, or a part of it, to a member; the rest is yours again."""
    found = _own_hold(session, actor, hold_id)
    asset = queries.account(session, found.account_id).asset
    destination = service.open_account(session, asset=asset, member_id=body["to_member"])
    service.capture(session, actor, hold_id=hold_id, destination=destination, amount=body["amount"])
    return holding.get(session, hold_id)


@rest.post("/holds/<uuid:hold_id>/release", permission="wallet:transfer:create", idempotent=True)
@rest.response(200, HoldSchema)
def release(session: Session, actor: Actor, hold_id: UUID) -> Hold:
    """Give up what you reserved; it is yours again."""
    _own_hold(session, actor, hold_id)
    return service.release(session, actor, hold_id=hold_id)


@rest.post("/transfers/<uuid:transfer_id>/refund", permission="wallet:transfer:create", idempotent=True)
@rest.arguments(RefundBody)
@rest.response(201, MovedSchema)
def refund(session: Session, actor: Actor, body: dict[str, Any], transfer_id: UUID) -> dict[str, Any]:
    """Give back what you received, wholly or in part; with wallet:transfer:undo, what anybody received."""
    legs = queries.legs(session, transfer_id)
    mine = [leg for leg in legs if leg["member_id"] is not None and leg["member_id"] == actor.member_id]
    if not (mine and mine[-1]["amount"] > 0):
        if not actor.can("wallet:transfer:undo"):
            raise errors.UnknownTransfer()
        actor.require_step_up(or_key=True)
    receipt = service.refund(session, actor, transfer_id=transfer_id, amount=body["amount"], reason=body["reason"])
    return {
        "id": receipt.id,
        "amount": {"amount": receipt.amount, "asset": receipt.asset},
        "recorded_at": receipt.recorded_at,
    }


@rest.post(
    "/transfers/<uuid:transfer_id>/reverse", permission="wallet:transfer:undo", idempotent=True, moves_value=True
)
@rest.arguments(ReasonBody)
@rest.response(201, UndoneSchema)
def reverse(session: Session, actor: Actor, body: dict[str, Any], transfer_id: UUID) -> Any:
    """Move everything of a transfer back, with all that was linked to it."""
    return service.reverse(session, actor, transfer_id=transfer_id, reason=body["reason"])


@rest.get("/transfers/<uuid:transfer_id>/trace", permission="wallet:transfer:show")
@rest.arguments(TraceQuery, location="query")
@rest.response(200, TraceSchema)
def trace(session: Session, actor: Actor, query: dict[str, Any], transfer_id: UUID) -> tracing.Trace:
    """Where the units of a transfer went, or came from: first in, first out, at most 12 transfers far."""
    return tracing.trace(session, transfer_id, **query)


def _own_hold(session: Session, actor: Actor, hold_id: UUID) -> Hold:
    """A hold on one's own account. Raises UnknownHold also for somebody else's."""
    found = holding.get(session, hold_id)
    owner = queries.account(session, found.account_id).member_id
    if owner is None or owner != actor.member_id:
        raise errors.UnknownHold()
    return found
