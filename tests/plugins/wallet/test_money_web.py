"""Holds, refunds and history over HTTP; the journal as another bookkeeper reads it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from beancount import loader
from sqlalchemy import text

from core import clock
from core.ids import new_id
from plugins.wallet import history, service

from .conftest import SYSTEM, new_wallet
from .test_holds import reserve
from .test_many import legs
from .test_races import move
from .test_wallet_web import pay

API = "/api/v1/wallet"


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


def test_a_member_reserves_captures_a_part_and_sees_each_status(me, friend):
    client, _member, account = me
    body = {"amount": {"amount": "40", "asset": "POINTS"}, "seconds": 3600, "reason": "hotel"}
    first, second = (client.post(f"{API}/holds", body).json["data"] for _ in range(2))
    assert (first["state"], first["amount"]) == ("open", "40")
    refused = client.post(f"{API}/holds", body)
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "INSUFFICIENT_FUNDS")
    taken = client.post(f"{API}/holds/{first['id']}/capture", {"to_member": str(friend), "amount": "25"})
    assert (taken.json["data"]["state"], taken.json["data"]["captured"]) == ("captured", "25")
    assert client.get(f"{API}/holds/{second['id']}").json["data"]["state"] == "open"

    def listed(query=""):
        rows = client.get(f"{API}/accounts/{account}/transactions{query}").json["data"]
        return [(row["status"], row["amount"]["amount"], row["kind"]) for row in rows]

    assert listed() == [("pending", "-40", "hold"), ("completed", "-25", "capture"), ("completed", "100", "issue")]
    assert client.post(f"{API}/holds/{second['id']}/release", {}).json["data"]["state"] == "released"
    assert listed("?status=failed") == [("failed", "-40", "hold")]
    assert listed("?status=pending") == []
    assert listed("?kind=issue") == [("completed", "100", "issue")]
    page = client.get(f"{API}/accounts/{account}/transactions?limit=1").json
    following = client.get(f"{API}/accounts/{account}/transactions?cursor={page['meta']['page']['next_cursor']}").json
    assert [row["kind"] for row in following["data"]] == ["issue"]
    assert client.get(f"{API}/accounts/{account}/transactions?cursor=x").status_code == 422
    assert client.get(f"{API}/accounts/{account}/transactions?status=odd").status_code == 422


def test_an_expired_hold_says_so_and_cannot_be_captured(me, friend, platform):
    client, _member, account = me
    with clock.frozen(clock.now() - timedelta(hours=2)), platform.unit_of_work(SYSTEM) as session:
        held = reserve(session, account, 40).id
    assert client.get(f"{API}/holds/{held}").json["data"]["state"] == "expired"
    answer = client.post(f"{API}/holds/{held}/capture", {"to_member": str(friend)})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "HOLD_EXPIRED")
    assert client.get(f"{API}/accounts/{account}").json["data"]["available"]["amount"] == "100"


def test_who_received_gives_back_in_parts_and_only_they(me, friend, clients, platform):
    client, member, _account = me
    paid = pay(client, friend, "30").json["data"]["id"]
    assert client.post(f"{API}/transfers/{paid}/refund", {"reason": "mine"}).json["error"]["code"] == "UNKNOWN_TRANSFER"
    with platform.unit_of_work(SYSTEM) as session:
        other = new_wallet(session, 50)
        mine = session.scalar(text("SELECT id FROM wallet_account WHERE member_id = :id"), {"id": member})
        gift = move(session, other, mine, 20).id
    for part in ("15", None):
        answer = client.post(f"{API}/transfers/{gift}/refund", {"amount": part, "reason": "too much"})
        assert answer.status_code == 201, answer.json
    assert answer.json["data"]["amount"]["amount"] == "5"
    assert client.post(f"{API}/transfers/{paid}/reverse", {"reason": "x"}).status_code == 403
    undone = clients("Admin").post(f"{API}/transfers/{paid}/reverse", {"reason": "wrong person"})
    assert undone.status_code == 201, undone.json
    statuses = client.get(f"{API}/accounts/{mine}/transactions?status=reversed").json["data"]
    assert [row["id"] for row in statuses] == [paid]


def test_a_wallet_is_opened_named_and_asked_about_any_moment(me, client):
    mine, _member, account = me
    opened = mine.post(f"{API}/accounts", {"asset": "USD"})
    assert (opened.status_code, opened.json["data"]["balance"]["amount"]) == (201, "0")
    assert mine.post(f"{API}/accounts", {"asset": "USD"}).json["data"]["id"] == opened.json["data"]["id"]
    assert mine.post(f"{API}/accounts", {"asset": "GOLD"}).json["error"]["code"] == "UNKNOWN_ASSET"
    changed = mine.patch(f"{API}/accounts/{account}", {"label": "Lunch", "low_below": "50"}).json["data"]
    assert (changed["label"], changed["low_below"]) == ("Lunch", "50")
    at = clock.now().isoformat().replace("+00:00", "Z")
    assert mine.get(f"{API}/accounts/{account}/balance?at={at}").json["data"]["balance"]["amount"] == "100"
    assert (
        mine.get(f"{API}/accounts/{account}/balance?at=2020-01-01T00:00:00Z").json["data"]["balance"]["amount"] == "0"
    )
    for path in ("balance?at=2020-01-01T00:00:00Z", "transactions", "statement?start=2026-01-01T00:00:00Z"):
        assert client.get(f"{API}/accounts/{account}/{path}").status_code == 401


def test_a_statement_is_read_as_json_and_as_csv(me, friend):
    client, _member, account = me
    pay(client, friend, "30")
    start, end = (clock.now() + timedelta(days=days) for days in (-1, 1))
    period = "&".join(f"{name}={at.strftime('%Y-%m-%dT%H:%M:%SZ')}" for name, at in (("start", start), ("end", end)))
    told = client.get(f"{API}/accounts/{account}/statement?{period}").json["data"]
    figures = [told[name]["amount"] for name in ("opening", "came", "went", "closing")]
    assert (figures, len(told["lines"])) == (["0", "100", "30", "70"], 2)
    file = client.get(f"{API}/accounts/{account}/statement?{period}&format=csv")
    assert file.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [(row["kind"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", "0"), ("issue", "100", "100"), ("transfer", "-30", "70"), ("closing", "", "70"),
    ]  # fmt: skip
    for wrong in (f"start={end.date()}T00:00:00Z&end={start.date()}T00:00:00Z", "start=x&end=y"):
        assert client.get(f"{API}/accounts/{account}/statement?{wrong}").status_code == 422
    assert client.get(f"{API}/accounts/{new_id()}/statement?{period}").status_code == 404


def test_no_cell_of_a_file_is_a_formula(session, wallet):
    from plugins.wallet import queries

    one, other = wallet(100), wallet()
    move(session, one, other, 1, reason="=1+1")
    period = queries.statement(session, one, start=clock.now() - timedelta(days=1), end=clock.now() + timedelta(days=1))
    assert "'=1+1" in history.statement_csv(queries.account(session, one), period)


@pytest.mark.parametrize("tampered", [False, True])
def test_another_bookkeeper_balances_the_journal(session, wallet, tampered):
    one, two, dollars = wallet(100), wallet(), wallet(12_345, "USD")
    sonic = wallet(10**18 + 1, "S")
    move(session, one, two, 30, reason='say "hi" \\ twice\nnext')
    service.post_many(session, SYSTEM, [service.Move(legs=legs((one, -10), (two, 10)), kind="a")])
    move(session, sonic, wallet(0, "S"), 1)
    service.refund(session, SYSTEM, transfer_id=move(session, dollars, wallet(0, "USD"), 45).id, reason="x")
    lines = "".join(history.journal(session))
    if tampered:
        lines = lines.replace(" 30 POINTS", " 31 POINTS", 1)
    entries, problems, _options = loader.load_string(lines)
    assert bool(problems) is tampered, problems
    assert len(entries) > 15
