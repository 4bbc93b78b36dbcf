"""What accounts have in common is told by hashes: a browser, an address, a wallet, for as long as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import create_app
from core import settings
from core.actor import Actor
from core.clock import frozen, now
from core.ids import new_id
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members import service, sessions, signals, wallets
from core.members.models import Member
from core.members.signals import MemberSignal, note_seen, pairs_sharing, sharing
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.conftest import test_config
from tests.core.doors import Person

PASSWORD = "correct horse battery"
SYSTEM = Actor.system("test")
ADDRESS = "203.0.113.7"


def some(session: Session, count: int = 2) -> list[UUID]:
    ids = sorted(new_id() for _ in range(count))
    session.add_all(Member(id=key, display_name=f"Member {n}") for n, key in enumerate(ids))
    session.flush()
    return ids


def kinds(session: Session, member_id: UUID) -> dict[UUID, tuple[str, ...]]:
    found = sharing(session, [member_id], kinds=signals.KINDS).get(member_id, [])
    return {one.member_id: one.kinds for one in found}


def test_what_two_members_share_is_found_and_never_the_thing_itself(session: Session) -> None:
    ada, bob, eve = some(session, 3)
    note_seen(session, ada, address=ADDRESS, device="d" * 22, wallet="0xAB")
    note_seen(session, bob, address=f"::ffff:{ADDRESS}", device="d" * 22)
    note_seen(session, eve, wallet="0xab")
    assert kinds(session, ada) == {bob: ("address", "device"), eve: ("wallet",)}
    assert kinds(session, eve) == {ada: ("wallet",)}
    assert sharing(session, [eve], kinds=("device", "address")) == {}
    kept = session.scalars(text("SELECT encode(value, 'escape') FROM core_member_signal")).all()
    assert not [one for one in kept if ADDRESS in one or "ddd" in one or one == "ab"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one household's network
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("no address", "no address", False),
        ("", "", False),
    ],
)
def test_of_an_address_what_one_household_has_counts(session: Session, one: str, other: str, same: bool) -> None:
    ada, bob = some(session)
    note_seen(session, ada, address=one)
    note_seen(session, bob, address=other)
    assert bool(kinds(session, ada)) is same


def test_an_address_of_a_crowd_stays_cheap_and_a_pair_in_it_is_still_found(session: Session) -> None:
    crowd = some(session, signals.MOST + 20)
    for one in crowd:
        note_seen(session, one, address=ADDRESS)
    first, last = crowd[0], crowd[-1]
    assert len(sharing(session, [first], kinds=("address",))[first]) == signals.MOST
    [stranger] = some(session, 1)
    asked = {(first, last), (last, first), (first, stranger)}
    assert pairs_sharing(session, asked, kinds=("address",)) == {(first, last), (last, first)}
    assert pairs_sharing(session, asked, kinds=("device",)) == set()


def test_signals_are_forgotten_after_the_days_of_the_setting(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        ada, bob = some(session)
        with frozen(now() - timedelta(days=91)):
            note_seen(session, ada, device="d" * 22)
            note_seen(session, bob, device="d" * 22)
        assert kinds(session, ada) == {}  # though the row is still there
        note_seen(session, ada, device="d" * 22)
        enqueue(session, SYSTEM, "core.sweep_signals")
    while run_next(platform.database):
        pass
    with platform.unit_of_work(SYSTEM) as session:
        assert session.scalars(select(MemberSignal.member_id)).all() == [ada]
        settings.write(session, SYSTEM, PlatformSettings, {"signal_days": 0})
    with platform.unit_of_work(SYSTEM) as session:
        note_seen(session, bob, device="d" * 22, address=ADDRESS)
        assert session.scalars(select(MemberSignal.member_id)).all() == [ada]


def test_many_sign_ins_at_once_are_one_row(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        [ada] = some(session, 1)

    def seen(n: int) -> None:
        with platform.unit_of_work(SYSTEM) as session:
            note_seen(session, ada, address=ADDRESS, device="d" * 22, wallet="0xab")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(seen, range(32)))
    with platform.unit_of_work(SYSTEM) as session:
        assert sorted(session.scalars(select(MemberSignal.kind))) == ["address", "device", "wallet"]


@pytest.fixture
def members(site: Platform) -> list[Member]:
    with site.unit_of_work(SYSTEM) as session:
        return [
            service.register(
                session, SYSTEM, email=f"{new_id()}@example.org", password=PASSWORD, display_name=f"Member {n}"
            )
            for n in range(3)
        ]


def sign_in(person: Person, member: Member, address: str) -> Any:
    values = {"csrf_token": person.csrf, "email": member.email, "password": PASSWORD}
    answer = person.http.post("/login", data=values, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == 303
    return answer


def test_a_browser_is_known_by_its_own_cookie_through_sign_out_and_in(
    site: Platform, people: Callable[..., Person], members: list[Member]
) -> None:
    first, second, third = members
    browser, other = people(), people()
    sign_in(browser, first, "198.51.100.1")
    mine = browser.http.get_cookie("device")
    browser.http.delete_cookie("guildhall")
    browser._csrf = ""
    sign_in(browser, second, "198.51.100.2")
    assert browser.http.get_cookie("device").value == mine.value
    sign_in(other, third, "198.51.100.2")
    with site.unit_of_work(SYSTEM) as session:
        assert kinds(session, second.id) == {first.id: ("device",), third.id: ("address",)}


@pytest.mark.parametrize("forged", ["", "short", "x" * 5000, "é" * 22, "a b" * 8])
def test_a_cookie_of_another_form_is_replaced(forged: str) -> None:
    made = signals.device_key(forged)
    assert made != forged and signals.device_key(made) == made


def test_over_tls_the_cookie_is_bound_to_this_host(site: Platform, members: list[Member]) -> None:
    platform = Platform(test_config(public_url="https://guild.example.org"), site.database.url, None)
    person = Person(create_app(platform))
    secure = {"base_url": "https://guild.example.org", "headers": {"Referer": "https://guild.example.org/login"}}
    person._csrf = (
        person.http.get("/login", **secure).text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    )
    values = {"csrf_token": person.csrf, "email": members[0].email, "password": PASSWORD}
    answer = person.http.post("/login", data=values, **secure)
    platform.database.dispose()
    [cookie] = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-device=")]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={90 * 86400}"))
    assert "Domain" not in cookie


def test_clients_are_seen_by_their_address_at_sign_in_and_refresh(
    site: Platform, web: Any, members: list[Member]
) -> None:
    first, second, _third = members
    pairs = {}
    for member, address in ((first, "198.51.100.11"), (second, "198.51.100.12")):
        body = {"email": member.email, "password": PASSWORD}
        base = {"REMOTE_ADDR": address}
        answer = web.test_client().post("/api/v1/core/auth/login", json=body, environ_base=base)
        pairs[member.id] = answer.json["data"]["refresh_token"]
    with site.unit_of_work(SYSTEM) as session:
        assert kinds(session, first.id) == {}
    moved = web.test_client().post(
        "/api/v1/core/auth/refresh",
        json={"refresh_token": pairs[second.id]},
        environ_base={"REMOTE_ADDR": "198.51.100.11"},
    )
    assert moved.status_code == 200
    with site.unit_of_work(SYSTEM) as session:
        assert kinds(session, first.id) == {second.id: ("address",)}


def test_a_wallet_that_moves_from_one_account_to_another_is_told(session: Session) -> None:
    ada, bob = some(session)
    address = "0x" + "1" * 40
    wallet = wallets._add(session, SYSTEM, ada, address, "")
    session.delete(wallet)
    session.flush()
    wallets._add(session, SYSTEM, bob, address, "")
    assert kinds(session, ada) == {bob: ("wallet",)}


def test_they_go_with_their_member(session: Session) -> None:
    from core.privacy.erase import erase_rows

    ada, bob = some(session)
    for one in (ada, bob):
        note_seen(session, one, device="d" * 22)
    erase_rows(session, ada)
    assert session.scalars(select(MemberSignal.member_id)).all() == [bob]
    assert kinds(session, bob) == {}


def test_a_session_without_address_or_browser_leaves_none(session: Session) -> None:
    [ada] = some(session, 1)
    sessions.start(session, session.get_one(Member, ada), kind="cookie", ip=None, device="Firefox")
    assert session.scalars(select(MemberSignal.kind)).all() == []
