"""What who runs the ledger does with transfers, holds, accounts and assets, on pages and by REST alike."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.ids import new_id
from core.switches import service as switches
from plugins.wallet import queries, service
from plugins.wallet.verify import verify

from .conftest import SYSTEM, balance, new_member, new_wallet

API = "/api/v1/wallet"
LOW = """
    SELECT payload->>'balance' FROM core_event WHERE name = 'wallet.balance.low' AND payload->>'account_id' = :id
"""
ACTS = "/admin/acts/wallet."


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


@pytest.fixture
def admin(clients):
    return clients("Admin")


@pytest.fixture
def paid(platform):
    """A payment of 30.00 USD: (transfer, payer, payee)."""
    with platform.unit_of_work(SYSTEM) as session:
        payer, payee = new_wallet(session, 10_000, "USD"), new_wallet(session, 0, "USD")
        receipt = service.transfer(
            session, SYSTEM, source=payer, destination=payee, amount=3_000, kind="transfer", reason="the rent"
        )
    return receipt.id, payer, payee


def held(platform, account):
    with platform.unit_of_work() as session:
        return balance(session, account)


def once():
    return {"Idempotency-Key": str(uuid4())}


def test_a_transfer_is_refunded_in_parts_and_then_no_more_from_its_page(platform, admin, paid):
    transfer, payer, payee = paid
    page = admin.get(f"/admin/wallet/transfer/show/{transfer}").text
    assert "Refund…" in page
    assert "Reverse…" in page
    form = {"amount": "12.50", "reason": "broken", "_once": str(new_id())}
    for _twice in range(2):
        assert admin.post(f"{ACTS}transfer/refund/{transfer}", data=form).status_code == 303
    assert (held(platform, payer), held(platform, payee)) == (8_250, 1_750)
    rest = {"amount": "", "reason": "the rest", "_once": str(new_id())}
    assert admin.post(f"{ACTS}transfer/refund/{transfer}", data=rest).status_code == 303
    assert held(platform, payee) == 0
    for wrong in ({"amount": "0.01"}, {"amount": "1.234"}, {"amount": "all"}, {"amount": "-1"}):
        admin.post(f"{ACTS}transfer/refund/{transfer}", data={"reason": "more", **wrong})
    assert admin.post(f"{ACTS}transfer/refund/{transfer}", data={"reason": ""}).status_code == 422
    assert held(platform, payer) == 10_000
    page = admin.get(f"/admin/wallet/transfer/show/{transfer}").text
    assert "Given back" in page
    assert "Refund…" not in page, "nothing is left of it"
    assert "Reverse…" not in page
    assert page.index("12.50 USD") < page.index("17.50 USD")
    with platform.unit_of_work() as session:
        assert verify(session) == []


def test_many_transfers_are_reversed_at_once_and_each_once(platform, admin, paid):
    transfer, payer, payee = paid
    begun = admin.post(
        f"{API}/transfers/bulk",
        {"act": "reverse", "ids": [str(transfer), str(transfer)], "values": {"reason": "fraud"}},
        headers=once(),
    )
    assert begun.status_code == 201, begun.text
    assert begun.json["data"]["counts"]["done"] == 1
    assert (held(platform, payer), held(platform, payee)) == (10_000, 0)
    again = admin.post(f"{ACTS}transfer/reverse/{transfer}", data={"reason": "again"})
    assert "already" in admin.get(again.location).text
    assert held(platform, payer) == 10_000


def test_who_may_not_undo_sees_no_button(clients, paid):
    moderator = clients("Moderator")
    assert "Reverse…" not in moderator.get(f"/admin/wallet/transfer/show/{paid[0]}").text
    assert moderator.post(f"{ACTS}transfer/reverse/{paid[0]}", data={"reason": "x"}).status_code == 403


def test_nothing_is_undone_while_transfers_are_switched_off(platform, admin, paid):
    with platform.unit_of_work(SYSTEM) as session:
        switches.pull(session, SYSTEM, "wallet.transfers", reason="an incident")
    try:
        admin.post(f"{ACTS}transfer/reverse/{paid[0]}", data={"reason": "x"})
        assert held(platform, paid[1]) == 7_000
    finally:
        with platform.unit_of_work(SYSTEM) as session:
            switches.restore(session, SYSTEM, "wallet.transfers")


def test_a_hold_is_released_by_an_admin(platform, admin, paid):
    with platform.unit_of_work(SYSTEM) as session:
        made = service.hold(session, SYSTEM, account=paid[1], amount=500, lasts=timedelta(hours=1), reason="x").id
    assert admin.post(f"{ACTS}hold/release/{made}").status_code == 303
    with platform.unit_of_work() as session:
        assert queries.account(session, paid[1]).held == 0


def test_an_account_is_governed_by_rest(platform, admin, clients, paid):
    _transfer, payer, _payee = paid
    url = f"{API}/accounts/{payer}"
    limits = {"daily_limit": "5000", "overdraft": "0", "low_below": "1000", "reason": "agreed"}
    changed = admin.http.put(f"{url}/limits", json=limits, headers=admin.headers)
    assert changed.json["data"]["daily_limit"] == "5000"
    assert changed.json["data"]["low_below"] == "1000"
    frozen = admin.post(f"{url}/state", {"state": "frozen", "reason": "asked"}, headers=once())
    assert frozen.json["data"]["state"] == "frozen"
    assert admin.post(f"{url}/state", {"state": "odd", "reason": "asked"}, headers=once()).status_code == 422
    assert admin.post(f"{url}/state", {"state": "active", "reason": " "}, headers=once()).status_code == 422
    asked = admin.post(f"{url}/adjustments", {"amount": "-50", "reason": "a mistake"}, headers=once())
    assert asked.status_code == 202
    assert held(platform, payer) == 7_000, "another person decides"
    found = admin.get(f"{API}/monitor?asset=USD&state=frozen&least=7000&most=7000&limit=100").json["data"]
    assert str(payer) in {one["id"] for one in found}
    assert admin.get(f"{API}/monitor?cursor=nonsense").status_code == 422
    moderator = clients("Moderator")
    assert moderator.get(f"{API}/monitor").status_code == 200
    assert moderator.post(f"{url}/state", {"state": "active", "reason": "x"}, headers=once()).status_code == 403
    assert clients("User").get(f"{API}/monitor").status_code == 403


def test_the_fund_is_filled_and_the_ledger_proved_by_rest(admin):
    key, body = once(), {"amount": {"amount": "500", "asset": "TRX"}, "reason": "May"}
    first, again = (admin.post(f"{API}/ledger/fund", body, headers=key) for _ in range(2))
    assert first.status_code == 201, first.text
    assert first.json["data"] == again.json["data"]
    told = admin.get(f"{API}/ledger").json["data"]
    assert [one["balance"] for one in told["funds"] if one["asset"] == "TRX"] == ["500"]
    assert [one["issued"] for one in told["circulation"] if one["asset"] == "TRX"] == ["500"]
    proof = admin.get(f"{API}/ledger/proof").json["data"]
    assert proof["holds"] is True
    assert {"balanced", "chain", "sealed"} <= {one["name"] for one in proof["checks"]}


def test_a_fund_that_runs_low_is_announced(platform, admin):
    with platform.unit_of_work(SYSTEM) as session:
        service.fund_rewards(session, SYSTEM, amount=100, asset="S", reason="test")
        fund = queries.reward_fund(session, "S").account_id
        to = service.open_account(session, asset="S", member_id=new_member(session))
    form = {"daily_limit": "", "overdraft": "0", "low_below": "0." + "0" * 16 + "50", "reason": "watch it"}
    assert admin.post(f"/admin/wallet/accounts/{fund}/limits", data=form).status_code == 303
    with platform.unit_of_work(SYSTEM) as session:
        service.transfer(session, SYSTEM, source=fund, destination=to, amount=60, kind="transfer")
    with platform.unit_of_work() as session:
        assert session.scalars(text(LOW), {"id": str(fund)}).all() == ["40"]


def test_an_asset_is_made_by_an_admin_and_what_it_counts_by_stays(platform, admin):
    code = "K" + new_id().hex[-8:].upper()
    body = {"code": code, "name": "Kudos", "kind": "point", "scale": 2, "stripes": 1}
    made = admin.post(f"{API}/assets", body, headers=once())
    assert made.status_code == 201, made.text
    with platform.unit_of_work(SYSTEM) as session:
        account = new_wallet(session, 1_250, code)
        assert queries.account(session, account).shown == "12.50"
    for wrong in ({"scale": 3}, {"code": "OTHER"}, {"kind": "fiat"}, {"stripes": 65}, {"large_from": "0"}):
        assert admin.patch(f"{API}/assets/{code}", wrong).status_code == 422, wrong
    renamed = admin.patch(f"{API}/assets/{code}", {"name": "Thanks", "daily_limit": "900"})
    assert renamed.json["data"]["name"] == "Thanks"
    for odd in ({"code": "low"}, {"code": "X" * 13}, {"code": code}, {"code": "OK", "scale": 19}):
        assert admin.post(f"{API}/assets", {**body, **odd}, headers=once()).status_code in (409, 422), odd
    assert "Kudos" not in admin.get("/admin/wallet/asset/list/").text
    assert admin.get("/admin/wallet/asset/add").status_code == 200


def test_an_accounts_transactions_are_looked_for_on_its_page(platform, admin, paid):
    _transfer, payer, payee = paid
    with platform.unit_of_work(SYSTEM) as session:
        service.hold(session, SYSTEM, account=payer, amount=777, lasts=timedelta(hours=1), reason="a deposit")
        wrong = service.transfer(
            session, SYSTEM, source=payer, destination=payee, amount=111, kind="transfer", reason="by mistake"
        )
        service.reverse(session, SYSTEM, transfer_id=wrong.id, reason="undone")
    url = f"/admin/wallet/accounts/{payer}"

    def seen(query):
        page = admin.get(f"{url}?{query}")
        assert page.status_code == 200
        return {word for word in ("the rent", "a deposit", "by mistake", "undone") if word in page.text}

    assert seen("") == {"the rent", "by mistake", "undone"}
    assert seen("status=pending") == {"a deposit"}
    assert seen("status=reversed") == {"by mistake"}
    assert seen("kind=transfer") == {"the rent", "by mistake"}
    assert seen("kind=transfer&status=completed") == {"the rent"}
    assert seen("since=2999-01-01") == set()
    assert seen("until=2999-01-01") == {"the rent", "a deposit", "by mistake", "undone"}
    for odd in (
        "status=odd",
        "since=soon",
        "kind=%00",
        "status=pending&after=7",
        "kind=transfer&after=x",
        "until=0000",
    ):
        assert admin.get(f"{url}?{odd}").status_code == 200, odd
