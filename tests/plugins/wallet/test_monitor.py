"""The monitor of accounts, what an admin does to one, and the picture of a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import clock
from core.ids import new_id
from plugins.wallet import queries, service, trace_picture
from plugins.wallet import trace as tracing

from .conftest import SYSTEM, new_member

MONITOR = "/admin/wallet/monitor"


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
def crowd(platform):
    """Three wallets of people with a name of their own: with 5.00, 20.00 and 90.00 USD, the last one frozen."""
    name = f"Crowd{new_id().hex[-8:]}"
    with platform.unit_of_work(SYSTEM) as session:
        made = [service.open_account(session, asset="USD", member_id=new_member(session, f"{name} {n}")) for n in "abc"]
        for account, amount in zip(made, (500, 2000, 9000), strict=True):
            service.issue(session, SYSTEM, destination=account, amount=amount, reason="test")
        service.set_state(session, SYSTEM, account_id=made[2], state="frozen", reason="test")
    return name, made


def found(admin, name: str, query: str = "") -> str:
    page = admin.get(f"{MONITOR}?name={name.lower()}{query}")
    assert page.status_code == 200
    return "".join(letter for letter in "abc" if f"{name} {letter}" in page.text)


def test_accounts_are_found_by_what_they_are_and_how_they_stand(admin, crowd):
    name, _made = crowd
    today, tomorrow = clock.now().date(), clock.now().date() + timedelta(days=1)
    assert found(admin, name) == "abc"
    assert found(admin, name, "&state=frozen") == "c"
    assert found(admin, name, "&asset=USD&least=20&most=90.00") == "bc"
    assert found(admin, name, "&asset=USD&most=19.99") == "a"
    assert found(admin, name, "&asset=POINTS") == ""
    assert found(admin, name, "&whose=house") == ""
    assert found(admin, name, f"&moved_since={today}&moved_until={today}") == "abc"
    assert found(admin, name, f"&moved_since={tomorrow}") == ""
    assert "115.00" in admin.get(f"{MONITOR}?name={name}").text, "what they hold together"


def test_what_cannot_be_meant_is_said(admin):
    assert "Choose an asset" in admin.get(f"{MONITOR}?least=5").text
    assert "Write the amount" in admin.get(f"{MONITOR}?asset=USD&least=much").text
    assert "Give a first and a last day" in admin.get(f"{MONITOR}?moved_since=soon").text
    assert "No account is like this." in admin.get(f"{MONITOR}?name=nobody%25_is_called_so").text
    for odd in ("?state=odd&whose=x&after=y", "?name=%00", "?asset=%27"):
        assert admin.get(MONITOR + odd).status_code == 200


def test_only_who_may_sees_it(clients):
    assert clients("Moderator").get(MONITOR).status_code == 200
    assert clients("User").get(MONITOR).status_code == 403


def test_an_account_is_frozen_unfrozen_and_closed_with_a_reason(admin, crowd):
    _name, (account, *_rest) = crowd
    page = f"/admin/wallet/accounts/{account}"

    def change(state: str, reason: str = "asked by the owner") -> str:
        admin.http.post(f"{page}/state", data={"state": state, "reason": reason}, headers=admin.headers)
        return str(admin.get(page).text)

    assert "Unfreeze" not in admin.get(page).text
    assert "Say why" in change("frozen", "")
    assert "Unfreeze" in change("frozen")
    assert "Unfreeze" not in change("active")
    assert "must be empty" in change("closed") or "holds" in change("closed")


def test_transfers_and_rewards_are_called_by_sentences(platform, admin, crowd):
    name, (first, second, _third) = crowd
    reference = f"shop:{new_id()}:{new_id()}"
    with platform.unit_of_work(SYSTEM) as session:
        receipt = service.transfer(
            session, SYSTEM, source=second, destination=first, amount=150, kind="transfer", reference=reference
        )
    listed = admin.get("/admin/wallet/transfer/list/").text
    assert f"Payment of 1.50 USD from {name} b to {name} a" in listed
    record = admin.get(f"/admin/wallet/transfer/show/{receipt.id}").text
    assert (
        f"<h1>Payment of 1.50 USD from {name} b to {name} a" in record.replace("\n", "") or "Payment of 1.50" in record
    )
    assert f'data-copy="{reference}"' in record
    assert "the platform (test)" in record


def test_the_picture_shows_both_ways_and_gathers_what_is_too_much(platform, admin, crowd):
    _name, (first, second, _third) = crowd
    with platform.unit_of_work(SYSTEM) as session:
        paid = service.transfer(session, SYSTEM, source=second, destination=first, amount=1000, kind="transfer")
        for number in range(12):
            one = service.open_account(session, asset="USD", member_id=new_member(session, f"Far {number}"))
            service.transfer(session, SYSTEM, source=first, destination=one, amount=100, kind="transfer")
        came = tracing.trace(session, paid.id, direction="backward")
        went = tracing.trace(session, paid.id, direction="forward")
        drawn = trace_picture.drawing(came, went, queries.legs(session, paid.id))
        assert drawn is not None
    columns = {column: [box for box in drawn.boxes if box.column == column] for column in (-2, -1, 0, 1)}
    assert [len(columns[one]) for one in (-2, -1, 0, 1)] == [1, 1, 1, trace_picture.MOST_ROWS]
    [gathered] = [box for box in drawn.boxes if box.account is None]
    assert gathered.count + trace_picture.MOST_ROWS - 1 == len({hop.destination for hop in went.hops})
    assert sum(curve.amount for curve in drawn.curves if curve.traced) == 1000
    moved_on = sum(curve.amount for curve in drawn.curves if not curve.traced and curve.x > columns[0][0].x)
    assert moved_on == sum(hop.amount for hop in went.hops)
    assert all(0 < box.x < drawn.width and 0 < box.y < drawn.height for box in drawn.boxes)
    page = admin.get(f"/admin/wallet/transfers/{paid.id}/trace").text
    assert "gh-trace" in page
    assert "other accounts" in page
