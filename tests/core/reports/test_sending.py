"""Scheduled reports: due when their clock says so, made once whoever looks, for those alone who may see them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import access
from core.actor import Actor
from core.clock import frozen
from core.errors import NotFound
from core.files import service as files
from core.files.models import StoredFile
from core.members import service as members
from core.members.models import Member
from core.platform import Platform
from core.plugin import Permission, Plugin
from core.reports import copies, schedules, sending
from core.reports.errors import RecipientRefused, ScheduleInvalid
from core.reports.models import EVERY, ReportCopy, ReportRecipient, ReportSchedule
from core.reports.period import Period
from core.reports.report import Report, ReportColumn
from core.reports.schedules import next_time, period_at
from guildhall import new_id
from tests.core.workshop import Shop

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
broken: list[str] = []


def load(_session: Session, period: Period, _parameters: Mapping[str, str]) -> Any:
    if broken:
        raise RuntimeError(broken[0])
    return [(str(period.first), 1)]


news = Plugin(
    "news",
    version="1",
    label="News",
    permissions=[Permission("news:paper:read", "Read the paper")],
    reports=[
        Report(
            name="paper",
            label="Paper",
            permission="news:paper:read",
            columns=[
                ReportColumn(name="day", label="Day"),
                ReportColumn(name="copies", label="Copies", kind="integer", total=True),
            ],
            load=load,
        )
    ],
)


@pytest.fixture(scope="module")
def town(shop: Shop) -> Platform:
    made = shop.open(news)
    with made.unit_of_work(Actor.system("test")) as session:
        access.sync(session, made.registry.permissions, made.registry.roles)
    return made


@pytest.fixture
def platform(shop: Shop, town: Platform) -> Platform:
    shop.clear(town)
    with town.unit_of_work() as session:
        session.execute(text("DELETE FROM core_report_schedule"))
    broken.clear()
    return town


@pytest.fixture
def reader(platform: Platform) -> Callable[..., Actor]:
    """Makes members who may see the paper, as actors."""

    def make(*roles: str, zone: str = "UTC") -> Actor:
        with platform.unit_of_work(Actor.system("test")) as session:
            email = f"{new_id()}@example.org"
            member = members.register(
                session,
                Actor.system("test"),
                email=email,
                password="correct horse battery",
                display_name="Amina",
                roles=roles or ("Admin",),
            )
            member.time_zone = zone
            session.flush()
            held = access.member_permissions(session, member.id)
        return Actor(kind="member", name="Amina", member_id=member.id, permissions=held)

    return make


def plan(platform: Platform, actor: Actor, **changes: Any) -> UUID:
    about = {"report": "news.paper", "parameters": {}, "period": "7_days", "every": "daily", "hour": 8, "format": "csv"}
    with platform.unit_of_work(actor) as session:
        return schedules.create(session, actor, **{**about, **changes}).id


class Context:
    """What a running job is given, without the row."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def unit_of_work(self) -> Any:
        return self.platform.unit_of_work(Actor.system("test"))

    def progress(self, done: int, total: int | None = None) -> None: ...


def send(platform: Platform) -> dict[str, int]:
    return sending.send(Context(platform))  # type: ignore[arg-type]


def made(platform: Platform) -> list[ReportCopy]:
    with platform.unit_of_work() as session:
        return list(session.scalars(select(ReportCopy).order_by(ReportCopy.due_at, ReportCopy.id)))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(EVERY),
    st.integers(0, 23),
    st.integers(0, 6),
    st.integers(1, 28),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)),
)
def test_the_next_time_is_the_first_that_fits(
    every: str, hour: int, weekday: int, day: int, zone: str, after: datetime
) -> None:
    schedule = ReportSchedule(every=every, hour=hour, weekday=weekday, month_day=day, zone=zone)
    after = after.replace(tzinfo=UTC)
    at = next_time(schedule, after)
    there = at.astimezone(ZoneInfo(zone))
    most = {"daily": 1, "weekly": 7, "monthly": 31}[every]
    assert after < at <= after + timedelta(days=most, hours=2)
    assert abs(there.hour - hour) <= 1 and (every != "weekly" or there.weekday() == weekday)
    assert every != "monthly" or there.day == day


