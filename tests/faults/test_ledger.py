"""A process is killed in the middle of a hold, a capture, a refund or a batch: it is done whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.ids import new_id
from core.members.models import Member
from plugins.wallet import service
from plugins.wallet.verify import verify
from tests.faults import ledger_acts
from tests.faults.conftest import SYSTEM, House

STATEMENTS = {
    "hold": "wallet_hold_open(",
    "capture": "wallet_post(",
    "refund": "wallet_post(",
    "batch": "wallet_post_many(",
}
# Balance and hold of who pays and who is paid, when it is done: 100 and 0 of either at first.
DONE = {"hold": (100, 30, 100, 0), "capture": (80, 0, 120, 0), "refund": (70, 0, 130, 0), "batch": (85, 0, 115, 0)}
BEFORE = {"hold": (100, 0, 100, 0), "capture": (100, 30, 100, 0), "refund": (60, 0, 140, 0), "batch": (100, 0, 100, 0)}
POINTS = [("after", ""), ("after", "INSERT INTO core_event"), ("before", ""), ("committed", "")]


@pytest.mark.parametrize("act", STATEMENTS)
@pytest.mark.parametrize("point", POINTS, ids=["in the statement", "at its events", "before the commit", "after it"])
def test_kill_9_leaves_all_of_it_or_nothing_and_a_retry_ends_it(
    house: House, eventually: Callable[..., None], act: str, point: tuple[str, str]
) -> None:
    when, statement = point
    given: dict[str, Any] = {"act": act, "key": f"{act}-{new_id()}"}
    with house.platform.unit_of_work(SYSTEM) as session:
        for side in ("one", "other"):
            member = Member(id=new_id(), display_name=side)
            session.add(member)
            session.flush()
            account = service.open_account(session, asset="POINTS", member_id=member.id)
            service.issue(session, SYSTEM, destination=account, amount=100, reason="test")
            given[side] = account
        one, other = given["one"], given["other"]
        if act == "capture":
            held = service.hold(session, SYSTEM, account=one, amount=30, lasts=timedelta(hours=1))
            given["of"] = held.id
        if act == "refund":
            paid = service.transfer(session, SYSTEM, source=one, destination=other, amount=40, kind="transfer")
            given["of"] = paid.id

    def found() -> tuple[int, ...]:
        query = text("SELECT posted::int, held::int FROM wallet_account WHERE id = :id")
        with house.platform.unit_of_work() as session:
            assert verify(session) == []
            return tuple(value for side in (one, other) for value in session.execute(query, {"id": side}).one())

    assert found() == BEFORE[act]
    events = house.count("core_event")
    said = json.dumps(given, default=str)
    victim = house.start("ledger", when, statement or STATEMENTS[act], given=said)
    eventually(lambda: house.gone(victim), 30)
    eventually(lambda: not house.count("pg_stat_activity WHERE state LIKE 'idle in%' AND pid <> pg_backend_pid()"))
    whole = when == "committed"
    assert found() == (DONE if whole else BEFORE)[act]
    assert (house.count("core_event") > events) is whole
    for _again in range(2):
        ledger_acts.act(house.platform, said)
        assert found() == DONE[act]
