"""An admin finds mail that failed, reads why, and sends it again."""

from __future__ import annotations

from typing import Any

import pytest

from core.clock import frozen
from core.platform import Platform
from plugins.notifications import mails
from plugins.notifications.errors import MailNotFailed

from .conftest import PostOffice
from .test_mail import SYSTEM, Join, delivery, drain, row, tell

FAILED = "/admin/notifications/failed"


@pytest.fixture
def platform(mailing: Platform) -> Platform:
    return mailing


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def again(admin: Any, key: Any, **form: str) -> Any:
    return admin.http.post(f"/admin/notifications/notices/{key}/mail", data=form, headers=admin.headers)


def test_a_refused_mail_is_shown_with_its_cause_and_sent_again(
    platform: Platform, post_office: PostOffice, join: Join, admin: Any
) -> None:
    post_office.answers["RCPT"] = "550 no such mailbox"
    key = tell(platform, join(email="gone@example.org"))
    drain(platform)
    record = f"/admin/notifications/notification/show/{key}"
    for page in (FAILED, record):
        text = admin.get(page).text
        assert "no such mailbox" in text
        assert "Send again" in text
    assert f"/admin/events/{row(platform, key).event_id}" in admin.get(record).text
    post_office.answers.clear()
    assert again(admin, key, back="failed").headers["Location"] == FAILED
    drain(platform)
    assert [str(letter["Message-ID"]) for letter in post_office.letters] == [f"<{key}@example.org>"]
    assert row(platform, key).mailed_at is not None
    assert "No mail of a notice has failed." in admin.get(FAILED).text
    again(admin, key)
    assert "has not failed" in admin.get(record).text
    drain(platform)
    assert len(post_office.letters) == 1


def test_mail_that_was_given_up_is_sent_again(
    platform: Platform, post_office: PostOffice, join: Join, admin: Any
) -> None:
    post_office.close()
    key = tell(platform, join(email="zoe@example.org"))
    drain(platform)
    waits = admin.get(f"/admin/notifications/notification/show/{key}").text
    assert "Tried again soon" in waits
    for _attempt in range(20):
        if delivery(platform).state == "dead":
            break
        with frozen(delivery(platform).due_at):
            drain(platform)
    assert delivery(platform).state == "dead"
    assert "Given up" in admin.get(FAILED).text
    post_office.open()
    again(admin, key)
    drain(platform)
    assert len(post_office.letters) == 1
    assert "Given up" not in admin.get(FAILED).text


def test_what_was_written_before_notices_knew_their_event_is_sent_too(
    platform: Platform, post_office: PostOffice, join: Join
) -> None:
    key = tell(platform, join(email="zoe@example.org"), mail=False)
    drain(platform)
    with platform.unit_of_work(SYSTEM) as session:
        with pytest.raises(MailNotFailed):
            mails.mail_again(session, SYSTEM, key)
        found = session.get_one(mails.Notification, key)
        found.event_id, found.mail_error = None, "550 no"
        session.flush()
        mails.mail_again(session, SYSTEM, key)
    drain(platform)
    assert len(post_office.letters) == 1


def test_only_who_may_sends_again(platform: Platform, join: Join, clients: Any) -> None:
    key = tell(platform, join(email="zoe@example.org"))
    moderator = clients("Moderator")
    assert moderator.get(FAILED).status_code == 200
    assert again(moderator, key).status_code == 403
    assert clients("User").get(FAILED).status_code == 403


def test_kinds_are_named_for_people(platform: Platform, join: Join, admin: Any) -> None:
    tell(platform, join(email="zoe@example.org"))
    listed = admin.get("/admin/notifications/notification/list/").text
    assert "Thanks for a suggestion" in listed
    assert ">suggestion_thanks<" not in listed.replace('<option value="suggestion_thanks">', "")
