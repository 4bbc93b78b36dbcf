"""A notice is mailed once, by real SMTP; a failure is retried, a refusal kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from core.clock import frozen
from core.events.deliver import Deliverer
from core.events.models import Delivery
from core.events.replay import replay, replay_dead
from core.platform import Platform
from core.settings import write
from guildhall import Actor, now
from plugins.notifications import Notification, notify
from plugins.notifications.mail import Misconfigured, Server, sender
from plugins.notifications.settings import NotificationSettings

from .conftest import PostOffice

MAIL = "notifications.send_mail"


SYSTEM = Actor.system("test")
Join = Callable[..., UUID]


def tell(platform: Platform, member: UUID, url: str = "", mail: bool = True) -> UUID:
    with platform.unit_of_work(SYSTEM) as session:
        key = notify(session, SYSTEM, member_id=member, kind="suggestion_thanks", reference="r", url=url, mail=mail)
    assert key is not None
    return key


def row(platform: Platform, key: UUID) -> Notification:
    with platform.unit_of_work() as session:
        return session.get_one(Notification, key)


def delivery(platform: Platform) -> Delivery:
    with platform.unit_of_work() as session:
        return session.scalars(select(Delivery).where(Delivery.subscriber == MAIL)).one()


def drain(platform: Platform) -> None:
    Deliverer(platform.database).drain()


def look_again(platform: Platform) -> None:
    """Settings are kept for a second; let it be over."""
    platform.registry.cache.looked_at = 0.0


def test_a_notice_is_mailed_exactly_once(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    member = join(email="zoe@example.org")
    key = tell(mailing, member, url="/admin/suggestions")
    drain(mailing)
    drain(mailing)
    with mailing.unit_of_work(SYSTEM) as session:
        replay(session, SYSTEM, [delivery(mailing).id])
    drain(mailing)
    [letter] = post_office.letters
    assert post_office.recipients == [["zoe@example.org"]]
    assert letter["To"] == "Zoë Ng <zoe@example.org>"
    assert letter["From"] == "Guildhall <no-reply@example.org>"
    assert letter["Subject"] == "Thank you for your suggestion"
    assert letter["Message-ID"] == f"<{key}@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content().splitlines()
    assert "https://guild.example/admin/suggestions" in text
    assert text[-1].endswith("https://guild.example/admin/notifications/mine")
    assert (row(mailing, key).mailed_at is None, delivery(mailing).state) == (False, "done")


def test_an_admin_names_the_sender(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, NotificationSettings, {"sender_name": "The Guild, e.V."})
    look_again(mailing)
    tell(mailing, join())
    drain(mailing)
    assert post_office.letters[0]["From"].addresses[0].display_name == "The Guild, e.V."


def test_a_server_that_is_down_is_tried_again_until_an_admin_replays(
    mailing: Platform, post_office: PostOffice, join: Join
) -> None:
    key = tell(mailing, join())
    post_office.close()
    attempts, later = 0, now()
    while delivery(mailing).state == "pending":
        with frozen(later):
            drain(mailing)
        attempts, later = attempts + 1, later + timedelta(hours=2)
        assert delivery(mailing).attempts == attempts
    assert (attempts, delivery(mailing).state) == (8, "dead")
    assert "ConnectionRefusedError" in (delivery(mailing).last_error or "")
    assert (row(mailing, key).mailed_at, row(mailing, key).mail_error) == (None, None)
    post_office.open()
    with mailing.unit_of_work(SYSTEM) as session:
        assert replay_dead(session, SYSTEM, MAIL) == 1
    drain(mailing)
    assert len(post_office.letters) == 1
    assert row(mailing, key).mailed_at is not None


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_passing_refusal_is_tried_again(mailing: Platform, post_office: PostOffice, join: Join, step: str) -> None:
    key = tell(mailing, join())
    post_office.answers[step] = "451 Try later"
    drain(mailing)
    assert delivery(mailing).state == "pending"
    assert "Try later" in (delivery(mailing).last_error or "")
    post_office.answers.clear()
    with frozen(now() + timedelta(hours=2)):
        drain(mailing)
    assert len(post_office.letters) == 1
    assert row(mailing, key).mailed_at is not None


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_final_refusal_is_kept_and_not_tried_again(
    mailing: Platform, post_office: PostOffice, join: Join, step: str
) -> None:
    key = tell(mailing, join())
    post_office.answers[step] = "550 No such mailbox"
    drain(mailing)
    assert row(mailing, key).mail_error == "550 No such mailbox"
    assert delivery(mailing).state == "done"
    post_office.answers.clear()
    with mailing.unit_of_work(SYSTEM) as session:
        replay(session, SYSTEM, [delivery(mailing).id])
    drain(mailing)
    assert post_office.letters == []


def test_a_server_that_hangs_up_after_taking_it_has_taken_it(
    mailing: Platform, post_office: PostOffice, join: Join
) -> None:
    post_office.hangs_up = True
    key = tell(mailing, join())
    drain(mailing)
    assert (len(post_office.letters), delivery(mailing).state) == (1, "done")
    assert row(mailing, key).mailed_at is not None


def test_what_is_quiet_never_mails(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    tell(mailing, join(), mail=False)
    drain(mailing)
    assert (post_office.connections, delivery(mailing).state) == (0, "done")


@pytest.mark.parametrize(
    "member", [{"email": None}, {"email": "a@demo.invalid"}, {"status": "suspended"}, {"status": "closed"}]
)
def test_nobody_without_address_or_active_account_is_mailed(
    mailing: Platform, post_office: PostOffice, join: Join, member: dict[str, str | None]
) -> None:
    key = tell(mailing, join(**member))
    drain(mailing)
    assert (post_office.connections, row(mailing, key).mailed_at) == (0, None)


def test_an_admin_may_turn_mail_off(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, NotificationSettings, {"mail": False})
    look_again(mailing)
    tell(mailing, join())
    drain(mailing)
    assert post_office.connections == 0


def test_without_a_mail_server_notices_stay_in_app(platform: Platform, join: Join) -> None:
    key = tell(platform, join())
    drain(platform)
    assert (row(platform, key).mailed_at, delivery(platform).state) == (None, "done")


@pytest.mark.parametrize(
    "address",
    [
        "zoe@example.org\r\nBcc: all@example.org",
        "zoe@example.org\nRCPT TO:<x@y>",
        "a@b.org,c@d.org",
        "no address",
    ],
)
def test_an_address_that_smuggles_something_is_refused(
    mailing: Platform, post_office: PostOffice, join: Join, address: str
) -> None:
    key = tell(mailing, join(email=address))
    drain(mailing)
    assert (post_office.letters, delivery(mailing).state) == ([], "done")
    assert "cannot be used" in (row(mailing, key).mail_error or "")


def test_a_name_with_line_breaks_adds_no_header(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    member = join(display_name="Zoë\r\nBcc: all@example.org")
    with mailing.unit_of_work(SYSTEM) as session:
        params = {"badge": "Gold\r\nBcc: all@example.org\r\n\r\nBuy now"}
        notify(
            session,
            SYSTEM,
            member_id=member,
            kind="badge_awarded",
            params=params,
            reference="smuggled",
        )
    drain(mailing)
    [letter] = post_office.letters
    assert letter["Bcc"] is None
    assert letter["Subject"] == "You earned the badge Gold Bcc: all@example.org Buy now"
    assert letter["To"].addresses[0].display_name == "Zoë Bcc: all@example.org"
    assert len(post_office.recipients[0]) == 1


def test_names_of_all_scripts_arrive(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    tell(mailing, join(display_name="محمد العلي 王小明"))
    drain(mailing)
    assert post_office.letters[0]["To"].addresses[0].display_name == "محمد العلي 王小明"


def test_the_server_is_read_from_its_url() -> None:
    assert Server.from_url("smtp://mail.example") == Server("mail.example", 587)
    assert Server.from_url("smtps://u%40x:p%2Fq@mail.example") == Server("mail.example", 465, True, "u@x", "p/q")
    assert Server.from_url("smtp://[::1]:25").local
    assert not Server.from_url("smtp://10.0.0.1").local


@pytest.mark.parametrize("url", ["", "mail.example:25", "http://mail.example", "smtp://", "smtp://u:hunter/2@mail:25"])
def test_a_url_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Server.from_url(url)
    assert "hunter" not in str(refused.value)


def test_a_password_is_not_sent_without_tls(
    mailing: Platform, post_office: PostOffice, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "local", False)
    config = mailing.config.model_copy(update={"smtp_url": f"smtp://me:secret@127.0.0.1:{post_office.port}"})
    mailing.database.info["config"] = config
    tell(mailing, join())
    drain(mailing)
    assert "offers no TLS" in (delivery(mailing).last_error or "")
    assert post_office.letters == []


@pytest.mark.parametrize("configured", ["", "Guildhall", "a@b@c"])
def test_a_sender_that_cannot_be_used_is_no_fault_of_the_mail(configured: str) -> None:
    with pytest.raises(Misconfigured):
        sender(configured)


def test_a_member_is_written_to_in_the_language_chosen(mailing: Platform, post_office: PostOffice, join: Join) -> None:
    tell(mailing, join(email="zoe@example.org", locale="fr"))
    drain(mailing)
    [letter] = post_office.letters
    assert letter["Subject"] == "Merci pour votre suggestion"
    assert letter["Content-Language"] == "fr"
    assert "Vous recevez ceci parce que vous êtes membre." in letter.get_content()
    assert "https://guild.example/admin/notifications/mine" in letter.get_content()
