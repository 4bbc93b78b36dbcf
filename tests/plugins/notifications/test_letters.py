"""Links are mailed by real SMTP, and stand in no table."""

from __future__ import annotations

import re

from sqlalchemy import text

from core.events.deliver import Deliverer
from core.members import accounts, codes, service, standing
from core.members.models import TwoFactor
from core.platform import Platform
from guildhall import Actor, now

from .conftest import PostOffice

SYSTEM, PASSWORD = Actor.system("test"), "correct horse battery"


def test_the_link_of_an_invitation_is_mailed_and_works(mailing: Platform, post_office: PostOffice) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        accounts.invite(session, SYSTEM, email="zoe@example.org", display_name="Zoe", roles=("User",))
    Deliverer(mailing.database).drain()
    [mail] = post_office.letters
    assert mail["To"] == "Zoe <zoe@example.org>"
    token = mail.get_content().split("/verify?token=")[1].split()[0]
    with mailing.unit_of_work(SYSTEM) as session:
        accounts.verify(session, SYSTEM, token=token, password=PASSWORD)
        kept = session.scalar(text("SELECT count(*) FROM core_event WHERE payload::text LIKE :t"), {"t": f"%{token}%"})
    assert kept == 0


def test_a_forgotten_password_is_helped_with_where_there_is_an_account(
    mailing: Platform, post_office: PostOffice
) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        service.register(session, SYSTEM, email="zoe@example.org", password=PASSWORD, display_name="Zoe")
        accounts.forgot_password(session, SYSTEM, email="ZOE@example.org")
        accounts.forgot_password(session, SYSTEM, email="nobody@example.org")
    Deliverer(mailing.database).drain()
    [mail] = post_office.letters
    assert "/reset?token=" in mail.get_content()


def test_a_code_is_mailed_once_and_works(mailing: Platform, post_office: PostOffice) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        zoe = service.register(session, SYSTEM, email="zoe@example.org", password=PASSWORD, display_name="Zoe")
        asked = codes.ask(session, SYSTEM, email="zoe@example.org")
        codes.ask(session, SYSTEM, email="nobody@example.org")
    Deliverer(mailing.database).drain()
    [mail] = post_office.letters
    [code] = re.findall(r"^(\d{8})\r?$", mail.get_content(), re.MULTILINE)
    with mailing.unit_of_work(SYSTEM) as session:
        assert codes.sign_in(session, SYSTEM, code_id=asked.code_id, code=code)[0].id == zoe.id


def test_a_code_that_would_come_too_late_is_not_mailed(mailing: Platform, post_office: PostOffice) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        service.register(session, SYSTEM, email="zoe@example.org", password=PASSWORD, display_name="Zoe")
        codes.ask(session, SYSTEM, email="zoe@example.org")
        session.execute(text("UPDATE core_one_time_code SET expires_at = now() - interval '1 second'"))
    Deliverer(mailing.database).drain()
    assert post_office.letters == []


def test_who_opens_the_account_anew_is_told_to_its_member(mailing: Platform, post_office: PostOffice) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        zoe = service.register(session, SYSTEM, email="zoe@example.org", password=None, display_name="Zoe")
        service.set_password(session, SYSTEM, zoe.id, PASSWORD)  # the first one is no change
        session.add(TwoFactor(member_id=zoe.id, totp_secret="JBSWY3DPEHPK3PXP", enabled_at=now()))
        session.flush()
        standing.reset_two_factor(session, SYSTEM, zoe.id, reason="lost the telephone")
        service.set_password(session, SYSTEM, zoe.id, PASSWORD[::-1])
    Deliverer(mailing.database).drain()
    told = sorted(mail["Subject"] for mail in post_office.letters)
    assert told == ["An admin reset your two-factor sign-in", "Your password was changed"]
    assert all("tell an admin" in " ".join(mail.get_content().split()) for mail in post_office.letters)
