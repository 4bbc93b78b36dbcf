"""Links are mailed by real SMTP, and stand in no table."""

from __future__ import annotations

from sqlalchemy import text

from core.events.deliver import Deliverer
from core.members import accounts, service
from core.platform import Platform
from guildhall import Actor

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
