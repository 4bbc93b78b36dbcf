"""What the ledger is interrupted in: each act has a reference, so that it can be tried again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from core.actor import Actor
from core.platform import Platform
from plugins.wallet import service
from plugins.wallet.service import Leg, Move

ACTOR = Actor.system("acts")


def act(platform: Platform, given: str) -> None:
    """Do one act, given as JSON, in a transaction of its own."""
    what: dict[str, Any] = json.loads(given)
    key, one, other = what["key"], UUID(what["one"]), UUID(what["other"])
    with platform.unit_of_work(ACTOR) as session:
        match what["act"]:
            case "hold":
                service.hold(session, ACTOR, account=one, amount=30, lasts=timedelta(hours=1), reference=key)
            case "capture":
                hold = UUID(what["of"])
                service.capture(session, ACTOR, hold_id=hold, destination=other, amount=20, reference=key)
            case "refund":
                paid = UUID(what["of"])
                service.refund(session, ACTOR, transfer_id=paid, amount=10, reason="broken", reference=key)
            case "batch":
                moves = [
                    Move(legs=(Leg(one, -5), Leg(other, 5)), kind="batch", reference=f"{key}:{number}")
                    for number in range(3)
                ]
                service.post_many(session, ACTOR, moves)
