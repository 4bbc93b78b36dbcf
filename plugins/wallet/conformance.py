"""Four routes for outside test kits: empty the ledger, post, ask for a balance, read the journal.

They ask for no sign-in and can empty the ledger, so they exist only where ``GUILDHALL_CONFORMANCE_ROUTES`` makes them.
An account is a name; ``issuance`` is the only one that may hold less than zero.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from marshmallow import validate
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guildhall import Actor
from guildhall.web import RestBlueprint, Schema, fields

from . import service
from .models import Account, Entry, Transfer
from .seed import seed

rest = RestBlueprint("wallet", part="conformance", prefix="/api/v1/wallet/conformance")

_NAME = validate.Regexp(r"[a-z0-9][a-z0-9_-]{0,15}\Z")
# Whoever plays the part of a replica is not asked by the triggers that keep entries as they are.
_RESET = (
    "SET LOCAL session_replication_role = replica",
    "TRUNCATE wallet_tip, wallet_checkpoint, wallet_reward, wallet_hold, wallet_entry, wallet_transfer, wallet_account",
    "SET LOCAL session_replication_role = origin",
)


class LegBody(Schema):
    account = fields.String(required=True, validate=_NAME, metadata={"example": "alice"})
    amount = fields.Units(required=True, metadata={"description": "Above zero: it comes; below: it goes."})
    asset = fields.String(required=True, metadata={"example": "POINTS"})


class PostBody(Schema):
    id = fields.String(
        required=True, validate=validate.Length(1, 180), metadata={"description": "Posts once, however often it comes."}
    )
    legs = fields.List(fields.Nested(LegBody), required=True, validate=validate.Length(2, 100))


class PostedSchema(Schema):
    id = fields.String(required=True)
    transfer_id = fields.UUID(required=True)
    replayed = fields.Boolean(required=True)


class BalanceQuery(Schema):
    account = fields.String(required=True, validate=_NAME)
    asset = fields.String(required=True)


class BalanceSchema(Schema):
    account = fields.String(required=True)
    balance = fields.Money(required=True)
    entries = fields.Integer(required=True)


class ResetSchema(Schema):
    reset = fields.Boolean(required=True)


class JournalSchema(Schema):
    id = fields.String(required=True)
    transfer_id = fields.UUID(required=True)
    recorded_at = fields.Instant(required=True)
    legs = fields.List(fields.Nested(LegBody), required=True)


@rest.post("/reset", public=True)
@rest.response(200, ResetSchema)
def reset(session: Session, actor: Actor) -> dict[str, bool]:
    """Empty the ledger."""
    for statement in _RESET:
        session.execute(text(statement))
    session.expire_all()
    seed(session, actor)
    return {"reset": True}


@rest.post("/post", public=True)
@rest.arguments(PostBody)
@rest.response(200, PostedSchema)
def post(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Post one transfer of any legs, whole or not at all."""
    keys = [(leg["asset"], _purpose(leg["account"]), None) for leg in body["legs"]]
    accounts = service.open_accounts(session, keys)
    legs = tuple(service.Leg(accounts[key], leg["amount"]) for key, leg in zip(keys, body["legs"], strict=True))
    move = service.Move(legs=legs, kind="conformance", reference=f"conformance:{body['id']}")
    done = service.post_many(session, Actor.system("conformance"), [move])
    return {"id": body["id"], "transfer_id": done.ids[0], "replayed": done.replayed}


@rest.get("/balance", public=True)
@rest.arguments(BalanceQuery, location="query")
@rest.response(200, BalanceSchema)
def balance(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """What an account holds; zero for one that nothing was posted to."""
    found = session.execute(
        select(Account.posted, Account.version).where(
            Account.asset == query["asset"],
            Account.purpose == _purpose(query["account"]),
            Account.member_id.is_(None),
            Account.stripe == 0,
        )
    ).first()
    posted, entries = found or (0, 0)
    return {
        "account": query["account"],
        "balance": {"amount": int(posted), "asset": query["asset"]},
        "entries": entries,
    }


@rest.get("/journal", public=True)
@rest.response(200, JournalSchema(many=True))
def journal(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """Every transfer that was posted here, in the order of its recording."""
    rows = session.execute(
        select(Transfer, Account, Entry.amount)
        .join(Entry, Entry.transfer_id == Transfer.id)
        .join(Account, Account.id == Entry.account_id)
        .where(Transfer.kind == "conformance")
        .order_by(Transfer.recorded_at, Transfer.id, Entry.amount, Account.id)
    )
    told: dict[UUID, dict[str, Any]] = {}
    for made, account, amount in rows:
        one = told.setdefault(
            made.id,
            {
                "id": (made.reference or "").removeprefix("conformance:"),
                "transfer_id": made.id,
                "recorded_at": made.recorded_at,
                "legs": [],
            },
        )
        name = account.purpose.removeprefix("kit:")
        one["legs"].append({"account": name, "amount": int(amount), "asset": account.asset})
    return list(told.values())


def _purpose(name: str) -> str:
    return name if name == "issuance" else f"kit:{name}"
