"""Signing in with a second factor, setting it up and losing it; proving again who one is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import shown
from core.clock import frozen, now
from core.ids import new_id
from core.members import service, totp, two_factor
from core.members.models import Member, RecoveryCode, TwoFactor
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.settings import write
from tests.core.doors import Person

PASSWORD = "correct horse battery"
AUTH, ME = "/api/v1/core/auth", "/api/v1/core/me"


@pytest.fixture(autouse=True)
def forgiven(site: Platform) -> Iterator[None]:
    """What fails here does not slow down other tests, which share the address."""
    yield
    with site.unit_of_work() as session:
        session.execute(text("TRUNCATE core_failed_attempt"))


@pytest.fixture
def member(site: Platform) -> Member:
    actor = Actor.system("test")
    with site.unit_of_work(actor) as session:
        email = f"{new_id()}@example.org"
        return service.register(session, actor, email=email, password=PASSWORD, display_name="Ben")


class App:
    """The app on somebody's phone; ``at`` moves on by itself, for a code is good once."""

    def __init__(self, secret: str) -> None:
        self.secret, self.at = secret.replace(" ", ""), now()

    def code(self) -> str:
        return totp.code_at(self.secret, totp.step_of(self.at))

    def later(self) -> Any:
        self.at += timedelta(seconds=60)
        return frozen(self.at)


def log_in(person: Person, member: Member) -> Any:
    return person.post(f"{AUTH}/login", {"email": member.email, "password": PASSWORD})


def token_of(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json['data']['access_token']}"}


@pytest.fixture
def secured(people: Callable[..., Person], member: Member) -> tuple[Person, App, list[str]]:
    """Somebody signed in who has just set up the second factor, their app and recovery codes."""
    person = people()
    person.member, person.headers = member, token_of(log_in(person, member))
    app = App(person.post(f"{ME}/two-factor").json["data"]["secret"])
    answer = person.post(f"{ME}/two-factor/enable", {"code": app.code()})
    assert answer.status_code == 200, answer.json
    return person, app, answer.json["data"]["recovery_codes"]


def challenge(people: Callable[..., Person], person: Person) -> str:
    assert person.member is not None
    answer = log_in(people(), person.member)
    assert set(answer.json["data"]) == {"challenge_token", "methods"}
    return str(answer.json["data"]["challenge_token"])


def second(people: Callable[..., Person], token: str, code: str) -> Any:
    return people().post(f"{AUTH}/login/second-factor", {"challenge_token": token, "code": code})


