"""A notice is written once for each cause, and read by its member alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import migrate
from core.events.models import EventRow
from core.platform import Platform
from guildhall import Actor, Invalid, NotFound, new_id
from plugins.notifications import Notification, notify, queries, service
from plugins.notifications.kinds import UNKNOWN, Kind, fill

from .conftest import add_member


@pytest.fixture
def member(session: Session) -> UUID:
    return add_member(session)


def thank(session: Session, actor: Actor, member: UUID, reference: str, **more: object) -> UUID | None:
    return notify(session, actor, member_id=member, kind="suggestion_thanks", reference=reference, **more)  # type: ignore[arg-type]


def events(session: Session) -> list[dict[str, object]]:
    name = "notifications.notification.created"
    return list(session.scalars(select(EventRow.payload).where(EventRow.name == name).order_by(EventRow.id)))


def test_a_notice_is_written_with_its_event(session: Session, system: Actor, member: UUID) -> None:
    key = thank(session, system, member, "a", url="/admin/x", params={"suggestion_id": member}, mail=False)
    row = session.get_one(Notification, key)
    assert (row.member_id, row.url, row.read_at, row.mailed_at) == (member, "/admin/x", None, None)
    assert row.params == {"suggestion_id": str(member)}
    event = {
        "notification_id": str(key),
        "member_id": str(member),
        "kind": "suggestion_thanks",
        "mail": False,
    }
    assert events(session) == [event]


def test_the_same_cause_tells_once(session: Session, system: Actor, member: UUID) -> None:
    assert thank(session, system, member, "a") is not None
    assert thank(session, system, member, "a") is None
    assert queries.unread_count(session, member) == len(events(session)) == 1


def test_two_at_once_with_the_same_cause_write_one(
    platform: Platform, system: Actor, join: Callable[..., UUID]
) -> None:
    member, start = join(), Barrier(4)

    def tell(_number: int) -> UUID | None:
        with platform.unit_of_work(system) as session:
            start.wait()
            return thank(session, system, member, "race")

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(tell, range(4)))
    assert sum(one is not None for one in written) == 1
    with platform.unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == len(events(session)) == 1


def test_a_kind_that_nobody_brings_is_refused(session: Session, system: Actor, member: UUID) -> None:
    with pytest.raises(LookupError, match="no plugin brings"):
        notify(session, system, member_id=member, kind="unheard_of", reference="a")


def test_params_must_fill_the_texts(session: Session, system: Actor, member: UUID) -> None:
    with pytest.raises(ValueError, match="needs badge"):
        notify(session, system, member_id=member, kind="badge_awarded", reference="a")


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_a_notice_never_leads_off_site(session: Session, system: Actor, member: UUID, url: str) -> None:
    with pytest.raises(ValueError, match="path of this site"):
        thank(session, system, member, "a", url=url)


def test_reading_marks_once_and_only_ones_own(session: Session, system: Actor, member: UUID) -> None:
    key = thank(session, system, member, "a")
    assert key is not None
    me, other = replace(system, member_id=member), replace(system, member_id=add_member(session))
    with pytest.raises(NotFound):
        service.mark_read(session, other, key)
    with pytest.raises(NotFound):
        service.mark_read(session, me, new_id())
    first = service.mark_read(session, me, key).read_at
    assert first is not None
    assert service.mark_read(session, me, key).read_at == first
    assert queries.unread_count(session, member) == 0


def test_all_are_read_at_once(session: Session, system: Actor, member: UUID) -> None:
    other = add_member(session)
    for number in range(3):
        thank(session, system, member, f"mine {number}")
    thank(session, system, other, "theirs")
    me = replace(system, member_id=member)
    assert service.mark_all_read(session, me) == 3
    assert service.mark_all_read(session, me) == 0
    assert (queries.unread_count(session, member), queries.unread_count(session, other)) == (0, 1)


def test_pages_go_from_the_newest_back(session: Session, system: Actor, member: UUID) -> None:
    written = [thank(session, system, member, f"n{number}") for number in range(5)]
    first = queries.inbox_page(session, member, limit=3)
    assert first.next_cursor
    second = queries.inbox_page(session, member, limit=3, cursor=first.next_cursor)
    assert [notice.id for notice in [*first.items, *second.items]] == written[::-1]
    assert second.next_cursor is None
    assert written[4]
    service.mark_read(session, replace(system, member_id=member), written[4])
    assert [notice.id for notice in queries.inbox_page(session, member, limit=9, unread=True).items] == written[3::-1]
    with pytest.raises(Invalid):
        queries.inbox_page(session, member, limit=3, cursor="nonsense")


def test_texts_are_filled_and_nothing_in_them_runs() -> None:
    kind = Kind(name="k", subject="{badge} for {who}", body="{badge.__class__} {0} {}")
    assert kind.placeholders == {"badge", "who"}
    assert fill(kind.subject, {"badge": "{who}", "who": "<b>"}) == "{who} for <b>"
    assert fill(kind.body, {"badge": "x"}) == kind.body


def test_a_notice_of_a_plugin_that_is_off_says_so(session: Session, member: UUID) -> None:
    row = Notification(member_id=member, kind="gone", params={}, reference="gone")
    assert queries.shown(session, [row])[0].subject == UNKNOWN.subject


def test_the_migration_agrees_with_the_model(platform: Platform) -> None:
    assert migrate.differences(platform.database.url, platform.branches, "notifications") == []
