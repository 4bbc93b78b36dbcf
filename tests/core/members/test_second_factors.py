"""Codes by mail and text message as the second step of signing in and of confirming who one is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from core.clock import frozen, now
from core.members import factors, totp
from core.members.models import Member
from tests.core.doors import Person
from tests.core.members.texting import (
    AUTH,
    ME,
    PASSWORD,
    Town,
    built,
    refused,
    said,
    town,
)
from tests.core.workshop import plain_logs

__all__ = ["built", "plain_logs", "town"]
BOTH = pytest.mark.parametrize("method", ["sms", "mail"])


def has(town: Town, method: str) -> tuple[Person, list[str]]:
    """Somebody whose second factor is a code that is sent, and their recovery codes."""
    person = town.person()
    if method == "sms":
        town.confirm(person)
    return person, town.turn_on(person, method)


def sent(town: Town, token: str, method: str) -> tuple[str, str]:
    """Have the second code sent; returns its id and digits."""
    code_id = said(town.send_second(token, method))["code_id"]
    return code_id, town.text() if method == "sms" else town.mailed(code_id)


def entered(town: Town, member: Member) -> str:
    """The token of somebody who has signed in with the password and a text message."""
    token = town.challenge(member)["challenge_token"]
    code_id, code = sent(town, token, "sms")
    return str(said(town.second(token, code, code_id))["access_token"])


def member_of(person: Person) -> Member:
    assert person.member is not None
    return person.member


@BOTH
def test_it_is_turned_on_by_a_code_and_signs_in_from_then_on(town: Town, method: str) -> None:
    person, recovery = has(town, method)
    assert len(recovery) == 10
    assert said(person.get(f"{ME}/two-factor"))["methods"] == [method]
    answer = town.challenge(member_of(person))
    assert answer["methods"] == [method]
    code_id, code = sent(town, answer["challenge_token"], method)
    assert said(town.second(answer["challenge_token"], code, code_id))["access_token"]


@BOTH
def test_a_code_is_good_once_and_so_is_the_challenge(town: Town, method: str) -> None:
    person, _recovery = has(town, method)
    first, second = (town.challenge(member_of(person))["challenge_token"] for _number in range(2))
    code_id, code = sent(town, first, method)
    assert town.second(first, code, code_id).status_code == 200
    assert refused(town.second(first, code, code_id)) == (403, "LINK_INVALID")
    assert town.second(second, code, code_id).status_code in (401, 403)
    third = town.challenge(member_of(person))["challenge_token"]
    assert refused(town.second(third, code, code_id)) == (401, "INVALID_CODE")


def test_of_many_that_give_it_at_once_one_gets_in(town: Town) -> None:
    person, _recovery = has(town, "mail")
    token = town.challenge(member_of(person))["challenge_token"]
    code_id, code = sent(town, token, "mail")
    start = Barrier(16)

    def one(_number: int) -> int:
        start.wait()
        return int(town.second(token, code, code_id).status_code)

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(16)))
    assert outcomes.count(200) == 1 and set(outcomes) <= {200, 401, 403, 429}


def test_the_code_of_one_member_or_purpose_is_no_good_for_another(town: Town) -> None:
    (ada, _codes), (ben, _others) = has(town, "mail"), has(town, "mail")
    token = town.challenge(member_of(ada))["challenge_token"]
    theirs, code = sent(town, town.challenge(member_of(ben))["challenge_token"], "mail")
    assert refused(town.second(token, code, theirs)) == (401, "INVALID_CODE")
    asked = said(Person(town.web).post(f"{AUTH}/code", {"email": member_of(ada).email}))["code_id"]
    assert refused(town.second(token, town.mailed(asked), asked)) == (401, "INVALID_CODE")


def test_guessing_is_slowed_down_and_voids_the_code(town: Town) -> None:
    person, _recovery = has(town, "mail")
    token = town.challenge(member_of(person))["challenge_token"]
    code_id, code = sent(town, token, "mail")
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    answers = [refused(town.second(token, wrong, code_id)) for _number in range(6)]
    assert answers[:5] == [(401, "INVALID_CODE")] * 5 and answers[5] == (429, "TOO_MANY_ATTEMPTS")
    with frozen(now() + timedelta(minutes=2)):
        assert refused(town.second(token, code, code_id)) == (401, "INVALID_CODE")


@BOTH
def test_sending_is_limited(town: Town, method: str) -> None:
    person, _recovery = has(town, method)
    token = town.challenge(member_of(person))["challenge_token"]
    answers = [town.send_second(token, method).status_code for _number in range(6)]
    assert answers[0] == 200 and answers[-1] == 429


def test_strangers_who_ask_for_codes_keep_nobody_from_the_second_step(town: Town) -> None:
    person, _recovery = has(town, "mail")
    asked = [Person(town.web).post(f"{AUTH}/code", {"email": member_of(person).email}) for _number in range(6)]
    assert asked[-1].status_code == 429
    assert town.send_second(town.challenge(member_of(person))["challenge_token"], "mail").status_code == 200


def test_a_recovery_code_still_works_and_the_app_stays_beside(town: Town) -> None:
    person, recovery = has(town, "mail")
    secret = said(person.post(f"{ME}/two-factor"))["secret"]
    code = totp.code_at(secret, totp.step_of(now()))
    assert said(person.post(f"{ME}/two-factor/enable", {"code": code}))["recovery_codes"] == []
    answer = town.challenge(member_of(person))
    assert answer["methods"] == ["totp", "mail"]
    assert town.second(answer["challenge_token"], recovery[0]).status_code == 200
    assert person.delete(f"{ME}/two-factor/totp").status_code == 204
    left = said(person.get(f"{ME}/two-factor"))
    assert left["methods"] == ["mail"] and left["recovery_codes_left"] == 9
    assert person.delete(f"{ME}/two-factor/mail").status_code == 204
    assert said(person.get(f"{ME}/two-factor"))["recovery_codes_left"] == 0
    assert "access_token" in town.challenge(member_of(person))
    assert refused(person.delete(f"{ME}/two-factor/mail")) == (409, "TWO_FACTOR_OFF")
    assert person.delete(f"{ME}/two-factor/pigeon").status_code == 404


def test_all_other_sessions_end_when_it_is_turned_on(town: Town) -> None:
    person = town.person()
    other = Person(town.web, None, said(town.log_in(member_of(person)))["access_token"])
    town.turn_on(person, "mail")
    assert other.get(ME).status_code == 401 and person.get(ME).status_code == 200


def test_who_signs_in_by_a_mailed_code_is_not_asked_for_another_mail(town: Town) -> None:
    person, recovery = has(town, "mail")
    door = Person(town.web)
    code_id = said(door.post(f"{AUTH}/code", {"email": member_of(person).email}))["code_id"]
    answer = said(door.post(f"{AUTH}/code/login", {"code_id": code_id, "code": town.mailed(code_id)}))
    token = answer["challenge_token"]
    assert answer["methods"] == []
    assert refused(town.send_second(token, "mail")) == (409, "FACTOR_UNUSABLE")
    theirs, code = sent(town, town.challenge(member_of(person))["challenge_token"], "mail")
    assert refused(town.second(token, code, theirs)) == (401, "INVALID_CODE")
    assert town.second(token, recovery[0]).status_code == 200


def test_a_mailed_code_cannot_be_both_steps(town: Town) -> None:
    person = town.person()
    with town.platform.unit_of_work() as session:
        session.execute(text("DELETE FROM core_credential WHERE member_id = :id"), {"id": person.id})
    assert refused(person.post(f"{ME}/two-factor/mail/code")) == (409, "NO_FIRST_FACTOR")


def test_what_cannot_reach_anybody_is_not_turned_on(town: Town) -> None:
    person = town.person()
    assert refused(person.post(f"{ME}/two-factor/sms/code")) == (409, "FACTOR_NOT_POSSIBLE")
    assert said(person.get(f"{ME}/two-factor"))["possible"] == ["mail"]
    town.turn_on(person, "mail")
    assert refused(person.post(f"{ME}/two-factor/mail/code")) == (409, "FACTOR_ON")
    stale = said(town.person().post(f"{ME}/two-factor/mail/code"))["code_id"]
    body = {"code_id": stale, "code": town.mailed(stale)}
    assert refused(town.person().post(f"{ME}/two-factor/mail/enable", body)) == (401, "CODE_UNUSABLE")


def test_the_number_stays_while_it_is_the_second_step(town: Town) -> None:
    person, _recovery = has(town, "sms")
    assert refused(person.delete(f"{ME}/phone")) == (409, "PHONE_NEEDED")


def test_without_a_plugin_that_sends_the_recovery_codes_let_in(town: Town) -> None:
    person, recovery = has(town, "sms")
    town.set(sms_codes=False)
    token = town.challenge(member_of(person))["challenge_token"]
    assert refused(town.send_second(token, "sms")) == (409, "FACTOR_UNUSABLE")
    assert town.second(token, recovery[0]).status_code == 200


@pytest.mark.parametrize("first", ["password", "code"])
def test_confirming_who_one_is_takes_what_the_member_has(town: Town, first: str) -> None:
    person, _recovery = has(town, "sms")
    with frozen(now() + timedelta(minutes=11)):
        proof: dict[str, Any] = {"password": PASSWORD}
        if first == "code":
            code_id = said(person.post(f"{ME}/code"))["code_id"]
            proof = {"code_id": code_id, "mailed_code": town.mailed(code_id)}
        assert refused(person.post(f"{AUTH}/step-up", proof)) == (401, "INVALID_CODE")
        second = said(person.post(f"{ME}/two-factor/code", {"method": "sms"}))["code_id"]
        if first == "code":
            code_id = said(person.post(f"{ME}/code"))["code_id"]
            proof = {"code_id": code_id, "mailed_code": town.mailed(code_id)}
        body = {**proof, "factor_code_id": second, "code": town.mailed(second)}
        assert person.post(f"{AUTH}/step-up", body).status_code == 204
        assert person.post(f"{ME}/two-factor/recovery-codes").status_code == 200


def test_a_text_message_is_a_fresh_proof_too_but_not_both(town: Town) -> None:
    person = town.person()
    town.confirm(person)
    with frozen(now() + timedelta(minutes=11)):
        code_id = said(person.post(f"{ME}/code?channel=sms"))["code_id"]
        body = {"code_id": code_id, "mailed_code": town.mailed(code_id)}
        assert person.post(f"{AUTH}/step-up", body).status_code == 204
        town.turn_on(person, "sms")
    person.headers = {"Authorization": f"Bearer {entered(town, member_of(person))}"}
    town.forgive()
    with frozen(now() + timedelta(minutes=14)):
        one = said(person.post(f"{ME}/code?channel=sms"))["code_id"]
        two = said(person.post(f"{ME}/two-factor/code", {"method": "sms"}))["code_id"]
        body = {"code_id": one, "mailed_code": town.mailed(one), "factor_code_id": two, "code": town.mailed(two)}
        assert refused(person.post(f"{AUTH}/step-up", body)) == (401, "INVALID_CODE")


def test_an_admin_needs_the_app_unless_the_settings_take_less(town: Town) -> None:
    town.set(require_admin_two_factor="yes")
    admin = town.person("Admin", "User")
    town.turn_on(admin, "mail")
    assert refused(admin.get(f"{ME}/sessions")) == (403, "TWO_FACTOR_REQUIRED")
    town.set(admin_second_factors="totp_sms_mail")
    assert admin.get(f"{ME}/sessions").status_code == 200
    assert town.challenge(member_of(admin))["methods"] == ["mail"]


def test_an_admin_with_the_app_is_not_let_in_by_less(town: Town) -> None:
    town.set(require_admin_two_factor="yes")
    admin = town.person("Admin", "User")
    recovery = town.turn_on(admin, "mail")
    assert len(recovery) == 10
    secret = said(admin.post(f"{ME}/two-factor"))["secret"]
    code = totp.code_at(secret, totp.step_of(now()))
    said(admin.post(f"{ME}/two-factor/enable", {"code": code}))
    answer = town.challenge(member_of(admin))
    assert answer["methods"] == ["totp"]
    assert refused(town.send_second(answer["challenge_token"], "mail")) == (409, "FACTOR_UNUSABLE")


def test_an_admin_resets_it_and_the_member_goes_on(town: Town) -> None:
    person, _recovery = has(town, "mail")
    admin = town.person("Admin", "User")
    path = f"/api/v1/core/members/{person.id}/reset-two-factor"
    answer = admin.post(path, {"reason": "lost the phone"})
    assert answer.status_code in (200, 204), answer.text
    assert "access_token" in town.challenge(member_of(person))
    with town.platform.unit_of_work() as session:
        assert factors.of(session, member_of(person).id) == []


def test_the_pages_lead_through_the_second_step(town: Town) -> None:
    person, _recovery = has(town, "sms")
    browser = Person(town.web)
    answer = browser.send("/login", email=member_of(person).email, password=PASSWORD, next="/profile")
    assert "/login/second-factor" in answer.location
    page = browser.get("/login/second-factor").text
    assert "A code is on its way" in page and "Send another code" in page
    code = town.text()
    assert browser.send("/login/second-factor", code="00000000").status_code == 401
    assert browser.send("/login/second-factor", code=code, next="/profile").location == "/profile"
    assert Person(town.web).send("/login/second-factor/code", method="sms").status_code == 303


def test_the_profile_turns_it_on_and_off_and_confirms_with_it(town: Town) -> None:
    member = town.member()
    browser = town.browser(member)
    assert "Turn on: Mail" in browser.get("/profile").text
    assert "Give the code that came" in browser.send("/profile/two-factor/mail").text
    with browser.http.session_transaction() as cookie:
        code = town.mailed(cookie["enrol_code_id"])
    assert browser.send("/profile/two-factor/mail/enable", code="1").status_code == 422
    assert "Recovery codes" in browser.send("/profile/two-factor/mail/enable", code=code).text
    with frozen(now() + timedelta(minutes=11)):
        assert "A code for the second step" in browser.get("/confirm?next=/profile/wallets").text
        assert browser.send("/confirm/second-factor/code", method="mail").status_code == 200
        with browser.http.session_transaction() as cookie:
            code = town.mailed(cookie["factor_code_id"])
        assert browser.send("/confirm", password=PASSWORD, code="1", next="/profile").status_code == 422
        assert browser.send("/confirm", password=PASSWORD, code=code, next="/profile").location == "/profile"
        assert browser.send("/profile/two-factor/disable", method="mail").location == "/profile"
    assert "Turn on: Mail" in browser.get("/profile").text
