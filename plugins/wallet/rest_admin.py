"""REST for who runs the ledger: accounts found and governed, adjustments proposed, the fund filled, the proof."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_babel import gettext
from marshmallow import validate
from sqlalchemy.orm import Session

from guildhall import Actor, uuid_of
from guildhall.web import Page, PageQuery, Schema, fields

from . import monitor, queries, service
from .models import STATES
from .rest import AccountSchema, require_cursor, rest
from .rest_money import ReasonBody
from .verify import labels, verify

STATE = validate.OneOf(STATES)


class MonitorQuery(PageQuery):
    asset = fields.String(load_default="", validate=validate.Length(max=12))
    state = fields.String(load_default="", validate=validate.OneOf(["", *STATES]))
    whose = fields.String(load_default="", validate=validate.OneOf(["", "members", "house"]))
    name = fields.String(load_default="", validate=[validate.Length(max=120), validate.ContainsNoneOf("\0")])
    least = fields.Units(load_default=None, metadata={"description": "Balances from; in units, with one asset."})
    most = fields.Units(load_default=None, metadata={"description": "Balances up to."})
    moved_since = fields.Instant(load_default=None)
    moved_until = fields.Instant(load_default=None)


class OwnedAccountSchema(AccountSchema):
    member_id = fields.UUID(allow_none=True, metadata={"description": "Null: an account of the house."})
    member = fields.String(allow_none=True)


class StateBody(ReasonBody):
    state = fields.String(required=True, validate=STATE)


class LimitsBody(ReasonBody):
    daily_limit = fields.Units(
        required=True, allow_none=True, metadata={"description": "What may leave in a day (UTC); null: as the asset."}
    )
    overdraft = fields.Units(required=True, metadata={"description": "How far below zero it may go."})
    low_below = fields.Units(
        allow_none=True,
        metadata={"description": "`wallet.balance.low` is told when it falls below; null: never; left out: as it is."},
    )


class AdjustmentBody(ReasonBody):
    amount = fields.Units(required=True, metadata={"description": "Above zero: added; below: taken.", "example": "-50"})


class AdjustmentSchema(Schema):
    review_id = fields.UUID(required=True, metadata={"description": "The case that another person decides."})


class FundBody(ReasonBody):
    amount = fields.Money(required=True)


class FundingSchema(Schema):
    transfer_id = fields.UUID(attribute="receipt.id", required=True)
    account_id = fields.UUID(attribute="receipt.destination", required=True)
    paid = fields.Integer(required=True, metadata={"description": "Waiting rewards that were paid at once."})


class FundSchema(Schema):
    asset = fields.String(required=True)
    account_id = fields.UUID(allow_none=True)
    balance = fields.Units(required=True)
    waiting = fields.Integer(required=True, metadata={"description": "Rewards that wait."})
    owed = fields.Units(required=True)
    short = fields.Units(required=True, metadata={"description": "What the fund lacks to pay them."})


class CirculationSchema(Schema):
    asset = fields.String(required=True)
    scale = fields.Integer(required=True)
    issued = fields.Units(required=True)
    house = fields.Units(required=True, metadata={"description": "Kept by the house."})
    members = fields.Units(required=True, metadata={"description": "In circulation."})


class LedgerSchema(Schema):
    circulation = fields.List(fields.Nested(CirculationSchema), required=True)
    funds = fields.List(fields.Nested(FundSchema), required=True)


class LedgerCheckSchema(Schema):
    name = fields.String(required=True)
    label = fields.String(required=True)
    broken = fields.Integer(required=True, metadata={"description": "How many rows break it."})
    subject = fields.String(allow_none=True, metadata={"description": "The first row that breaks it."})
    detail = fields.String(allow_none=True)


class ProofSchema(Schema):
    holds = fields.Boolean(required=True)
    checks = fields.List(fields.Nested(LedgerCheckSchema), required=True)


@rest.get("/monitor", permission="wallet:account:list")
@rest.arguments(MonitorQuery, location="query")
@rest.response(200, OwnedAccountSchema(many=True))
def find_accounts(session: Session, actor: Actor, query: dict[str, Any]) -> Page:
    """Find accounts by asset, state, owner, balance and last movement; the newest first."""
    cursor, limit = query.pop("cursor"), query.pop("limit")
    require_cursor(cursor, ids=True)
    found = monitor.accounts(session, monitor.Filter(**query), after=uuid_of(cursor), limit=limit + 1)
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


@rest.post("/accounts/<uuid:account_id>/state", permission="wallet:account:update", idempotent=True)
@rest.arguments(StateBody)
@rest.response(200, OwnedAccountSchema)
def change_state(session: Session, actor: Actor, body: dict[str, Any], account_id: UUID) -> queries.Balance:
    """Freeze, unfreeze or close an account; the reason is kept."""
    service.set_state(session, actor, account_id=account_id, **body)
    return queries.account(session, account_id)


@rest.put("/accounts/<uuid:account_id>/limits", permission="wallet:account:update")
@rest.arguments(LimitsBody)
@rest.response(200, OwnedAccountSchema)
def change_limits(session: Session, actor: Actor, body: dict[str, Any], account_id: UUID) -> queries.Balance:
    """Set an account's daily limit and overdraft, and below which balance it is announced; the reason is kept."""
    service.set_limits(session, actor, account_id=account_id, **body)
    return queries.account(session, account_id)


@rest.post(
    "/accounts/<uuid:account_id>/adjustments", permission="wallet:adjustment:create", idempotent=True, moves_value=True
)
@rest.arguments(AdjustmentBody)
@rest.response(202, AdjustmentSchema)
def propose_adjustment(session: Session, actor: Actor, body: dict[str, Any], account_id: UUID) -> dict[str, UUID]:
    """Propose to add units to an account, or to take them; nothing moves before another person approves it."""
    return {"review_id": service.propose_adjustment(session, actor, account_id=account_id, **body)}


@rest.get("/ledger", permission="wallet:account:list")
@rest.response(200, LedgerSchema)
def ledger(session: Session, actor: Actor) -> dict[str, Any]:
    """Where the units of each asset are, and its reward fund."""
    found = queries.circulation(session)
    return {"circulation": found, "funds": [queries.reward_fund(session, one.asset) for one in found]}


@rest.post("/ledger/fund", permission="wallet:fund:create", idempotent=True, moves_value=True)
@rest.arguments(FundBody)
@rest.response(201, FundingSchema)
def fill_fund(session: Session, actor: Actor, body: dict[str, Any]) -> service.Funding:
    """Issue units into the reward fund of an asset and pay the rewards that wait for it."""
    return service.fund_rewards(session, actor, reason=body["reason"], **body["amount"])


@rest.get("/ledger/proof", permission="wallet:account:list")
@rest.response(200, ProofSchema)
def prove(session: Session, actor: Actor) -> dict[str, Any]:
    """Prove the ledger: every check, and the first row that breaks it. Reads every entry."""
    found = {finding.check: finding for finding in verify(session)}
    checks = []
    for name, label in labels(session).items():
        one = found.get(name)
        told = {"broken": one.count, "subject": one.subject, "detail": one.detail} if one else {"broken": 0}
        checks.append({"name": name, "label": gettext(label), "subject": None, "detail": None, **told})
    return {"holds": not found, "checks": checks}
