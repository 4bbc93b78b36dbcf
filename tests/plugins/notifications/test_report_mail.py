"""A scheduled report is mailed once, with its file or a link to it, and with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from core import access
from core.members import service as members
from core.members.models import Member
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.reports import schedules, sending
from core.reports.models import ReportCopy
from core.settings import write
from guildhall import Actor

from .conftest import PostOffice
from .test_mail import drain, look_again

SYSTEM = Actor.system("test")


class Context:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def unit_of_work(self) -> Any:
        return self.platform.unit_of_work(SYSTEM)

    def progress(self, done: int, total: int | None = None) -> None: ...


@pytest.fixture
def scheduled(mailing: Platform) -> UUID:
    """A copy of the report on new members, made for a French admin."""
    with mailing.unit_of_work(SYSTEM) as session:
        member = members.register(
            session,
            SYSTEM,
            email="zoe@example.org",
            password="correct horse battery",
            display_name="Zoë",
            roles=("Admin",),
        )
        member.locale = "fr"
        session.flush()
        held = access.member_permissions(session, member.id)
        owner = Actor(kind="member", name="Zoë", member_id=member.id, permissions=held)
        about = {"report": "core.new_members", "parameters": {}, "period": "7_days", "every": "weekly", "hour": 8}
        key = schedules.create(session, owner, **about, format="xlsx").id
        schedules.send_now(session, owner, key)
    sending.send(Context(mailing))  # type: ignore[arg-type]
    return key


def state(platform: Platform) -> str:
    with platform.unit_of_work() as session:
        return session.scalars(select(ReportCopy)).one().state


def test_it_is_sent_once_with_its_file(mailing: Platform, post_office: PostOffice, scheduled: UUID) -> None:
    drain(mailing)
    drain(mailing)
    [letter] = [one for one in post_office.letters if one.is_multipart()]
    [file] = letter.iter_attachments()
    assert file.get_filename().startswith("core-new_members-") and file.get_content()[:2] == b"PK"
    assert letter["To"] == "Zoë <zoe@example.org>" and letter["Content-Language"] == "fr"
    leave = letter["List-Unsubscribe"].strip("<>")
    assert leave in letter.get_body().get_content() and leave.startswith("https://guild.example/reports/leave/")
    assert state(mailing) == "mailed"


def test_a_large_one_is_a_link(mailing: Platform, post_office: PostOffice, scheduled: UUID) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, PlatformSettings, {"report_attachment_kilobytes": 0})
    look_again(mailing)
    drain(mailing)
    [letter] = [one for one in post_office.letters if "/admin/reports/copies/" in one.as_string()]
    assert not letter.is_multipart()


def test_a_refusal_for_good_is_kept_and_an_outage_is_not(
    mailing: Platform, post_office: PostOffice, scheduled: UUID
) -> None:
    post_office.answers["DATA"] = "451 later"
    drain(mailing)
    assert state(mailing) == "made"
    post_office.answers["DATA"] = "554 never"
    with mailing.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE core_delivery SET due_at = now() WHERE state = 'pending'"))
    drain(mailing)
    assert state(mailing) == "failed"


def test_who_is_suspended_since_gets_nothing(
    mailing: Platform, post_office: PostOffice, scheduled: UUID, join: Callable[..., UUID]
) -> None:
    with mailing.unit_of_work(SYSTEM) as session:
        for member in session.scalars(select(Member)):
            member.status = "suspended"
    drain(mailing)
    assert not [one for one in post_office.letters if one.is_multipart()]
