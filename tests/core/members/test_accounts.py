"""Coming in by oneself: what a link proves, how often it does, and what no answer tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from core.actor import Actor
from core.clock import frozen, now
from core.events.models import EventRow
from core.ids import new_id
from core.members import accounts, service
from core.members.models import Member
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.core.doors import Person

AUTH, PASSWORD, NEW = "/api/v1/core/auth", "correct horse battery", "a quite new password"


@pytest.fixture(autouse=True)
def opened(site: Platform) -> Iterator[Callable[[bool], None]]:
    """Registration is open; what is counted here does not slow down other tests."""

    def set_to(value: bool) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            write(session, Actor.system("test"), PlatformSettings, {"registration": value})
        site.registry.cache.looked_at = float("-inf")

    set_to(True)
    yield set_to
    set_to(False)
    with site.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt"))


@pytest.fixture
def address() -> str:
    return f"{new_id()}@example.org"


@pytest.fixture
def known(site: Platform, address: str) -> str:
    """The address of somebody who has an account."""
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        service.register(session, actor, email=address, password=PASSWORD, display_name="Ben")
    return address


def member_of(site: Platform, email: str) -> Member | None:
    with site.unit_of_work() as session:
        return session.scalar(select(Member).where(Member.email == email))


def token_for(site: Platform, email: str, kind: str) -> str:
    """What stands in the link, as the sender of the mail makes it."""
    make = service.verification_link if kind == "verify" else service.password_reset_link
    member = member_of(site, email)
    assert member is not None
    with site.unit_of_work() as session:
        return make(session, member.id).split("token=")[1]


def asked(site: Platform, email: str) -> list[str]:
    """Which mails were asked for, for this address."""
    member = member_of(site, email)
    with site.unit_of_work() as session:
        query = select(EventRow.name).where(EventRow.name.like("core.member.%_requested"))
        mine = query.where(EventRow.payload["member_id"].astext == str(member.id if member else ""))
        return [name.split(".")[2] for name in session.scalars(mine.order_by(EventRow.id))]


def register(person: Person, email: str) -> Any:
    return person.post(f"{AUTH}/register", {"email": email, "display_name": "Ada"})


def signs_in(person: Person, email: str, password: str = PASSWORD) -> bool:
    return bool(person.post(f"{AUTH}/login", {"email": email, "password": password}).status_code == 200)


def test_registering_confirming_signing_in(site: Platform, people: Callable[..., Person], address: str) -> None:
    assert register(people(), address).status_code == 202
    assert asked(site, address) == ["verification_requested"]
    token = token_for(site, address, "verify")
    assert people().post(f"{AUTH}/verify", {"token": token}).status_code == 422
    weak = people().post(f"{AUTH}/verify", {"token": token, "password": "password123"})
    assert weak.json["error"]["details"].keys() == {"password"}
    assert people().post(f"{AUTH}/verify", {"token": token, "password": PASSWORD}).status_code == 204
    assert signs_in(people(), address)
    member = member_of(site, address)
    assert member and member.email_verified_at


def test_a_proved_address_is_told_once(site: Platform) -> None:
    system = Actor.system("test")
    with site.unit_of_work(system) as session:
        given = {"email": f"{new_id()}@example.org", "password": None, "display_name": "Ada"}
        member = service.register(session, system, **given)
        service.mark_verified(session, system, member)
        service.mark_verified(session, system, member)
        told = EventRow.name == "core.member.email_verified", EventRow.payload["member_id"].astext == str(member.id)
        session.flush()
        assert session.scalar(select(func.count()).select_from(EventRow).where(*told)) == 1


def test_nobody_signs_in_before_the_address_is_confirmed(people: Callable[..., Person], address: str) -> None:
    register(people(), address)
    assert not signs_in(people(), address) and not signs_in(people(), address, "")


def test_no_answer_tells_who_is_known(people: Callable[..., Person], known: str) -> None:
    for path, body in [("register", {"display_name": "Ada"}), ("forgot-password", {})]:
        emails = (known, f"{new_id()}@example.org")
        said = [people().post(f"{AUTH}/{path}", {"email": email, **body}) for email in emails]
        assert [answer.status_code for answer in said] == [202, 202]
        assert [answer.json["data"] for answer in said] == [None, None]


def test_who_registers_again_is_mailed_a_way_in(site: Platform, people: Callable[..., Person], known: str) -> None:
    register(people(), known.upper())
    assert asked(site, known) == ["password_reset_requested"]
    assert signs_in(people(), known)


def test_two_addresses_that_the_database_holds_for_one_are_one(
    site: Platform, people: Callable[..., Person], address: str
) -> None:
    """Python lowers the Turkish İ to two letters, PostgreSQL to one."""
    capital = f"İ{address}"
    answers = [register(people(), email) for email in (capital, f"i{address}", capital, f" İ{address.upper()} ")]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert asked(site, capital) == ["verification_requested"] * 4


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.org,eve@example.net", "<ada@example.org>", "ada@eve@example.org", "ada(eve)@example.org",
        '"ada"@example.org', "=?utf-8?q?eve=40example.net=3e?=@example.org", "a;b@example.org", "ada@[127.0.0.1]",
        "ada@", "@example.org", "ada@..", "ada\u2028@example.org",
    ],
)  # fmt: skip
def test_what_a_mail_would_take_to_somebody_else_is_no_address(people: Callable[..., Person], email: str) -> None:
    answer = register(people(), email)
    assert (answer.status_code, list(answer.json["error"]["details"])) == (422, ["email"])


def test_an_address_is_slowed_down_however_it_is_written(people: Callable[..., Person], known: str) -> None:
    ways = [known, f" {known}", f"\u00a0{known}\t", known.upper(), f"{known} "]
    said = [people().post(f"{AUTH}/forgot-password", {"email": email}).status_code for email in ways]
    assert said == [202] * 5
    for email in (f"  {known}", known):
        assert people().post(f"{AUTH}/forgot-password", {"email": email}).status_code == 429


def test_a_link_is_good_once(site: Platform, people: Callable[..., Person], known: str) -> None:
    tokens = [token_for(site, known, "reset") for _number in range(2)]
    body = {"token": tokens[0], "password": NEW}
    assert people().post(f"{AUTH}/reset-password", body).status_code == 204
    for token in tokens:
        used = people().post(f"{AUTH}/reset-password", {"token": token, "password": "another new password"})
        assert (used.status_code, used.json["error"]["code"]) == (403, "LINK_INVALID")
    assert signs_in(people(), known, NEW)


def test_a_reset_ends_every_session(site: Platform, people: Callable[..., Person], known: str) -> None:
    pair = people().post(f"{AUTH}/login", {"email": known, "password": PASSWORD}).json["data"]
    people().post(f"{AUTH}/reset-password", {"token": token_for(site, known, "reset"), "password": NEW})
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert people().get("/api/v1/core/me", headers=headers).status_code == 401


@pytest.mark.parametrize(("kind", "path", "hours"), [("verify", "verify", 73), ("reset", "reset-password", 2)])
def test_a_link_ends(
    site: Platform, people: Callable[..., Person], known: str, kind: str, path: str, hours: int
) -> None:
    body = {"token": token_for(site, known, kind), "password": NEW}
    with frozen(now() + timedelta(hours=hours)):
        assert people().post(f"{AUTH}/{path}", body).status_code == 403


def test_a_link_is_good_for_its_purpose_alone(site: Platform, people: Callable[..., Person], known: str) -> None:
    body = {"token": token_for(site, known, "verify"), "password": NEW}
    assert people().post(f"{AUTH}/reset-password", body).status_code == 403


@pytest.mark.parametrize("change", [{"email": "somebody.else@example.org"}, {"status": "suspended"}])
def test_a_changed_address_or_status_makes_the_link_void(
    site: Platform, people: Callable[..., Person], known: str, change: dict[str, str]
) -> None:
    body = {"token": token_for(site, known, "reset"), "password": NEW}
    with site.unit_of_work() as session:
        session.execute(update(Member).where(Member.email == known).values(change))
    assert people().post(f"{AUTH}/reset-password", body).status_code == 403


def test_letter_boxes_are_not_filled(site: Platform, people: Callable[..., Person], known: str) -> None:
    said = [people().post(f"{AUTH}/forgot-password", {"email": known}).status_code for _number in range(7)]
    assert said == [202] * 5 + [429] * 2
    assert len(asked(site, known)) == 5


def test_closed_registration_makes_nobody(
    site: Platform, people: Callable[..., Person], address: str, opened: Callable[[bool], None]
) -> None:
    opened(False)
    assert register(people(), address).json["error"]["code"] == "REGISTRATION_CLOSED"
    assert people().get("/register").status_code == 404
    assert member_of(site, address) is None


def test_the_pages_lead_from_registering_to_signing_in(
    site: Platform, people: Callable[..., Person], address: str
) -> None:
    browser = people()
    assert 'href="/register"' in browser.get("/login").text
    assert browser.send("/register", email="nonsense", display_name="").status_code == 422
    assert browser.send("/register", email=address, display_name="Ada").location == "/login"
    token = token_for(site, address, "verify")
    assert "new-password" in browser.get(f"/verify?token={token}").text
    assert browser.send("/verify", token=token, password="short").status_code == 422
    assert browser.send("/verify", token=token, password=PASSWORD).location == "/login"
    assert browser.get(f"/verify?token={token}x").location == "/forgot-password"
    assert browser.send("/login", email=address, password=PASSWORD).status_code == 303


def test_the_pages_lead_to_a_new_password(site: Platform, people: Callable[..., Person], known: str) -> None:
    browser = people()
    assert browser.send("/forgot-password", email=known).location == "/login"
    token = token_for(site, known, "reset")
    assert browser.get(f"/reset?token={token}").status_code == 200
    assert browser.send("/reset", token=token, password=NEW).location == "/login"
    assert browser.send("/reset", token=token, password=NEW).location == "/forgot-password"
    assert signs_in(people(), known, NEW)


def test_an_admin_makes_an_account(site: Platform, people: Callable[..., Person], address: str) -> None:
    body = {"email": address, "display_name": "Ada", "roles": ["Moderator", "User"]}
    made = people("Admin").post("/api/v1/core/members", body)
    assert made.status_code == 201 and made.json["data"]["email"] == address
    assert asked(site, address) == ["verification_requested"]
    again = people("Admin").post("/api/v1/core/members", body)
    assert (again.status_code, again.json["error"]["code"]) == (409, "EMAIL_TAKEN")
    assert people("User").post("/api/v1/core/members", body).status_code == 403
    unknown = people("Admin").post("/api/v1/core/members", {**body, "email": f"2{address}", "roles": ["King"]})
    assert unknown.status_code == 422


def test_only_an_admin_gives_roles(site: Platform, address: str) -> None:
    helper = Actor(kind="member", name="Help", roles=("Moderator",))
    with site.unit_of_work(helper) as session, pytest.raises(accounts.RolesForbidden):
        accounts.invite(session, helper, email=address, display_name="Eve", roles=("Admin",))
