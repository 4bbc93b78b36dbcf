"""The statement as a PDF, read back: what a member would hand to whoever keeps the books."""

from __future__ import annotations

import io
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from pypdf import PdfReader
from sqlalchemy import text

from core import clock
from plugins.wallet import service, statement_pdf

from .conftest import SYSTEM
from .test_wallet_web import pay

API = "/api/v1/wallet"


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


def period(days: int = 1) -> str:
    at = clock.now()
    return urlencode({"start": (at - timedelta(days=days)).isoformat(), "end": (at + timedelta(hours=1)).isoformat()})


def read(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/pdf"
    return [page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages]


def test_it_tells_account_period_lines_balances_and_pages(me, friend):
    client, _member, account = me
    pay(client, friend)
    [page] = read(client.get(f"{API}/accounts/{account}/statement?{period()}&format=pdf"))
    for part in (
        "Statement of account",
        f"POINTS ({account})",
        "Opening balance: 0 POINTS",
        "Closing balance: 70 POINTS",
        "Issue – welcome",
        "Payment – lunch",
        "Issuance",
        "Sum of the period",
        "1 / 1",
    ):
        assert part in page, part
    assert "100" in page
    assert "30" in page


def test_it_comes_by_the_accept_header_in_the_readers_language(me):
    client, _member, account = me
    address = f"{API}/accounts/{account}/statement?{period()}"
    pages = {
        language: client.get(address, headers={"Accept": "application/pdf", "Accept-Language": language})
        for language in ("en", "ar", "fr")
    }
    assert "Statement of account" in read(pages["en"])[0]
    assert PdfReader(io.BytesIO(pages["ar"].data)).trailer["/Root"]["/Lang"] == "ar"
    assert client.get(address, headers={"Accept": "application/json"}).is_json
    assert client.get(address, headers={"Accept": "*/*"}).is_json


def test_the_page_gives_it_for_whole_days(clients, me):
    _client, _member, account = me
    admin, today = clients("Admin"), clock.now().date()
    page = f"/admin/wallet/accounts/{account}"
    assert "Statement" in admin.get(page).text
    got = admin.get(f"{page}/statement?start={today}&end={today}&format=pdf")
    assert "Closing balance: 100 POINTS" in read(got)[0]
    assert got.headers["Content-Disposition"].endswith('.pdf"')
    assert "closing" in admin.get(f"{page}/statement?start={today}&end={today}&format=csv").text
    for wrong in ("start=x&end=y", "", f"start={today}&end=2020-01-01", f"start=2020-01-01&end={today}"):
        assert admin.get(f"{page}/statement?{wrong}").headers["Location"] == page
    assert "Give a first and a last day" in admin.get(page).text


def test_a_stranger_gets_none(clients, me):
    _client, _member, account = me
    assert clients("User").get(f"{API}/accounts/{account}/statement?{period()}&format=pdf").status_code == 404


def test_five_thousand_lines_fit_and_one_more_is_refused_unread(platform, me, friend, monkeypatch):
    client, _member, account = me
    monkeypatch.setattr(statement_pdf, "MOST_LINES", 120)
    with platform.unit_of_work(SYSTEM) as session:
        to = service.open_account(session, asset="POINTS", member_id=friend)
        moves = [service.Move(legs=_legs(account, to), kind="transfer", reason=f"line {n}") for n in range(60)]
        service.post_many(session, SYSTEM, moves)
        back = [service.Move(legs=_legs(to, account), kind="transfer", reason=f"back {n}") for n in range(59)]
        service.post_many(session, SYSTEM, back)
    address = f"{API}/accounts/{account}/statement?{period()}&format=pdf"
    pages = read(client.get(address))
    assert sum(page.count("line ") for page in pages) == 60
    assert f"2 / {len(pages)}" in pages[1]
    assert "Closing balance: 99 POINTS" in pages[0]
    with platform.unit_of_work(SYSTEM) as session:
        service.issue(session, SYSTEM, destination=account, amount=1, reason="one more")
        assert session.scalar(text("SELECT 1")) == 1
    refused = client.get(address)
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "STATEMENT_TOO_LONG")
    assert "121 lines" in refused.json["error"]["message"]


def _legs(source, destination):
    return (service.Leg(account=source, amount=-1), service.Leg(account=destination, amount=1))