def test_a_copy_tells_of_whole_days_up_to_yesterday() -> None:
    schedule = ReportSchedule(period="7_days", zone="Asia/Tokyo")
    told = period_at(schedule, datetime(2026, 3, 1, 20, tzinfo=UTC))  # the second of March there
    assert (told.first, told.last, told.zone) == (date(2026, 2, 23), date(2026, 3, 1), "Asia/Tokyo")
    schedule.period = "last_month"
    told = period_at(schedule, datetime(2026, 3, 1, 8, tzinfo=UTC))
    assert (told.first, told.last) == (date(2026, 2, 1), date(2026, 2, 28))


def test_a_due_report_is_made_once_with_two_schedulers(platform: Platform, reader: Callable[..., Actor]) -> None:
    with frozen(NOON):
        for _ in range(4):
            plan(platform, reader())
    gate = threading.Barrier(6)

    def turn() -> None:
        with frozen(NOON + timedelta(days=1)):
            gate.wait()
            send(platform)

    threads = [threading.Thread(target=turn) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    copies = made(platform)
    assert [copy.state for copy in copies] == ["made"] * 4
    with platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM core_event WHERE name = 'core.report.made'")) == 4
        assert {one.next_at for one in session.scalars(select(ReportSchedule))} == {datetime(2026, 3, 6, 8, tzinfo=UTC)}


def test_what_was_missed_is_caught_up_once(platform: Platform, reader: Callable[..., Actor]) -> None:
    with frozen(NOON):
        plan(platform, reader())
    with frozen(NOON + timedelta(days=9, hours=1)):
        assert send(platform) == {"due": 1, "made": 1}
        assert send(platform) == {"due": 0, "made": 0}


def test_a_crash_between_noting_and_making_loses_nothing(platform: Platform, reader: Callable[..., Actor]) -> None:
    with frozen(NOON):
        plan(platform, reader())
    with frozen(NOON + timedelta(days=1)):
        with platform.unit_of_work() as session:
            assert sending.note_due(session) == 1
        assert send(platform) == {"due": 0, "made": 1}


def test_who_may_not_see_it_any_more_gets_nothing(platform: Platform, reader: Callable[..., Actor]) -> None:
    owner, other = reader(), reader()
    with frozen(NOON):
        plan(platform, owner, recipients=[owner.member_id, other.member_id])
    with platform.unit_of_work(Actor.system("test")) as session:
        user_id = session.get_one(Member, other.member_id).user_id
        assert user_id is not None
        access.assign(session, user_id, ["User"])
    with frozen(NOON + timedelta(days=1)):
        send(platform)
    assert {copy.member_id: (copy.state, copy.error) for copy in made(platform)} == {
        owner.member_id: ("made", ""),
        other.member_id: ("refused", "PERMISSION_MISSING"),
    }


def test_a_failure_is_kept_and_tried_again_three_times(platform: Platform, reader: Callable[..., Actor]) -> None:
    with frozen(NOON):
        plan(platform, reader())
    broken.append("the press is broken")
    with frozen(NOON + timedelta(days=1)):
        for state, tries in (("due", 1), ("due", 2), ("failed", 3), ("failed", 3)):
            send(platform)
            [copy] = made(platform)
            assert (copy.state, copy.attempts, copy.error) == (state, tries, "RuntimeError")


def test_while_its_plugin_is_off_it_waits(platform: Platform, reader: Callable[..., Actor]) -> None:
    with frozen(NOON):
        plan(platform, reader())
    with platform.unit_of_work() as session:
        session.execute(
            text(
                "INSERT INTO core_plugin (name, version, enabled, seen_at) VALUES ('news', '1', false, now()) "
                "ON CONFLICT (name) DO UPDATE SET enabled = false"
            )
        )
    platform.registry.cache.forget()
    with frozen(NOON + timedelta(days=1)):
        assert send(platform)["due"] == 0
        with platform.unit_of_work() as session:
            session.execute(text("UPDATE core_plugin SET enabled = true"))
        platform.registry.cache.forget()
        assert send(platform) == {"due": 1, "made": 1}


def test_a_pause_sends_nothing_and_goes_on_with_the_next_time(platform: Platform, reader: Callable[..., Actor]) -> None:
    owner = reader()
    with frozen(NOON):
        key = plan(platform, owner)
        with platform.unit_of_work(owner) as session:
            schedules.set_paused(session, owner, key, True)
    with frozen(NOON + timedelta(days=3)):
        assert send(platform)["due"] == 0
        with platform.unit_of_work(owner) as session:
            schedules.set_paused(session, owner, key, False)
        assert send(platform)["due"] == 0
    with frozen(NOON + timedelta(days=4)):
        assert send(platform)["due"] == 1


def test_its_reader_fetches_a_copy_and_nobody_else(platform: Platform, reader: Callable[..., Actor]) -> None:
    owner, other = reader(), reader()
    with frozen(NOON):
        key = plan(platform, owner)
        with platform.unit_of_work(owner) as session:
            schedules.send_now(session, owner, key)
        send(platform)
    [copy] = made(platform)
    with platform.unit_of_work() as session:
        with copies.fetch(session, owner, copy.id).content as file:
            assert file.read().decode().splitlines() == ["Day,Copies", "2026-02-25,1"]
        with pytest.raises(NotFound):
            copies.fetch(session, other, copy.id)


def test_old_copies_are_swept_with_their_files(platform: Platform, reader: Callable[..., Actor]) -> None:
    owner = reader()
    with frozen(NOON):
        key = plan(platform, owner)
        with platform.unit_of_work(owner) as session:
            schedules.send_now(session, owner, key)
        send(platform)
    [copy] = made(platform)
    with frozen(NOON + timedelta(days=31)):
        assert sending.sweep(Context(platform))["files"] >= 1  # type: ignore[arg-type]
    assert made(platform) == []
    with platform.unit_of_work() as session:
        row = session.get_one(StoredFile, copy.file_id)
        assert row.state == "deleted"
        with pytest.raises(NotFound):
            files.open_file(session, row)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hour": 24},
        {"hour": -1},
        {"weekday": 7},
        {"month_day": 31},
        {"every": "hourly"},
        {"period": "x"},
        {"format": "x"},
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_is_refused(
    platform: Platform, reader: Callable[..., Actor], wrong: dict[str, Any]
) -> None:
    with pytest.raises(ScheduleInvalid):
        plan(platform, reader(), **wrong)


def test_only_those_who_may_see_it_can_be_recipients(platform: Platform, reader: Callable[..., Actor]) -> None:
    owner = reader()
    for other in (reader("User").member_id, new_id()):
        with pytest.raises(RecipientRefused):
            plan(platform, owner, recipients=[other])
    with platform.unit_of_work() as session:
        assert session.scalar(select(ReportSchedule.id)) is None


def test_others_schedules_are_not_there(platform: Platform, reader: Callable[..., Actor]) -> None:
    key, other = plan(platform, reader()), reader()
    with platform.unit_of_work(other) as session:
        for change in (schedules.remove, schedules.send_now, lambda s, a, k: schedules.set_paused(s, a, k, True)):
            with pytest.raises(NotFound):
                change(session, other, key)


def test_the_link_in_the_mail_ends_it_for_one_and_the_last_ends_it_for_all(
    platform: Platform, reader: Callable[..., Actor]
) -> None:
    owner, other = reader(), reader()
    assert owner.member_id and other.member_id
    key = plan(platform, owner, recipients=[owner.member_id, other.member_id])
    with platform.unit_of_work() as session:
        token = schedules.leaving_token(session, key, other.member_id)
        assert schedules.leaving(session, token) == (key, other.member_id)
        for forged in (token[:-2], token[:-2] + "AA", "", "é", token[:40]):
            with pytest.raises(NotFound):
                schedules.leaving(session, forged)
        assert schedules.leave(session, other.member_id, key)
        assert not schedules.leave(session, other.member_id, key)
        assert session.scalars(select(ReportRecipient.member_id)).all() == [owner.member_id]
        assert schedules.leave(session, owner.member_id, key)
        assert session.scalar(select(ReportSchedule.id)) is None
