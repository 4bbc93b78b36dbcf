"""The pages that show the whole house, on a database of their own."""

from __future__ import annotations

import re

from core.ids import new_id
from plugins.wallet import queries

from .test_rewards import ask, fill, request
from .test_wallet_web import pay


def test_the_pages_of_the_admin_open(platform, clients, me, friend):
    client, member, account = me
    pay(client, friend)
    ask(platform, request(member, 40))
    fill(platform, 10)
    admin = clients("Admin")
    ledger = admin.get("/admin/wallet/ledger")
    assert ledger.status_code == 200
    assert "Reward fund" in ledger.text
    proof = admin.get("/admin/wallet/ledger/verify")
    assert "The ledger proves" in proof.text
    page = admin.get(f"/admin/wallet/accounts/{account}")
    assert page.status_code == 200
    assert "+100" in page.text
    assert "-30" in page.text
    assert "lunch" in page.text
    with platform.unit_of_work() as session:
        transfer = queries.history(session, account, limit=1)[0].transfer_id
    record = admin.get(f"/admin/wallet/transfer/show/{transfer}")
    assert record.status_code == 200
    assert "Grace" in record.text
    for name in ("account", "transfer", "reward", "asset"):
        listed = admin.get(f"/admin/wallet/{name}/list/")
        assert listed.status_code == 200, name
    assert "Tether USD" in admin.get("/admin/wallet/asset/show/USDT").text
    panel = admin.get(f"/admin/members/{member}/wallet")
    assert panel.status_code == 200
    assert "Last entries in POINTS" in panel.text
    assert admin.get("/admin/widgets/wallet/circulation").status_code == 200
    assert re.search(r"1 reward waits; 30 points are missing", admin.get("/admin/widgets/wallet/fund").text)


def test_an_admin_fills_the_fund_once_however_often_the_form_is_sent(platform, clients, friend):
    ask(platform, request(friend, 40))
    admin = clients("Admin")
    form = admin.get("/admin/wallet/fund").text
    reference = re.search(r'name="reference" value="([^"]+)"', form)[1]
    given = {"asset": "POINTS", "amount": "1000", "reason": "July", "reference": reference}
    for _ in range(2):
        sent = admin.post("/admin/wallet/fund", data=given)
        assert sent.status_code == 303, sent.text
    with platform.unit_of_work() as session:
        assert queries.reward_fund(session).balance == 960
        assert queries.balances(session, friend)[0].posted == 40
    for wrong in ({"reason": ""}, {"amount": "-1"}, {"amount": "x"}, {"amount": "0"}, {"asset": "GOLD"}):
        refused = admin.post("/admin/wallet/fund", data={**given, "reference": str(new_id()), **wrong})
        assert refused.status_code == 200
        assert "is-danger" in refused.text
