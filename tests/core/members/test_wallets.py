"""Wallets are a way in: whoever signs the message of this site, for this purpose, now and once, is let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import select, text

from core.actor import Actor
from core.clock import frozen, now
from core.events.models import EventRow
from core.ids import new_id
from core.members import service, throttle, wallets
from core.members.models import Member, SpentNonce
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.core.doors import Person
from tests.core.members.wallet import Wallet, high_s

AUTH, ME = "/api/v1/core/auth", "/api/v1/core/me"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def forgiven(site: Platform) -> Iterator[None]:
    """What fails here does not slow down other tests, which share the address."""
    yield
    with site.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt"))


@pytest.fixture
def registration(site: Platform) -> Iterator[None]:
    def turn(on: bool) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            write(session, Actor.system("test"), PlatformSettings, {"registration": on})
        site.registry.cache.looked_at = float("-inf")

    turn(True)
    yield
    turn(False)


@pytest.fixture
def member(site: Platform) -> Member:
    """A member with a password."""
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        return service.register(session, actor, email=f"{new_id()}@example.org", password=PASSWORD, display_name="Ben")


def asked(person: Person, wallet: Wallet, purpose: str = "sign_in", **more: Any) -> str:
    path = f"{AUTH}/wallet/challenge" if purpose in ("sign_in", "register") else f"{ME}/wallets/challenge"
    answer = person.post(path, {"address": wallet.address, "purpose": purpose, **more})
    assert answer.status_code == 200, answer.text
    message: str = answer.json["data"]["message"]
    return message


def signed(wallet: Wallet, message: str, **more: Any) -> dict[str, Any]:
    return {"message": message, "signature": wallet.sign(message), **more}


def signs_in(person: Person, wallet: Wallet) -> Any:
    return person.post(f"{AUTH}/wallet/login", signed(wallet, asked(person, wallet)))


def links(person: Person, wallet: Wallet, **more: Any) -> Any:
    return person.post(f"{ME}/wallets", signed(wallet, asked(person, wallet, "link"), **more))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


@pytest.fixture
def holder(people: Callable[..., Person]) -> tuple[Person, Wallet]:
    """A member with a linked wallet, and no password."""
    person, wallet = people("User"), Wallet()
    assert links(person, wallet).status_code == 201
    return person, wallet


def test_a_linked_wallet_signs_in(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    person, wallet = holder
    answer = signs_in(people(), wallet)
    assert answer.status_code == 200
    again = people()
    again.headers = {"Authorization": f"Bearer {answer.json['data']['access_token']}"}
    assert again.get(ME).json["data"]["id"] == person.id
    listed = again.get(f"{ME}/wallets").json["data"]
    assert listed[0]["address"] == wallet.address and listed[0]["last_used_at"]


def test_the_message_names_site_purpose_network_and_end(people: Callable[..., Person], site: Platform) -> None:
    wallet = Wallet()
    text = asked(people(), wallet, chain_id=137)
    lines = text.split("\n")
    assert lines[0].startswith(site.config.url.split("//")[1] + " wants you to sign in")
    assert lines[1] == wallet.address and lines[3] == "Sign in with this wallet."
    assert f"URI: {site.config.url}/login" in lines and "Chain ID: 137" in lines
    assert "Chain ID: 146" in asked(people(), wallet)


def test_asking_keeps_nothing(people: Callable[..., Person], site: Platform) -> None:
    with site.unit_of_work() as session:
        before = session.query(SpentNonce).count()
    for _number in range(3):
        asked(people(), Wallet())
    with site.unit_of_work() as session:
        assert session.query(SpentNonce).count() == before


@pytest.mark.parametrize("body", [{"address": "0x1"}, {"address": Wallet().address, "chain_id": 5}, {}])
def test_a_challenge_takes_an_address_and_a_network_that_are_known(people: Callable[..., Person], body: Any) -> None:
    assert people().post(f"{AUTH}/wallet/challenge", body).status_code == 422


def test_a_wallet_nobody_linked_is_told_so(people: Callable[..., Person]) -> None:
    assert code(signs_in(people(), Wallet())) == (401, "WALLET_UNKNOWN")


HOSTILE = {
    "another site": lambda text, site: text.replace(site, "evil.example", 1),
    "another site that ends alike": lambda text, site: f"evil-{text}",
    "another scheme": lambda text, site: f"ftp://{text}",
    "another address of this site": lambda text, site: text.replace("/login\n", "/elsewhere\n"),
    "another origin": lambda text, site: text.replace(f"http://{site}/login", "https://evil.example/login"),
    "changed statement": lambda text, site: text.replace("this wallet.", "this wallet and pay."),
    "no statement": lambda text, site: text.replace("Sign in with this wallet.\n", ""),
    "unknown network": lambda text, site: text.replace("Chain ID: 146", "Chain ID: 5"),
    "another number": lambda text, site: text.replace("Nonce: ", "Nonce: a"),
    "made-up number": lambda text, site: re.sub(r"Nonce: \w+", f"Nonce: {'a' * 56}", text),
    "resources": lambda text, site: text + "\nResources:\n- https://evil.example/",
    "a request id": lambda text, site: text + "\nRequest ID: 1",
    "not good yet": lambda text, site: text + "\nNot Before: 2999-01-01T00:00:00Z",
    "expired": lambda text, site: text.split("\nExpiration")[0] + "\nExpiration Time: 2020-01-01T00:00:00Z",
    "made long ago": lambda text, site: text.replace("Issued At: 20", "Issued At: 19"),
    "made in the future": lambda text, site: text.replace("Issued At: 20", "Issued At: 29"),
    "a line break at the end": lambda text, site: text + "\n",
    "other line breaks": lambda text, site: text.replace("\n", "\r\n"),
    "a second message": lambda text, site: text + "\n" + text,
    "small letters": lambda text, site: text.lower(),
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_a_message_that_was_changed_is_refused_though_it_is_signed(
    site: Platform, people: Callable[..., Person], holder: tuple[Person, Wallet], trick: str
) -> None:
    _person, wallet = holder
    text = asked(people(), wallet)
    changed = HOSTILE[trick](text, site.config.url.split("//")[1])
    assert changed != text
    answer = people().post(f"{AUTH}/wallet/login", signed(wallet, changed))
    assert code(answer) == (401, "MESSAGE_REFUSED") and answer.json["error"]["details"]["message"]


def test_a_message_is_good_once(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    _person, wallet = holder
    body = signed(wallet, asked(people(), wallet))
    assert people().post(f"{AUTH}/wallet/login", body).status_code == 200
    assert code(people().post(f"{AUTH}/wallet/login", body)) == (401, "MESSAGE_REFUSED")


def test_a_message_is_good_once_even_when_the_signature_was_wrong(
    people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    _person, wallet = holder
    text = asked(people(), wallet)
    wrong = people().post(f"{AUTH}/wallet/login", {"message": text, "signature": Wallet().sign(text)})
    assert code(wrong) == (401, "SIGNATURE_REFUSED")
    assert code(people().post(f"{AUTH}/wallet/login", signed(wallet, text))) == (401, "MESSAGE_REFUSED")


def test_of_many_that_use_a_message_at_once_one_gets_in(
    people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    _person, wallet = holder
    body, start, said = signed(wallet, asked(people(), wallet)), Barrier(16), []

    def one(person: Person) -> None:
        start.wait()
        said.append(person.post(f"{AUTH}/wallet/login", body).status_code)

    threads = [Thread(target=one, args=(people(),)) for _number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count(200) == 1 and set(said) <= {200, 401, 429}


def test_a_message_is_good_for_five_minutes(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    _person, wallet = holder
    text, at = asked(people(), wallet), now()
    with frozen(at + timedelta(minutes=5, seconds=1)):
        assert code(people().post(f"{AUTH}/wallet/login", signed(wallet, text))) == (401, "MESSAGE_REFUSED")


def test_a_message_is_good_for_its_own_purpose_alone(
    people: Callable[..., Person], holder: tuple[Person, Wallet], registration: None
) -> None:
    _person, wallet = holder
    statements = {"register": "Register with this wallet.", "link": "Link this wallet to my account."}
    for purpose, statement in statements.items():
        text = asked(people("User"), wallet, purpose)
        for sent in (text, text.replace(statement, "Sign in with this wallet.")):
            assert code(people().post(f"{AUTH}/wallet/login", signed(wallet, sent))) == (401, "MESSAGE_REFUSED")


def test_a_message_to_link_is_good_in_its_own_session_alone(people: Callable[..., Person]) -> None:
    mine, other, wallet = people("User"), people("User"), Wallet()
    body = signed(wallet, asked(mine, wallet, "link"))
    assert code(other.post(f"{ME}/wallets", body)) == (401, "MESSAGE_REFUSED")


def test_another_spelling_of_a_signature_is_refused(
    people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    _person, wallet = holder
    text = asked(people(), wallet)
    answer = people().post(f"{AUTH}/wallet/login", {"message": text, "signature": high_s(wallet.sign(text))})
    assert code(answer) == (401, "SIGNATURE_REFUSED")


def test_a_contract_wallet_is_told_why_it_cannot(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    _person, wallet = holder
    answer = people().post(f"{AUTH}/wallet/login", {"message": asked(people(), wallet), "signature": "0x" + "11" * 130})
    assert code(answer) == (401, "CONTRACT_WALLET") and "EIP-1271" in answer.json["error"]["message"]


def test_failures_slow_down_as_with_passwords(
    site: Platform, people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    person, wallet = holder
    for _number in range(5):
        body = {"message": asked(people(), wallet), "signature": "0x" + "11" * 65}
        assert people().post(f"{AUTH}/wallet/login", body).status_code == 401
    answer = signs_in(people(), wallet)
    assert code(answer) == (429, "TOO_MANY_ATTEMPTS") and int(answer.headers["Retry-After"]) == 15
    with site.unit_of_work() as session:
        query = select(EventRow.payload).where(EventRow.name == "core.member.sign_in_failed")
        told = session.scalars(query.order_by(EventRow.id.desc()).limit(1)).one()
    assert told == {"member_id": person.id, "factor": "wallet"}


def test_a_suspended_member_stays_out(
    site: Platform, people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    person, wallet = holder
    with site.unit_of_work() as session:
        session.execute(text("UPDATE core_member SET status = 'suspended' WHERE id = :id"), {"id": person.id})
    assert code(signs_in(people(), wallet)) == (403, "MEMBER_SUSPENDED")


def test_the_second_factor_is_asked_for(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    from tests.core.members.test_two_factor import App

    person, wallet = holder
    app = App(person.post(f"{ME}/two-factor").json["data"]["secret"])
    person.post(f"{ME}/two-factor/enable", {"code": app.code()})
    answer = signs_in(people(), wallet).json["data"]
    assert set(answer) == {"challenge_token", "methods"}
    with app.later():
        body = {"challenge_token": answer["challenge_token"], "code": app.code()}
        assert people().post(f"{AUTH}/login/second-factor", body).status_code == 200


def test_whoever_has_a_wallet_registers_where_registration_is_open(
    people: Callable[..., Person], registration: None
) -> None:
    wallet, person = Wallet(), people()
    body = signed(wallet, asked(person, wallet, "register"), display_name="Zoë")
    answer = person.post(f"{AUTH}/wallet/register", body)
    assert answer.status_code == 201
    person.headers = {"Authorization": f"Bearer {answer.json['data']['access_token']}"}
    me = person.get(ME).json["data"]
    assert (me["display_name"], me["email"], me["roles"]) == ("Zoë", None, ["User"])
    assert signs_in(people(), wallet).status_code == 200
    again = people()
    body = signed(wallet, asked(again, wallet, "register"), display_name="Zoë")
    assert code(again.post(f"{AUTH}/wallet/register", body)) == (409, "WALLET_TAKEN")
    only = person.get(f"{ME}/wallets").json["data"][0]["id"]
    assert code(person.delete(f"{ME}/wallets/{only}")) == (409, "LAST_WAY_IN")


def test_who_registers_many_wallets_is_slowed_down(
    people: Callable[..., Person], registration: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttle.FREE, "address", 3)
    said = []
    for _number in range(4):
        wallet, person = Wallet(), people()
        body = signed(wallet, asked(person, wallet, "register"), display_name="Zoë")
        answer = person.post(f"{AUTH}/wallet/register", body, environ_overrides={"REMOTE_ADDR": "10.3.3.3"})
        said.append(answer.status_code)
    assert said == [201, 201, 201, 429]


def test_nobody_registers_by_wallet_where_registration_is_closed(people: Callable[..., Person]) -> None:
    wallet = Wallet()
    answer = people().post(f"{AUTH}/wallet/challenge", {"address": wallet.address, "purpose": "register"})
    assert code(answer) == (403, "REGISTRATION_CLOSED")
    body = {"message": "m", "signature": "0x", "display_name": "Zoë"}
    assert code(people().post(f"{AUTH}/wallet/register", body)) == (403, "REGISTRATION_CLOSED")


def test_a_wallet_alone_is_not_enough_where_the_settings_ask_for_an_address(
    people: Callable[..., Person], registration: None, site: Platform
) -> None:
    system = Actor.system("test")
    asks = people().get("/register").text
    for on in (False, True):
        with site.unit_of_work(system) as session:
            write(session, system, PlatformSettings, {"wallet_registration": on})
        site.registry.cache.looked_at = float("-inf")
        wallet = Wallet()
        answer = people().post(f"{AUTH}/wallet/challenge", {"address": wallet.address, "purpose": "register"})
        assert answer.status_code == (200 if on else 403)
        assert ("/register/wallet" in people().get("/register").text) is on
    assert "/register/wallet" in asks


def test_a_wallet_belongs_to_one_member(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    person, wallet = holder
    assert code(links(people("User"), wallet)) == (409, "WALLET_TAKEN")
    assert code(links(person, wallet)) == (409, "WALLET_TAKEN")


def test_of_many_that_link_a_wallet_at_once_one_gets_it(people: Callable[..., Person]) -> None:
    wallet, start, said = Wallet(), Barrier(8), []
    each = [people("User") for _number in range(8)]
    bodies = [signed(wallet, asked(person, wallet, "link")) for person in each]

    def one(person: Person, body: dict[str, Any]) -> None:
        start.wait()
        said.append(person.post(f"{ME}/wallets", body).status_code)

    threads = [Thread(target=one, args=pair) for pair in zip(each, bodies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [201] + [409] * 7


def test_linking_takes_a_fresh_proof(people: Callable[..., Person]) -> None:
    person, wallet = people("User"), Wallet()
    with frozen(now() + timedelta(minutes=11)):
        assert code(links(person, wallet)) == (403, "STEP_UP_REQUIRED")


def test_a_linked_wallet_is_a_fresh_proof(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    person, wallet = holder
    with frozen(now() + timedelta(minutes=11)):
        assert code(links(person, Wallet())) == (403, "STEP_UP_REQUIRED")
        other = Wallet()
        strange = signed(other, asked(person, other, "step_up"))
        assert code(person.post(f"{AUTH}/step-up", strange)) == (401, "WALLET_UNKNOWN")
        assert person.post(f"{AUTH}/step-up", signed(wallet, asked(person, wallet, "step_up"))).status_code == 204
        assert links(person, Wallet()).status_code == 201
    assert code(person.post(f"{AUTH}/step-up", {"message": "m"})) == (422, "INVALID")


def test_the_primary_wallet_is_the_first_until_another_is_chosen(
    people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    person, wallet = holder
    second = links(person, Wallet(), label="  Hardware   wallet ").json["data"]
    assert (second["is_primary"], second["label"]) == (False, "Hardware wallet")
    assert person.post(f"{ME}/wallets/{second['id']}/primary").status_code == 204
    assert person.get("/api/auth/user").json["user"]["walletAddress"] == second["address"]
    assert person.delete(f"{ME}/wallets/{second['id']}").status_code == 204
    assert person.get("/api/auth/user").json["user"]["walletAddress"] == wallet.address
    assert person.post(f"{ME}/wallets/{second['id']}/primary").status_code == 404
    assert people("User").delete(f"{ME}/wallets/{person.get(f'{ME}/wallets').json['data'][0]['id']}").status_code == 404


def test_the_last_way_in_stays(people: Callable[..., Person], holder: tuple[Person, Wallet]) -> None:
    person, _wallet = holder
    links(person, Wallet())
    ids = [one["id"] for one in person.get(f"{ME}/wallets").json["data"]]
    start, said = Barrier(2), []

    def one(key: str, mine: Person) -> None:
        start.wait()
        said.append(mine.delete(f"{ME}/wallets/{key}").status_code)

    twin = people()
    twin.headers = person.headers
    threads = [Thread(target=one, args=pair) for pair in zip(ids, (person, twin), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [204, 409]


def test_with_a_password_the_last_wallet_may_go(people: Callable[..., Person], member: Member) -> None:
    person, wallet = people(), Wallet()
    answer = person.post(f"{AUTH}/login", {"email": member.email, "password": PASSWORD})
    person.headers = {"Authorization": f"Bearer {answer.json['data']['access_token']}"}
    key = links(person, wallet).json["data"]["id"]
    assert person.delete(f"{ME}/wallets/{key}").status_code == 204
    assert code(signs_in(people(), wallet)) == (401, "WALLET_UNKNOWN")


def test_a_member_has_so_many_wallets_and_no_more(
    people: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallets, "MOST_WALLETS", 1)
    person = people("User")
    assert links(person, Wallet()).status_code == 201
    assert code(links(person, Wallet())) == (409, "TOO_MANY_WALLETS")


def test_spent_numbers_are_swept_away(
    site: Platform, people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    _person, wallet = holder
    with frozen(now() + timedelta(hours=1)), site.unit_of_work() as session:
        stale = session.query(SpentNonce).where(SpentNonce.expires_at < now()).count()
        signs_in(people(), wallet)
        assert stale and session.query(SpentNonce).where(SpentNonce.expires_at < now()).count() == max(0, stale - 20)


def test_the_trail_tells_of_wallets_without_their_addresses(
    site: Platform, people: Callable[..., Person], holder: tuple[Person, Wallet]
) -> None:
    person, wallet = holder
    with site.unit_of_work() as session:
        query = "SELECT row_to_json(a)::text FROM core_audit a WHERE subject_id = :id AND action LIKE '%wallet%'"
        kept = session.scalars(text(query), {"id": person.id}).all()
    assert len(kept) == 1 and wallet.address not in kept[0]