def test_the_password_alone_no_longer_signs_in(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    with app.later():
        answer = second(people, challenge(people, person), app.code())
        assert people().get(ME, headers=token_of(answer)).status_code == 200


def test_a_code_is_good_once(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    with app.later():
        tokens = [challenge(people, person), challenge(people, person)]
        assert second(people, tokens[0], app.code()).status_code == 200
        again = second(people, challenge(people, person), app.code())
        assert (again.status_code, again.json["error"]["code"]) == (401, "INVALID_CODE")
        assert second(people, tokens[1], app.code()).status_code == 403  # the state it was signed with is gone


def test_the_code_that_set_it_up_does_not_sign_in(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    assert second(people, challenge(people, person), app.code()).status_code == 401


def test_a_recovery_code_is_good_once_however_it_is_typed(people: Callable[..., Person], secured: Any) -> None:
    person, _app, codes = secured
    assert second(people, challenge(people, person), f" {codes[0].lower().replace('-', ' ')} ").status_code == 200
    assert second(people, challenge(people, person), codes[0]).status_code == 401
    assert second(people, challenge(people, person), codes[1]).status_code == 200


def test_guessing_codes_is_slowed_down(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    for _number in range(5):
        assert second(people, challenge(people, person), "000000").status_code == 401
    with app.later():
        assert second(people, challenge(people, person), app.code()).status_code == 200
    for _number in range(5):
        second(people, challenge(people, person), "000000")
    assert second(people, challenge(people, person), app.code()).status_code == 429


@pytest.mark.parametrize("token", ["", "x", "a" * 72, "é", "AAAA" * 500])
def test_a_forged_challenge_is_refused(people: Callable[..., Person], token: str) -> None:
    assert second(people, token, "000000").json["error"]["code"] == "LINK_INVALID"


def test_a_challenge_lasts_five_minutes(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    token = challenge(people, person)
    app.at += timedelta(minutes=5)
    with app.later():
        assert second(people, token, app.code()).status_code == 403


def test_setting_up_ends_every_other_session(people: Callable[..., Person], member: Member) -> None:
    here, there = people(), people()
    for person in (here, there):
        person.headers = token_of(log_in(person, member))
    app = App(here.post(f"{ME}/two-factor").json["data"]["secret"])
    assert here.post(f"{ME}/two-factor/enable", {"code": "nope"}).status_code == 401
    assert there.get(ME).status_code == 200
    here.post(f"{ME}/two-factor/enable", {"code": app.code()})
    assert (here.get(ME).status_code, there.get(ME).status_code) == (200, 401)


def test_turning_it_off_takes_password_and_code_again(secured: Any, people: Callable[..., Person]) -> None:
    person, app, _codes = secured
    app.at += timedelta(minutes=11)
    with app.later():
        refused = person.delete(f"{ME}/two-factor")
        assert (refused.status_code, refused.json["error"]["code"]) == (403, "STEP_UP_REQUIRED")
        assert person.post(f"{AUTH}/step-up", {"password": PASSWORD}).json["error"]["code"] == "INVALID_CODE"
        assert person.post(f"{AUTH}/step-up", {"password": "wrong", "code": app.code()}).status_code == 401
        assert person.delete(f"{ME}/two-factor").status_code == 403
        assert person.post(f"{AUTH}/step-up", {"password": PASSWORD, "code": app.code()}).status_code == 204
        assert person.delete(f"{ME}/two-factor").status_code == 204
        assert "access_token" in log_in(people(), person.member).json["data"]


def test_the_tables_hold_neither_secret_nor_codes(site: Platform, secured: Any) -> None:
    _person, app, codes = secured
    with site.unit_of_work() as session:
        kept = session.execute(text("SELECT totp_secret FROM core_two_factor")).scalars().all()
        hashes = session.query(RecoveryCode.code_hash).all()
        assert session.get(TwoFactor, _person.member.id).totp_secret == app.secret
    assert not any(app.secret.encode() in bytes(row) for row in kept)
    assert not any(codes[0].replace("-", "").encode() in bytes(row[0]) for row in hashes)


def test_an_admin_resets_it_for_who_lost_the_phone(site: Platform, people: Callable[..., Person], secured: Any) -> None:
    person, _app, _codes = secured
    admin = people("Admin", browser=True)
    answer = admin.send(f"/admin/members/{person.id}/two-factor/reset", reason="lost the phone")
    assert answer.status_code == 303
    assert "access_token" in log_in(people(), person.member).json["data"]
    with site.unit_of_work() as session:
        reset = AuditRow.action == "core.member.two_factor_reset", AuditRow.subject_id == person.id
        rows = session.scalars(select(AuditRow).where(*reset)).all()
        assert [row.reason for row in shown(session, Actor.system("test"), rows)] == ["lost the phone"]


def test_the_form_asks_for_the_code_in_a_second_step(people: Callable[..., Person], secured: Any) -> None:
    person, app, _codes = secured
    browser = people()
    answer = browser.send("/login", email=person.member.email, password=PASSWORD, next="/profile")
    assert answer.location == "/login/second-factor?next=/profile"
    assert browser.get("/profile").status_code == 302
    wrong = browser.send("/login/second-factor", code="000000", next="/profile")
    assert wrong.status_code == 401 and "code is wrong" in wrong.text
    with app.later():
        assert browser.send("/login/second-factor", code=app.code(), next="/profile").location == "/profile"
        assert browser.get("/profile").status_code == 200


def test_the_second_step_alone_is_sent_back(people: Callable[..., Person]) -> None:
    browser = people()
    assert browser.get("/login/second-factor").location.startswith("/login")
    assert browser.send("/login/second-factor", code="000000").location.startswith("/login")


def test_it_is_set_up_from_the_profile(people: Callable[..., Person], member: Member) -> None:
    browser = people()
    browser.send("/login", email=member.email, password=PASSWORD)
    browser._csrf, browser.member = "", member
    page = browser.get("/profile/two-factor").text
    found = re.search(r"<code title=\"([A-Z2-7 ]+)\"", page)
    assert found and "<svg" in page
    assert browser.send("/profile/two-factor", code="000000").status_code == 422
    done = browser.send("/profile/two-factor", code=App(found[1]).code())
    assert done.status_code == 200 and len(re.findall(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}", done.text)) >= 10
    assert browser.send("/profile/two-factor/disable").location == "/profile"


def test_a_page_that_needs_it_asks_for_the_password_and_leads_back(
    people: Callable[..., Person], member: Member
) -> None:
    browser = people()
    browser.send("/login", email=member.email, password=PASSWORD)
    browser._csrf, browser.member = "", member
    with frozen(now() + timedelta(minutes=11)):
        assert browser.get("/profile/two-factor").location == "/confirm?next=/profile/two-factor"
        assert browser.send("/confirm", password="a wrong password").status_code == 422
        back = browser.send("/confirm", password=PASSWORD, next="/profile/two-factor")
        assert back.location == "/profile/two-factor"
        assert browser.get(back.location).status_code == 200
    assert browser.send("/confirm", password=PASSWORD, next="//evil.example").location == "/"


@pytest.fixture
def rule(site: Platform) -> Any:
    """Sets the rule that admins need a second factor; it is as before after the test."""

    def set_to(value: str) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            write(session, Actor.system("test"), PlatformSettings, {"require_admin_two_factor": value})
        site.registry.cache.looked_at = float("-inf")

    yield set_to
    set_to("auto")


def test_an_admin_without_it_is_led_to_set_it_up_and_can_do_nothing_else(
    people: Callable[..., Person], rule: Callable[[str], None]
) -> None:
    admin, browser, user = people("Admin"), people("Admin", browser=True), people("User")
    rule("yes")
    refused = admin.get("/api/v1/core/members")
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "TWO_FACTOR_REQUIRED")
    assert browser.get("/").location == "/profile/two-factor?next=/"
    page = browser.get("/profile/two-factor")
    assert page.status_code == 200
    assert user.get(ME).status_code == 200
    app = App(admin.post(f"{ME}/two-factor").json["data"]["secret"])
    admin.post(f"{ME}/two-factor/enable", {"code": app.code()})
    assert admin.get("/api/v1/core/members").status_code == 200


def test_without_the_rule_an_admin_is_free(people: Callable[..., Person], rule: Callable[[str], None]) -> None:
    rule("no")
    assert people("Admin").get("/api/v1/core/members").status_code == 200


def test_sessions_are_listed_and_ended_one_by_one(people: Callable[..., Person], member: Member) -> None:
    here, there = people(), people()
    for person in (here, there):
        person.headers = token_of(log_in(person, member))
    listed = here.get(f"{ME}/sessions").json["data"]
    assert [one["current"] for one in listed].count(True) == 1 and len(listed) == 2
    other = next(one["id"] for one in listed if not one["current"])
    assert people("User").delete(f"{ME}/sessions/{other}").status_code == 404
    assert there.get(ME).status_code == 200
    assert here.delete(f"{ME}/sessions/{other}").status_code == 204
    assert there.get(ME).status_code == 401
    assert here.delete(f"{ME}/sessions/{other}").status_code == 404


def test_all_other_sessions_end_at_once(people: Callable[..., Person], member: Member) -> None:
    here, there = people(), people()
    for person in (here, there):
        person.headers = token_of(log_in(person, member))
    assert here.delete(f"{ME}/sessions").status_code == 204
    assert (here.get(ME).status_code, there.get(ME).status_code) == (200, 401)


def test_the_profile_ends_sessions(people: Callable[..., Person], member: Member) -> None:
    browser, client = people(), people()
    browser.send("/login", email=member.email, password=PASSWORD)
    browser._csrf, browser.member = "", member
    client.headers = token_of(log_in(client, member))
    listed = client.get(f"{ME}/sessions").json["data"]
    mine = next(one["id"] for one in listed if one["current"])
    assert mine in browser.get("/profile").text
    browser.send(f"/profile/sessions/{mine}/revoke")
    assert client.get(ME).status_code == 401
    assert browser.send("/profile/sessions/revoke-others").location == "/profile"
    assert browser.get("/profile").status_code == 200


def test_the_system_needs_no_step_up() -> None:
    Actor.system("test").require_step_up()
    assert two_factor.RECOVERY_CODES == 10
