"""Where units went and came from: as if each of them had a number and the first that came were the first to leave."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.ids import new_id
from plugins.wallet import errors, service
from plugins.wallet import trace as tracing
from plugins.wallet.service import Leg, Move
from plugins.wallet.trace import trace

from .conftest import SYSTEM
from .test_races import move

WALLETS = 3
STEPS = st.lists(
    st.tuples(st.integers(0, WALLETS - 1), st.integers(1, WALLETS - 1), st.integers(1, 9)), min_size=1, max_size=9
)


@pytest.fixture
def platform(town):
    return town


@pytest.fixture
def app(town_app):
    return town_app


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, start=st.lists(st.integers(1, 12), min_size=WALLETS, max_size=WALLETS))
def test_a_trace_follows_numbered_units(session, wallet, steps, start):
    savepoint = session.begin_nested()
    wallets, queues, path = [wallet() for _ in range(WALLETS)], [deque() for _ in range(WALLETS)], {}

    def note(units, made, source, destination):
        for unit in units:
            path.setdefault(unit, []).append((made, source, destination))

    for place, amount in enumerate(start):
        made = service.issue(session, SYSTEM, destination=wallets[place], amount=amount, reason="x")
        units = [(place, number) for number in range(amount)]
        queues[place].extend(units)
        note(units, made.id, made.source, wallets[place])
    moves = []
    for source, further, amount in steps:
        destination = (source + further) % WALLETS
        if len(queues[source]) < amount:
            continue
        made = move(session, wallets[source], wallets[destination], amount)
        units = [queues[source].popleft() for _ in range(amount)]
        queues[destination].extend(units)
        note(units, made.id, wallets[source], wallets[destination])
        moves.append(made.id)
    for made in moves:
        walked = {"forward": Counter(), "backward": Counter()}
        ends = Counter()
        for steps_of in path.values():
            where = [number for number, step in enumerate(steps_of) if step[0] == made]
            for number in where:
                walked["forward"].update(steps_of[number + 1 :])
                walked["backward"].update(steps_of[:number])
                ends[steps_of[-1][2]] += 1
        for direction, expected in walked.items():
            found = trace(session, made, direction=direction)
            told = Counter()
            for hop in found.hops:
                told[hop.transfer_id, hop.source, hop.destination] += hop.amount
            assert told == expected
            assert sum(end.amount for end in found.ends) == found.amount
            if direction == "forward":
                assert {end.account: end.amount for end in found.ends} == ends
            else:
                assert {end.why for end in found.ends} == {"issuance"}
    savepoint.rollback()


def test_a_circle_is_named_and_ends_at_the_bounds(session, wallet, monkeypatch):
    one, two = wallet(10), wallet()
    first = move(session, one, two, 10)
    for number in range(20):
        move(session, *((two, one) if number % 2 == 0 else (one, two)), 10)
    found = trace(session, first.id, direction="forward")
    assert (len(found.hops), found.whole) == (tracing.DEPTH, False)
    assert all(hop.again for hop in found.hops)
    assert [(end.why, end.amount) for end in found.ends] == [("beyond", 10)]
    short = trace(session, first.id, direction="forward", depth=3)
    assert [hop.depth for hop in short.hops] == [1, 2, 3]
    monkeypatch.setattr(tracing, "SCANNED", 0)
    assert [end.why for end in trace(session, first.id, direction="forward").ends] == ["beyond"]
    with pytest.raises(errors.UnknownTransfer):
        trace(session, new_id(), direction="forward")


def test_many_legs_and_an_overdraft_are_followed_to_the_last_unit(session, wallet):
    one, two, three, four = wallet(7), wallet(5), wallet(), wallet()
    service.set_limits(session, SYSTEM, account_id=three, daily_limit=None, overdraft=4, reason="agreed")
    lent = move(session, three, four, 4)
    legs = (Leg(one, -7), Leg(two, -5), Leg(three, 8), Leg(four, 4))
    made = service.post_many(session, SYSTEM, [Move(legs=legs, kind="split")]).ids[0]
    found = trace(session, made, direction="forward")
    assert Counter({(end.account, end.why): end.amount for end in found.ends}) == {
        (three, "overdraft"): 4,
        (three, "there"): 4,
        (four, "there"): 4,
    }
    back = trace(session, made, direction="backward")
    assert ({end.why for end in back.ends}, sum(hop.amount for hop in back.hops)) == ({"issuance"}, 12)
    assert [end.why for end in trace(session, lent.id, direction="backward").ends] == ["overdraft"]


def test_a_trace_reads_by_the_key_of_entries(session, wallet):
    one = wallet(1)
    session.execute(text("SET LOCAL enable_seqscan = off"))
    for statement in tracing._SCAN.values():
        given_ = {"account": one, "version": 1, "low": 0, "high": 1, "scanned": 10, "most": 10}
        plan = "\n".join(session.scalars(text(f"EXPLAIN {statement.text}"), given_))
        assert "pk_wallet_entry" in plan and "Sort" not in plan.replace("Sort Key", "")


def test_the_page_and_the_route_tell_the_same(me, friend, platform, clients):
    client, _member, account = me
    with platform.unit_of_work(SYSTEM) as session:
        theirs = service.open_account(session, asset="POINTS", member_id=friend)
        first = move(session, account, theirs, 40)
        move(session, theirs, account, 15)
    url = f"/api/v1/wallet/transfers/{first.id}/trace"
    assert client.get(url).status_code == 403
    moderator = clients("Moderator")
    told = moderator.get(f"{url}?direction=forward").json["data"]
    assert (told["amount"], told["asset"], told["whole"]) == ("40", "POINTS", True)
    assert [(hop["amount"], hop["again"]) for hop in told["hops"]] == [("15", True)]
    assert {(end["account_id"], end["amount"]) for end in told["ends"]} == {(str(theirs), "25"), (str(account), "15")}
    back = moderator.get(f"{url}?direction=backward&depth=2").json["data"]
    assert [end["why"] for end in back["ends"]] == ["issuance"]
    for wrong in ("direction=up", "depth=0", "depth=99"):
        assert moderator.get(f"{url}?{wrong}").status_code == 422
    assert moderator.get(f"/api/v1/wallet/transfers/{new_id()}/trace").status_code == 404
    page = moderator.get(f"/admin/wallet/transfers/{first.id}/trace")
    assert page.status_code == 200
    assert "Grace" in page.text and "25" in page.text
    assert f"/admin/wallet/transfers/{first.id}/trace" in moderator.get(f"/admin/wallet/transfer/show/{first.id}").text
    assert moderator.get(f"/admin/wallet/transfers/{new_id()}/trace").status_code == 404
    assert client.get(f"/admin/wallet/transfers/{first.id}/trace").status_code == 403
