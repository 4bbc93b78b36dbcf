"""The wallet's routes and pages, over HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from core.ids import new_id
from plugins.wallet import queries

from .conftest import SYSTEM, new_wallet
from .test_rewards import ask, request


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


def pay(client, to_member, amount="30", asset="POINTS", **more):
    body = {"to_member": str(to_member), "amount": {"amount": amount, "asset": asset}, "note": "lunch"}
    return client.post("/api/v1/wallet/transfer", body, **more)


def test_a_member_pays_another_and_sees_it_in_the_history(me, friend):
    client, _member, account = me
    answer = pay(client, friend)
    assert answer.status_code == 201, answer.json
    assert answer.json["data"]["amount"] == {"amount": "30", "asset": "POINTS"}
    assert answer.json["data"]["balance"] == {"amount": "70", "asset": "POINTS"}
    [mine] = client.get("/api/v1/wallet/accounts").json["data"]
    assert (mine["id"], mine["balance"]["amount"], mine["state"]) == (str(account), "70", "active")
    assert client.get(f"/api/v1/wallet/accounts/{account}").json["data"] == mine
    first = client.get(f"/api/v1/wallet/accounts/{account}/entries?limit=1").json
    [line] = first["data"]
    assert (line["amount"]["amount"], line["counterpart"], line["reason"]) == ("-30", "Grace", "lunch")
    cursor = first["meta"]["page"]["next_cursor"]
    second = client.get(f"/api/v1/wallet/accounts/{account}/entries?limit=1&cursor={cursor}").json
    assert second["data"][0]["amount"]["amount"] == "100"
    assert second["meta"]["page"]["next_cursor"] is None


def test_one_idempotency_key_pays_once(me, friend):
    client, *_ = me
    key = {"Idempotency-Key": "lunch-1"}
    first, again = pay(client, friend, headers=key), pay(client, friend, headers=key)
    assert first.json["data"] == again.json["data"]
    assert client.get("/api/v1/wallet/accounts").json["data"][0]["balance"]["amount"] == "70"


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"amount": "101"}, 409, "INSUFFICIENT_FUNDS"),
        ({"amount": "0"}, 422, "AMOUNT_NOT_POSITIVE"),
        ({"amount": "-5"}, 422, "AMOUNT_NOT_POSITIVE"),
        ({"amount": "1.5"}, 422, None),
        ({"amount": 5}, 422, None),
        ({"asset": "GOLD"}, 422, "UNKNOWN_ASSET"),
        ({"asset": "USD"}, 409, "INSUFFICIENT_FUNDS"),
        ({"to_member": new_id()}, 404, "UNKNOWN_MEMBER"),
    ],
)
def test_refusals_have_their_code(me, friend, given, status, code):
    client, *_ = me
    answer = pay(client, **{"to_member": friend, **given})
    assert answer.status_code == status, answer.json
    assert answer.json["success"] is False
    if code:
        assert answer.json["error"]["code"] == code


def test_paying_oneself_is_refused(me):
    client, member, _account = me
    assert pay(client, member).json["error"]["code"] == "SAME_ACCOUNT"


def test_nobody_sees_or_spends_what_is_not_theirs(me, platform, client):
    mine, *_ = me
    with platform.unit_of_work(SYSTEM) as session:
        other = new_wallet(session, 50)
        fund = queries.reward_fund(session).account_id
    for account in (other, fund, new_id()):
        assert mine.get(f"/api/v1/wallet/accounts/{account}").status_code == 404
        assert mine.get(f"/api/v1/wallet/accounts/{account}/entries").status_code == 404
    assert mine.get("/api/v1/wallet/transfers").status_code == 403
    for path in ("/api/v1/wallet/accounts", f"/api/v1/wallet/accounts/{other}"):
        assert client.get(path).status_code == 401
    assert pay(client, new_id()).status_code == 401


def test_a_bad_cursor_is_refused(me):
    client, _member, account = me
    for cursor in ("x", "-1", "9" * 30):
        assert client.get(f"/api/v1/wallet/accounts/{account}/entries?cursor={cursor}").status_code == 422


def test_members_see_their_own_rewards_only(me, platform, friend):
    client, member, _account = me
    ask(platform, request(member), request(friend))
    assert [row["member_id"] for row in client.get("/api/v1/wallet/rewards").json["data"]] == [str(member)]


def test_an_admin_freezes_a_wallet_with_a_reason(platform, clients, me, friend):
    client, _member, account = me
    admin = clients("Admin")
    url = f"/admin/wallet/accounts/{account}/state"
    admin.post(url, data={"state": "frozen", "reason": ""})
    assert pay(client, friend, "1").status_code == 201
    admin.post(url, data={"state": "frozen", "reason": "looks odd"})
    assert pay(client, friend, "1").json["error"]["code"] == "WALLET_FROZEN"
    with platform.unit_of_work() as session:
        audited = session.execute(
            text(
                "SELECT reason, changes FROM core_audit "
                "WHERE action = 'wallet.account.state_changed' AND subject_id = :account"
            ),
            {"account": str(account)},
        ).one()
    assert tuple(audited) == ("looks odd", {"state": ["active", "frozen"]})
    assert admin.post(url, data={"state": "gone", "reason": "x"}).status_code == 422


def test_a_moderator_looks_and_does_not_touch(clients, me):
    _client, _member, account = me
    moderator, user = clients("Moderator"), clients("User")
    assert moderator.get(f"/admin/wallet/accounts/{account}").status_code == 200
    assert moderator.get("/admin/wallet/fund").status_code == 403
    assert moderator.post(f"/admin/wallet/accounts/{account}/state", data={"state": "frozen"}).status_code == 403
    assert user.get("/admin/wallet/ledger").status_code == 403
