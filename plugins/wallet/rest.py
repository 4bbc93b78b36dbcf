"""REST: a member's own wallet. Amounts are strings of the asset's smallest unit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, Invalid, _, uuid_of
from guildhall.web import Page, PageQuery, RestBlueprint, Schema, fields

from . import errors, queries, service

rest = RestBlueprint("wallet")


class AccountSchema(Schema):
    id = fields.UUID(required=True)
    asset = fields.String(required=True)
    scale = fields.Integer(
        required=True, metadata={"description": "Decimals: one is 10 to the power of this in units."}
    )
    purpose = fields.String(required=True)
    label = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["active", "frozen", "closed"]})
    balance = fields.Money(attribute="money.balance", required=True)
    held = fields.Money(attribute="money.held", required=True)
    available = fields.Money(attribute="money.available", required=True)
    daily_limit = fields.Units(
        allow_none=True, metadata={"description": "What may leave in a day (UTC); null: no limit."}
    )
    spent_today = fields.Units(required=True, metadata={"description": "How much of the limit is used."})
    low_below = fields.Units(allow_none=True, metadata={"description": "You are told when the balance falls below."})
    moved_at = fields.Instant(allow_none=True)


class EntrySchema(Schema):
    version = fields.Integer(required=True, metadata={"description": "Number of the entry on its account, from 1."})
    at = fields.Instant(required=True)
    amount = fields.Money(required=True, metadata={"description": "Above zero: it came; below: it went."})
    balance = fields.Money(required=True, metadata={"description": "What was there after it."})
    kind = fields.String(required=True)
    reason = fields.String(required=True)
    counterpart = fields.String(required=True)
    transfer_id = fields.UUID(required=True)


class TransferBody(Schema):
    to_member = fields.UUID(required=True)
    amount = fields.Money(required=True)
    note = fields.String(load_default="", validate=validate.Length(max=400))


class TransferSchema(Schema):
    id = fields.UUID(required=True)
    from_account = fields.UUID(attribute="source", required=True)
    to_account = fields.UUID(attribute="destination", required=True)
    amount = fields.Money(required=True)
    balance = fields.Money(required=True, metadata={"description": "Left in the paying account."})
    recorded_at = fields.Instant(required=True)


@rest.get("/accounts", signed_in=True)
@rest.response(200, AccountSchema(many=True))
def my_accounts(session: Session, actor: Actor) -> list[queries.Balance]:
    """Your accounts, one an asset."""
    return queries.balances(session, actor.member_id) if actor.member_id else []


@rest.get("/accounts/<uuid:account_id>", signed_in=True)
@rest.response(200, AccountSchema)
def account(session: Session, actor: Actor, account_id: UUID) -> queries.Balance:
    """One account: your own, or any with wallet:account:show."""
    return visible(session, actor, account_id)


@rest.get("/accounts/<uuid:account_id>/entries", signed_in=True)
@rest.arguments(PageQuery, location="query")
@rest.response(200, EntrySchema(many=True))
def entries(session: Session, actor: Actor, query: dict[str, Any], account_id: UUID) -> Page:
    """What came and went on an account, the newest first, with the balance after each."""
    asset = visible(session, actor, account_id).asset
    cursor, limit = query["cursor"], query["limit"]
    require_cursor(cursor)
    lines = queries.history(session, account_id, before=int(cursor) if cursor else None, limit=limit + 1)
    rows = [
        {
            "version": line.version,
            "at": line.at,
            "kind": line.kind,
            "reason": line.reason,
            "counterpart": line.counterpart,
            "transfer_id": line.transfer_id,
            "amount": {"amount": line.amount, "asset": asset},
            "balance": {"amount": line.balance, "asset": asset},
        }
        for line in lines[:limit]
    ]
    return Page(rows, str(rows[-1]["version"]) if len(lines) > limit else None)


@rest.post("/transfer", permission="wallet:transfer:create", idempotent=True)
@rest.arguments(TransferBody)
@rest.response(201, TransferSchema)
def transfer(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Pay another member from your own account."""
    receipt = service.pay_member(session, actor, to_member=body["to_member"], note=body["note"], **body["amount"])
    return {
        "id": receipt.id,
        "source": receipt.source,
        "destination": receipt.destination,
        "amount": {"amount": receipt.amount, "asset": receipt.asset},
        "balance": {"amount": receipt.source_balance, "asset": receipt.asset},
        "recorded_at": receipt.recorded_at,
    }


def visible(session: Session, actor: Actor, account_id: UUID) -> queries.Balance:
    """An account that the actor may know of. Raises UnknownAccount also for somebody else's."""
    found = queries.account(session, account_id)
    mine = found.member_id is not None and found.member_id == actor.member_id
    if not mine and not actor.can("wallet:account:show"):
        raise errors.UnknownAccount()
    return found


def require_cursor(cursor: str, *, ids: bool = False) -> None:
    """Raise Invalid for a cursor that no page of ours gave: of a page by number or, with ``ids``, by id."""
    known = uuid_of(cursor) is not None if ids else cursor.isascii() and cursor.isdigit() and len(cursor) < 19
    if cursor and not known:
        raise Invalid({"cursor": [_("This cursor is not from here. Start again without one.")]})
