"""What a new wallet plugin begins with: assets, and the accounts of the house for points."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor

from .models import Asset
from .service import open_account

ASSETS = [
    ("POINTS", "Points", "point", 0),
    ("CREDITS", "AI credits", "credit", 0),
    ("USD", "US dollar", "fiat", 2),
    ("USDT", "Tether USD", "stable", 6),
    ("USDC", "USD Coin", "stable", 6),
    ("TRX", "TRON", "token", 6),
    ("OGC", "OGC token", "token", 18),
    ("S", "Sonic", "token", 18),
    ("POL", "Polygon", "token", 18),
    ("ETH", "Ether", "token", 18),
]


def seed(session: Session, actor: Actor) -> None:
    """Insert what is missing; an admin's changes stay."""
    rows = [{"code": code, "name": name, "kind": kind, "scale": scale} for code, name, kind, scale in ASSETS]
    session.execute(insert(Asset).values(rows).on_conflict_do_nothing())
    open_account(session, asset="POINTS", purpose="issuance")
    open_account(session, asset="POINTS", purpose="rewards")
