"""A mailed code lets in whoever reads the mail: once, soon, and without telling which addresses are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.clock import frozen, now
from core.ids import new_id
from core.members import codes, one_time, service
from core.members.models import Member, OneTimeCode
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.core.doors import Person
from tests.core.members.test_two_factor import App

AUTH, ME = "/api/v1/core/auth", "/api/v1/core/me"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def forgiven(site: Platform) -> Iterator[None]:
    yield
    with site.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt, core_one_time_code"))


@pytest.fixture(autouse=True)
def mails(site: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail server is configured; nobody asks it for anything here."""
    changed = site.config.model_copy(update={"smtp_url": "smtp://127.0.0.1:9"})
    monkeypatch.setitem(site.database.info, "config", changed)


@pytest.fixture
def member(site: Platform) -> Member:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        email = f"{new_id()}@example.org"
        return service.register(session, actor, email=email, password=PASSWORD, display_name="Ben")


def ask(person: Person, email: Any) -> str:
    answer = person.post(f"{AUTH}/code", {"email": email})
    assert answer.status_code == 200, answer.text
    code_id: str = answer.json["data"]["code_id"]
    return code_id


@pytest.fixture
def read(site: Platform) -> Callable[[Any], str]:
    """Reads the mail: the code of this id."""

    def digits(code_id: Any) -> str:
        with site.unit_of_work() as session:
            return codes.one_time_code(session, UUID(str(code_id)))

    return digits


def give(person: Person, code_id: Any, code: str, ip: str = "10.2.2.2") -> Any:
    body = {"code_id": str(code_id), "code": code}
    return person.post(f"{AUTH}/code/login", body, environ_overrides={"REMOTE_ADDR": ip})


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def test_a_mailed_code_signs_in_and_proves_the_address(
    people: Callable[..., Person], member: Member, read: Any, site: Platform
) -> None:
    code_id = ask(people(), str(member.email).upper())
    code = read(code_id)
    assert re.fullmatch(r"\d{8}", code)
    answer = give(people(), code_id, f" {code[:4]}-{code[4:]} ")
    assert answer.status_code == 200 and answer.json["data"]["access_token"]
    with site.unit_of_work() as session:
        assert session.get_one(Member, member.id).email_verified_at is not None


def test_a_code_is_good_once(people: Callable[..., Person], member: Member, read: Any) -> None:
    code_id = ask(people(), member.email)
    code = read(code_id)
    assert give(people(), code_id, code).status_code == 200
    assert refused(give(people(), code_id, code)) == (401, "CODE_UNUSABLE")


