"""Who guesses is slowed down; who is right gets in; nobody learns which accounts there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import select, text

from core.actor import Actor
from core.clock import frozen, now
from core.events.models import EventRow
from core.ids import new_id
from core.members import service, throttle
from core.members.models import FailedAttempt, Member
from core.platform import Platform
from tests.core.doors import Person

PASSWORD = "correct horse battery"
LOGIN = "/api/v1/core/auth/login"


@pytest.fixture
def member(site: Platform) -> Member:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        email = f"{new_id()}@example.org"
        return service.register(session, actor, email=email, password=PASSWORD, display_name="Ben")


@pytest.fixture(autouse=True)
def forgiven(site: Platform) -> Iterator[None]:
    """What fails here does not slow down other tests, which share the address."""
    yield
    with site.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt"))


def guess(person: Person, email: Any, times: int = 1, password: str = "a wrong password", ip: str = "10.1.1.1") -> Any:
    for _number in range(times):
        body = {"email": email, "password": password}
        answer = person.post(LOGIN, body, environ_overrides={"REMOTE_ADDR": ip})
    return answer


def test_after_five_failures_even_the_right_password_waits(people: Callable[..., Person], member: Member) -> None:
    assert guess(people(), member.email, 5).status_code == 401
    answer = guess(people(), member.email, password=PASSWORD)
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
    assert int(answer.headers["Retry-After"]) == 15
    with frozen(now() + timedelta(seconds=16)):
        assert guess(people(), member.email, password=PASSWORD).status_code == 200


def test_each_further_failure_makes_the_wait_longer_up_to_a_quarter_of_an_hour(
    people: Callable[..., Person], member: Member
) -> None:
    guess(people(), member.email, 5)
    waits, at = [], now()
    for _number in range(8):
        with frozen(at):
            wait = int(guess(people(), member.email).headers["Retry-After"])
        waits.append(wait)
        at += timedelta(seconds=wait)
        with frozen(at):
            assert guess(people(), member.email).status_code == 401
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]


def test_failures_are_forgotten_in_time(people: Callable[..., Person], member: Member) -> None:
    guess(people(), member.email, 4)
    with frozen(now() + 3 * throttle.FORGET_ONE_EVERY):
        assert guess(people(), member.email, 4).status_code == 401
        assert guess(people(), member.email, password=PASSWORD).status_code == 429


def test_signing_in_clears_the_account(people: Callable[..., Person], member: Member) -> None:
    for _number in range(3):
        guess(people(), member.email, 4)
        assert guess(people(), member.email, password=PASSWORD).status_code == 200


def test_an_address_nobody_has_is_slowed_down_just_the_same(people: Callable[..., Person], member: Member) -> None:
    said = []
    for email in (member.email, f"{new_id()}@example.org"):
        at = now()
        with frozen(at):
            said.append([(guess(people(), email).status_code, guess(people(), email).json["error"]) for _ in range(4)])
    assert said[0] == said[1]
    assert said[0][-1][0] == 429


def test_one_who_tries_many_accounts_is_slowed_down_by_address(
    people: Callable[..., Person], member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttle.FREE, "address", 8)
    for number in range(throttle.FREE["address"]):
        guess(people(), f"{number}@example.net", ip="10.9.9.9")
    assert guess(people(), member.email, password=PASSWORD, ip="10.9.9.9").status_code == 429
    assert guess(people(), member.email, password=PASSWORD, ip="10.8.8.8").status_code == 200


def test_a_network_of_ipv6_counts_as_one_address(
    people: Callable[..., Person], member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttle.FREE, "address", 4)
    for number in range(4):
        guess(people(), f"{number}@example.net", ip=f"2001:db8:0:1::{number}")
    assert guess(people(), member.email, password=PASSWORD, ip="2001:db8:0:1:ffff::1").status_code == 429
    assert guess(people(), member.email, password=PASSWORD, ip="2001:db8:0:2::1").status_code == 200


def test_failures_with_many_accounts_at_once_all_count_for_the_address(site: Platform) -> None:
    ready = Barrier(8)

    def one(number: int) -> None:
        with site.unit_of_work() as session:
            attempt = throttle.attempt(session, f"{number}@example.net", ip="10.7.7.7")
            ready.wait(20)
            attempt.failed()

    with ThreadPoolExecutor(8) as beside:
        list(beside.map(one, range(8)))
    with site.unit_of_work() as session:
        key = throttle._key(session, "address", "10.7.7.7")
        assert session.scalar(select(FailedAttempt.failures).where(FailedAttempt.key == key)) == 8


def test_strangers_do_not_keep_out_who_has_signed_in_from_this_browser(
    people: Callable[..., Person], member: Member
) -> None:
    browser = people()
    assert browser.send("/login", email=member.email, password=PASSWORD).status_code == 303
    browser._csrf, browser.member = "", member
    browser.send("/logout")
    guess(people(), member.email, 6)
    browser._csrf, browser.member = "", None
    assert browser.send("/login", email=member.email, password=PASSWORD).status_code == 303
    stranger = people()
    assert stranger.send("/login", email=member.email, password=PASSWORD).status_code == 429


def test_a_browser_is_known_for_its_own_person_alone(people: Callable[..., Person], member: Member) -> None:
    thief = people()
    thief.http.set_cookie("known", f"{'a' * 22}.{'0' * 64}")
    for _number in range(5):
        thief.send("/login", email=member.email, password="a wrong password")
    assert thief.send("/login", email=member.email, password=PASSWORD).status_code == 429


def test_a_known_browser_that_guesses_is_slowed_down_too(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    browser.send("/login", email=member.email, password=PASSWORD)
    browser._csrf, browser.member = "", member
    browser.send("/logout")
    browser._csrf, browser.member = "", None
    for _number in range(5):
        assert browser.send("/login", email=member.email, password="a wrong password").status_code == 401
    assert browser.send("/login", email=member.email, password=PASSWORD).status_code == 429


def test_guesses_made_at_once_are_counted_one_by_one(
    site: Platform, people: Callable[..., Person], member: Member
) -> None:
    start, said = Barrier(8), []

    def one() -> None:
        person = people()
        start.wait()
        said.append(guess(person, member.email).status_code)

    threads = [Thread(target=one) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [401] * 5 + [429] * 3


def test_a_failure_is_told_without_personal_data(site: Platform, people: Callable[..., Person], member: Member) -> None:
    guess(people(), member.email)
    guess(people(), "nobody.here@example.org")
    with site.unit_of_work() as session:
        query = select(EventRow.payload).where(EventRow.name == "core.member.sign_in_failed")
        told = list(session.scalars(query.order_by(EventRow.id.desc()).limit(2)))
        kept = [row.key for row in session.scalars(select(FailedAttempt))]
    assert told == [{"member_id": None, "factor": "password"}, {"member_id": str(member.id), "factor": "password"}]
    assert kept and not any(str(member.email).encode() in key for key in kept)


@pytest.mark.parametrize("password", ["1234567890", "Qwertyuiop", "password123", "aaaaaaaaaaaa", "short"])
def test_the_commonest_passwords_are_refused(site: Platform, password: str) -> None:
    from core.errors import Invalid

    actor = Actor.system("test")
    with site.unit_of_work(actor) as session, pytest.raises(Invalid) as refused:
        service.register(session, actor, email=f"{new_id()}@example.org", password=password, display_name="Ben")
    assert set(refused.value.details) == {"password"}


def test_ones_own_address_is_no_password(site: Platform, member: Member) -> None:
    from core.errors import Invalid

    with site.unit_of_work(Actor.system("test")) as session, pytest.raises(Invalid):
        service.set_password(session, Actor.system("test"), member.id, str(member.email).upper())
