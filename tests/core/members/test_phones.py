"""A phone number is proved by a code in a text message, belongs to one member, and is plain text nowhere."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, text

from core import hooks, settings
from core.clock import frozen, now
from core.events.models import Delivery
from core.members.models import Member, Phone
from core.platform_settings import PlatformSettings
from core.privacy import erase, export
from tests.core.doors import Person
from tests.core.members.texting import (
    AUTH,
    ME,
    NUMBER,
    OTHER,
    SYSTEM,
    Town,
    built,
    refused,
    said,
    town,
)
from tests.core.workshop import plain_logs

__all__ = ["built", "plain_logs", "town"]


def test_a_number_is_confirmed_by_the_code_that_comes(town: Town) -> None:
    person = town.person()
    asked = said(person.post(f"{ME}/phone", {"number": "+33 6 12 34 56 78"}))
    assert said(person.get(f"{ME}/phone")) == {"number": None, "verified_at": None, "waiting": NUMBER}
    code = town.text()
    assert town.first.sent[-1]["To"] == NUMBER and "127.0.0.1" in town.first.sent[-1]["Body"]
    shown = said(person.post(f"{ME}/phone/verify", {"code_id": asked["code_id"], "code": code}))
    assert shown["number"] == NUMBER and shown["verified_at"] and shown["waiting"] is None
    again = person.post(f"{ME}/phone/verify", {"code_id": asked["code_id"], "code": code})
    assert refused(again) == (401, "CODE_UNUSABLE")
    assert refused(person.post(f"{ME}/phone", {"number": NUMBER})) == (409, "PHONE_KNOWN")
    assert person.delete(f"{ME}/phone").status_code == 204
    assert said(person.get(f"{ME}/phone"))["number"] is None


@pytest.mark.parametrize(
    "number",
    ["0612345678", "x", "", "+331", "+33 1 42 68 53 00", "+1 900 234 5678", "+33612345678;ext=1" * 2, "+" * 39],
)
def test_what_no_text_message_reaches_is_refused(town: Town, number: str) -> None:
    assert refused(town.person().post(f"{ME}/phone", {"number": number})) == (422, "INVALID")
    town.deliver()
    assert town.first.asked == 0


def test_the_old_number_stays_until_the_new_one_is_confirmed(town: Town) -> None:
    person = town.person()
    town.confirm(person)
    code_id = said(person.post(f"{ME}/phone", {"number": OTHER}))["code_id"]
    assert said(person.get(f"{ME}/phone"))["number"] == NUMBER
    said(person.post(f"{ME}/phone/verify", {"code_id": code_id, "code": town.text()}))
    assert said(person.get(f"{ME}/phone")) | {"verified_at": None} == {
        "number": OTHER,
        "verified_at": None,
        "waiting": None,
    }


def test_the_code_of_one_number_does_not_confirm_another(town: Town) -> None:
    person = town.person()
    code_id = said(person.post(f"{ME}/phone", {"number": NUMBER}))["code_id"]
    code = town.text()
    said(person.post(f"{ME}/phone", {"number": OTHER}))
    assert refused(person.post(f"{ME}/phone/verify", {"code_id": code_id, "code": code})) == (401, "CODE_UNUSABLE")
    stranger = town.person()
    new = said(person.post(f"{ME}/phone/code"))["code_id"]
    town.deliver()
    assert refused(stranger.post(f"{ME}/phone/verify", {"code_id": new, "code": town.first.code}))[0] == 401


def test_a_number_belongs_to_one_member_however_many_confirm_it_at_once(town: Town) -> None:
    people = [town.person() for _number in range(8)]
    asked = [said(one.post(f"{ME}/phone", {"number": NUMBER}))["code_id"] for one in people[:5]]
    town.forgive()
    asked += [said(one.post(f"{ME}/phone", {"number": NUMBER}))["code_id"] for one in people[5:]]
    start = Barrier(8)

    def confirm(person: Person, code_id: str) -> tuple[int, str]:
        start.wait()
        answer = person.post(f"{ME}/phone/verify", {"code_id": code_id, "code": town.mailed(code_id)})
        return (200, "") if answer.status_code == 200 else refused(answer)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(confirm, people, asked))
    assert outcomes.count((200, "")) == 1 and outcomes.count((409, "PHONE_TAKEN")) == 7, outcomes


def test_nobodys_phone_is_filled(town: Town) -> None:
    person = town.person()
    said(person.post(f"{ME}/phone", {"number": NUMBER}))
    answers = [person.post(f"{ME}/phone/code") for _number in range(5)]
    assert [one.status_code for one in answers] == [200] * 4 + [429]
    assert refused(answers[-1])[1] == "TOO_MANY_ATTEMPTS"
    town.forgive()
    town.set(sms_per_day=5)
    assert refused(person.post(f"{ME}/phone/code")) == (429, "TOO_MANY_MESSAGES")


def test_it_takes_a_fresh_proof_and_a_person(town: Town) -> None:
    person = town.person()
    with frozen(now() + timedelta(minutes=11)):
        assert refused(person.post(f"{ME}/phone", {"number": NUMBER})) == (403, "STEP_UP_REQUIRED")
        assert refused(person.delete(f"{ME}/phone")) == (403, "STEP_UP_REQUIRED")


def test_no_table_log_or_event_holds_the_number_or_the_code(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    person = town.person()
    town.confirm(person)
    code, logged = town.first.code, capsys.readouterr().out
    with town.platform.unit_of_work() as session:
        tables = session.scalars(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        )
        for table in tables.all():
            for secret in (NUMBER, NUMBER[3:], code):
                query = text(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE :secret')
                assert session.scalar(query, {"secret": f"%{secret}%"}) == 0, (table, secret)
    assert NUMBER[1:] not in logged and code not in logged


def test_the_copy_of_personal_data_has_it_and_an_erasure_takes_it(town: Town, tmp_path: Path) -> None:
    person = town.person()
    town.confirm(person)
    assert person.member is not None
    with town.platform.unit_of_work(SYSTEM) as session:
        assert export.write(session, person.member.id, tmp_path / "copy.zip") == []
        sealed = session.scalars(select(Phone.number)).one()
    rows = json.loads(zipfile.ZipFile(tmp_path / "copy.zip").read("json/core_phone.json"))
    assert rows[0]["number"] == NUMBER and "number_hash" not in rows[0]
    with town.platform.unit_of_work(SYSTEM) as session:
        row = erase._ask(session, SYSTEM, person.member.id, timedelta(0), "wished")
        erase.erase(session, SYSTEM, row.id)
    with town.platform.unit_of_work(SYSTEM) as session:
        assert session.scalars(select(Phone)).all() == []
        from core.crypto import members as member_keys

        keys = member_keys.keys_of(session, [person.member.id])
        assert member_keys.opened(keys, sealed, "core_phone.number") == "erased"


def test_where_no_plugin_sends_texts_none_are_offered(town: Town, people: Any) -> None:
    other = people("User", browser=True)
    assert "/profile/phone" not in other.get("/profile").text
    assert other.get("/profile/phone").status_code == 404
    assert refused(people("User").post(f"{ME}/phone", {"number": NUMBER})) == (409, "TEXTS_OFF")
    member = town.member()
    assert "/profile/phone" in town.browser(member).get("/profile").text
    town.set(sms_codes=False)
    assert "/profile/phone" not in town.browser(member).get("/profile").text


def test_the_next_plugin_is_asked_where_the_first_fails_or_declines(town: Town) -> None:
    person = town.person()
    town.first.down = True
    said(person.post(f"{ME}/phone", {"number": NUMBER}))
    town.deliver()
    assert (town.first.asked, len(town.first.sent), len(town.backup.sent)) == (1, 0, 1)
    town.first.down = False
    first = town.platform.registry.plugins["texts_first"]
    assert first.settings is not None
    with town.platform.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, first.settings, {"only": "+49"})
    said(person.post(f"{ME}/phone/code"))
    town.deliver()
    assert (town.first.asked, len(town.backup.sent)) == (1, 2)


def test_where_all_fail_it_is_tried_again_while_the_code_is_good(town: Town) -> None:
    person = town.person()
    town.first.down = town.backup.down = True
    said(person.post(f"{ME}/phone", {"number": NUMBER}))
    town.deliver()
    with town.platform.unit_of_work() as session:
        waiting = session.scalars(select(Delivery).where(Delivery.subscriber == "core.send_code")).one()
        assert waiting.state == "pending" and waiting.attempts == 1 and "NotSent" in (waiting.last_error or "")
        assert NUMBER not in (waiting.last_error or "")
    town.first.down = False
    with frozen(now() + timedelta(minutes=5)):
        town.deliver()
    assert len(town.first.sent) == 1
    town.first.down = True
    said(person.post(f"{ME}/phone/code"))
    town.deliver()
    town.first.down = False
    with frozen(now() + timedelta(minutes=20)):
        town.deliver()
    assert len(town.first.sent) == 1


def test_a_message_whose_answer_was_lost_is_not_sent_twice(town: Town) -> None:
    person = town.person()
    town.backup.down = True
    town.first.cut = True
    said(person.post(f"{ME}/phone", {"number": NUMBER}))
    town.deliver()
    with frozen(now() + timedelta(minutes=5)):
        town.deliver()
    assert (town.first.asked, len(town.first.sent)) == (2, 1)


def test_the_first_answer_counts_and_one_that_raises_costs_itself_alone(town: Town) -> None:
    asked = {"number": NUMBER, "text": "hello", "reference": town.member().id}
    with town.platform.unit_of_work() as session:
        assert hooks.implemented(session, "send_sms")
        answer = hooks.first(session, "send_sms", unit_of_work=town.platform.unit_of_work, **asked)
        assert answer.startswith("SM") and town.backup.asked == 0
        town.first.down = town.backup.down = True
        assert hooks.first(session, "send_sms", unit_of_work=town.platform.unit_of_work, **asked) is None
        assert not session.in_nested_transaction()


def test_a_text_message_signs_in_only_where_the_settings_allow_it(town: Town) -> None:
    person = town.person()
    town.confirm(person)
    door = Person(town.web)
    assert refused(door.post(f"{AUTH}/code", {"number": NUMBER})) == (409, "CODES_OFF")
    town.set(sms_sign_in=True)
    known = said(door.post(f"{AUTH}/code", {"number": NUMBER}))
    code = town.text()
    unknown = said(door.post(f"{AUTH}/code", {"number": OTHER}))
    town.deliver()
    assert known.keys() == unknown.keys() and len(town.first.sent) == 2
    answer = door.post(f"{AUTH}/code/login", {"code_id": known["code_id"], "code": code})
    assert said(answer)["access_token"]
    both = door.post(f"{AUTH}/code", {"number": NUMBER, "email": "x@example.org"})
    assert refused(both) == (422, "INVALID")


def test_a_suspended_member_is_sent_nothing(town: Town) -> None:
    person = town.person()
    said(person.post(f"{ME}/phone", {"number": NUMBER}))
    with town.platform.unit_of_work() as session:
        session.execute(text("UPDATE core_member SET status = 'suspended' WHERE id = :id"), {"id": person.id})
    town.deliver()
    assert town.first.asked == 0


def test_the_pages_lead_from_the_number_to_the_confirmed_one(town: Town) -> None:
    browser = town.browser(town.member())
    assert "Your number" in browser.get("/profile/phone").text
    wrong = browser.send("/profile/phone", number="12")
    assert wrong.status_code == 422 and "country code" in wrong.text
    page = browser.send("/profile/phone", number="+33 6 12 34 56 78")
    assert page.status_code == 200 and "+33 6 12 34 56 78" in page.text
    code = town.text()
    assert browser.send("/profile/phone/verify", code="00000000").status_code == 422
    assert browser.send("/profile/phone/verify", code=code).location == "/profile"
    assert "Confirmed" in browser.get("/profile").text
    assert browser.send("/profile/phone/remove").location == "/profile"
    with town.platform.unit_of_work() as session:
        assert session.get_one(Member, browser.id).status == "active"
        assert not session.scalars(select(Phone)).all()
        assert settings.read(session, PlatformSettings).sms_codes