def test_of_many_that_give_a_code_at_once_one_gets_in(people: Callable[..., Person], member: Member, read: Any) -> None:
    code_id, start, said = ask(people(), member.email), Barrier(16), []
    code = read(code_id)

    def one(person: Person) -> None:
        start.wait()
        said.append(give(person, code_id, code).status_code)

    threads = [Thread(target=one, args=(people(),)) for _number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count(200) == 1 and set(said) <= {200, 401, 429}


def test_a_code_is_good_for_ten_minutes(people: Callable[..., Person], member: Member, read: Any) -> None:
    code_id = ask(people(), member.email)
    code = read(code_id)
    with frozen(now() + timedelta(minutes=10, seconds=1)):
        assert refused(give(people(), code_id, code)) == (401, "CODE_UNUSABLE")
        with pytest.raises(codes.CodeUnusable):
            read(code_id)


def test_after_five_wrong_tries_even_the_right_code_is_of_no_use(
    people: Callable[..., Person], member: Member, read: Any
) -> None:
    code_id = ask(people(), member.email)
    code = read(code_id)
    for _number in range(5):
        assert refused(give(people(), code_id, wrong(code))) == (401, "CODE_UNUSABLE")
    with frozen(now() + timedelta(minutes=1)):
        assert refused(give(people(), code_id, code)) == (401, "CODE_UNUSABLE")


def test_a_new_code_gives_no_further_tries(people: Callable[..., Person], member: Member, read: Any) -> None:
    first, second = ask(people(), member.email), ask(people(), member.email)
    for _number in range(5):
        give(people(), first, wrong(read(first)))
    assert refused(give(people(), second, read(second))) == (429, "TOO_MANY_ATTEMPTS")


def test_nothing_tells_whether_an_address_is_known(
    people: Callable[..., Person], member: Member, read: Any, site: Platform
) -> None:
    said = []
    for email in (member.email, f"{new_id()}@example.org"):
        answer = people().post(f"{AUTH}/code", {"email": email})
        data = answer.json["data"]
        code_id = data.pop("code_id")
        tries = [refused(give(people(), code_id, "12345678")) for _number in range(6)]
        said.append((answer.status_code, data, tries))
    assert said[0] == said[1] and said[0][2][-1] == (429, "TOO_MANY_ATTEMPTS")
    with site.unit_of_work() as session:
        assert session.query(OneTimeCode).count() == 2


def test_the_right_digits_of_an_address_nobody_has_open_nothing(people: Callable[..., Person], site: Platform) -> None:
    code_id = ask(people(), "nobody.here@example.org")
    with site.unit_of_work() as session:
        code = one_time._digits(session, UUID(code_id))
    assert refused(give(people(), code_id, code)) == (401, "CODE_UNUSABLE")
    assert refused(give(people(), new_id(), code)) == (401, "CODE_UNUSABLE")


def test_a_letter_box_is_not_filled(people: Callable[..., Person], member: Member) -> None:
    for _number in range(5):
        ask(people(), member.email)
    answer = people().post(f"{AUTH}/code", {"email": member.email})
    assert refused(answer) == (429, "TOO_MANY_ATTEMPTS")


def test_a_suspended_member_gets_no_code_and_no_session(
    people: Callable[..., Person], member: Member, read: Any, site: Platform
) -> None:
    code_id = ask(people(), member.email)
    code = read(code_id)
    with site.unit_of_work() as session:
        session.execute(text("UPDATE core_member SET status = 'suspended' WHERE id = :id"), {"id": member.id})
    with pytest.raises(codes.CodeUnusable):
        read(code_id)
    assert refused(give(people(), code_id, code)) == (403, "MEMBER_SUSPENDED")
    later = ask(people(), member.email)
    with pytest.raises(codes.CodeUnusable):
        read(later)


def test_the_second_factor_is_asked_for(people: Callable[..., Person], member: Member, read: Any) -> None:
    person = people()
    code_id = ask(people(), member.email)
    pair = give(people(), code_id, read(code_id)).json["data"]
    person.headers = {"Authorization": f"Bearer {pair['access_token']}"}
    app = App(person.post(f"{ME}/two-factor").json["data"]["secret"])
    person.post(f"{ME}/two-factor/enable", {"code": app.code()})
    code_id = ask(people(), member.email)
    answer = give(people(), code_id, read(code_id)).json["data"]
    assert set(answer) == {"challenge_token", "methods"}


def test_neither_event_nor_table_nor_log_holds_the_code(
    people: Callable[..., Person], member: Member, read: Any, site: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    code_id = ask(people(), member.email)
    code = read(code_id)
    give(people(), code_id, code)
    with site.unit_of_work() as session:
        tables = ("core_event", "core_one_time_code", "core_audit", "core_delivery", "core_job")
        for table in tables:
            found = session.scalar(
                text(f"SELECT count(*) FROM {table} t WHERE t::text LIKE :code"), {"code": f"%{code}%"}
            )
            assert found == 0, table
    assert code not in capsys.readouterr().out


def test_a_mailed_code_is_a_fresh_proof(people: Callable[..., Person], read: Any) -> None:
    person, other = people("User"), people("User")
    with frozen(now() + timedelta(minutes=11)):
        assert person.post(f"{ME}/two-factor").status_code == 403
        code_id = person.post(f"{ME}/code").json["data"]["code_id"]
        body = {"code_id": code_id, "mailed_code": read(code_id)}
        assert refused(other.post(f"{AUTH}/step-up", body)) == (401, "CODE_UNUSABLE")
        assert refused(give(people(), code_id, read(code_id))) == (401, "CODE_UNUSABLE")
        assert person.post(f"{AUTH}/step-up", body).status_code == 204
        assert person.post(f"{ME}/two-factor").status_code == 200


def test_where_no_mail_goes_out_no_code_is_offered(
    people: Callable[..., Person], member: Member, site: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "/login/code" in people().get("/login").text
    monkeypatch.setitem(site.database.info, "config", site.config)
    assert refused(people().post(f"{AUTH}/code", {"email": member.email})) == (409, "CODES_OFF")
    assert "/login/code" not in people().get("/login").text
    assert people().get("/login/code").status_code == 404


def test_an_admin_may_turn_it_off(people: Callable[..., Person], member: Member, site: Platform) -> None:
    def turn(on: bool) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            write(session, Actor.system("test"), PlatformSettings, {"mail_codes": on})
        site.registry.cache.looked_at = float("-inf")

    turn(False)
    try:
        assert refused(people().post(f"{AUTH}/code", {"email": member.email})) == (409, "CODES_OFF")
    finally:
        turn(True)


def waiting_for(browser: Person) -> str:
    with browser.http.session_transaction() as cookie:
        return str(cookie["code_id"])


def test_a_code_signs_in_at_the_page(people: Callable[..., Person], member: Member, read: Any) -> None:
    browser = people()
    assert "Mail me a code" in browser.get("/login/code?next=/profile").text
    page = browser.send("/login/code", email=member.email, next="/profile")
    assert page.status_code == 200 and "Code of the mail" in page.text
    code = read(waiting_for(browser))
    assert browser.send("/login/code/give", code=wrong(code), next="/profile").status_code == 422
    assert browser.send("/login/code/give", code=code, next="/profile").location == "/profile"
    assert browser.get("/profile").status_code == 200
    assert people().send("/login/code/give", code=code).status_code == 422


def test_a_code_confirms_who_one_is_at_the_page(people: Callable[..., Person], read: Any) -> None:
    browser = people("User", browser=True)
    with frozen(now() + timedelta(minutes=11)):
        assert "Mail me a code" in browser.get("/confirm").text
        assert "Code of the mail" in browser.send("/confirm/code", next="/profile/two-factor").text
        code = read(waiting_for(browser))
        assert browser.send("/confirm/code/give", mailed_code=wrong(code)).status_code == 422
        done = browser.send("/confirm/code/give", mailed_code=code, next="/profile/two-factor")
        assert done.location == "/profile/two-factor"
        assert browser.get("/profile/two-factor").status_code == 200
