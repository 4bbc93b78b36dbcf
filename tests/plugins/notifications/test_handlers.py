"""What happens elsewhere is told to the member once, quietly where it came from an import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.comments.events import CommentMade
from core.events.deliver import Deliverer
from core.events.models import Delivery, EventRow
from core.events.replay import replay
from core.hooks import collect
from core.platform import Platform
from guildhall import Actor, Event, StoredEvent, new_id, now, publish
from plugins.badges import Badge, BadgeAwarded
from plugins.contributions import Contribution, ContributionType, MilestoneReached, service
from plugins.notifications import Notification
from plugins.notifications.handlers import tell_milestone
from plugins.notifications.queries import shown
from plugins.wallet import BalanceLow, RewardPaid

from .conftest import PostOffice

SYSTEM = Actor.system("test")
Join = Callable[..., UUID]


@pytest.fixture
def badge(platform: Platform) -> UUID:
    with platform.unit_of_work() as session:
        row = Badge(slug="early-bird", name="Early <Bird>", criteria={"kind": "manual"}, enabled=False)
        session.add(row)
        session.flush()
        return row.id


def contribution(platform: Platform, member: UUID, source: str) -> UUID:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with platform.unit_of_work() as session:
        code = session.scalars(select(ContributionType.code).limit(1)).one()
        row = Contribution(
            member_id=member,
            type=code,
            points=1,
            state="counted",
            breakdown=[],
            type_version=1,
            details={},
            source=source,
            event_key=str(new_id()),
            occurred_at=at,
            local_day=at.date(),
            counts_for_streak=False,
            correlation_id=new_id(),
        )
        session.add(row)
        session.flush()
        return row.id


def happens(platform: Platform, *events: Event) -> None:
    """Publish, deliver, and deliver once more as an admin may: the second time must not show."""
    with platform.unit_of_work(SYSTEM) as session:
        published = publish(session, SYSTEM, *events)
    Deliverer(platform.database).drain()
    with platform.unit_of_work(SYSTEM) as session:
        again = select(Delivery.id).where(Delivery.event_id.in_(published))
        assert replay(session, SYSTEM, session.scalars(again).all()) >= len(events)
    Deliverer(platform.database).drain()


def told(platform: Platform, settled: bool = True) -> list[tuple[str, str, bool]]:
    """Each notice's subject and url, and whether it may be mailed."""
    with platform.unit_of_work() as session:
        if settled:
            assert session.scalar(select(func.count()).where(Delivery.state != "done")) == 0
        name = "notifications.notification.created"
        made = session.scalars(select(EventRow.payload).where(EventRow.name == name))
        mail = {payload["notification_id"]: payload["mail"] for payload in made}
        rows = session.scalars(select(Notification).order_by(Notification.id)).all()
        assert len(mail) == len(rows)
        return [(notice.subject, notice.url, mail[str(notice.id)]) for notice in shown(session, rows)]


def paid(member: UUID, **more: Any) -> RewardPaid:
    values = {"amount": 1250, "asset": "USD", "contribution_id": None, **more}
    return RewardPaid(reward_id=new_id(), member_id=member, transfer_id=new_id(), **values)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_badge(platform: Platform, join: Join, badge: UUID, quiet: bool) -> None:
    award = BadgeAwarded(award_id=new_id(), badge_id=badge, member_id=join(), quiet=quiet)
    happens(platform, award)
    [(subject, _url, mail)] = told(platform)
    assert (subject, mail) == ("You earned the badge Early <Bird>", not quiet)


@pytest.mark.parametrize("source", ["system", "import"])
def test_a_milestone_and_all_that_follows_from_it(platform: Platform, join: Join, source: str) -> None:
    row = service.NewContribution(member_id=join(), type="challenge.win", event_key="win")
    with platform.unit_of_work(SYSTEM) as session:
        assert [one.outcome for one in service.record_many(session, SYSTEM, [row], source=source)] == ["recorded"]
    Deliverer(platform.database).drain()
    notices = told(platform)
    assert "You reached 100 points" in [subject for subject, _url, _mail in notices]
    if source == "import":
        assert not any(mail for _subject, _url, mail in notices)
    else:
        assert ("You reached 100 points", "/admin/contributions/leaderboard", True) in notices


def test_a_milestone_tells_once(platform: Platform, join: Join) -> None:
    reached = MilestoneReached(member_id=join(), milestone_id=new_id(), threshold=500)
    stored = StoredEvent(
        id=new_id(),
        name=reached.event_name,
        version=1,
        payload=reached,
        occurred_at=now(),
        correlation_id=new_id(),
        causation_id=None,
        actor_id=None,
    )
    for _time in range(2):
        with platform.unit_of_work(SYSTEM) as session:
            tell_milestone(session, SYSTEM, [stored])
    assert [subject for subject, _url, _mail in told(platform, settled=False)] == ["You reached 500 points"]


def test_a_reward_in_the_assets_decimals(platform: Platform, join: Join) -> None:
    happens(platform, paid(join()))
    [(subject, _url, mail)] = told(platform)
    assert (subject, mail) == ("You received 12.50 USD", True)


def test_a_low_balance_is_told_to_whom_it_belongs_and_the_houses_to_nobody(platform: Platform, join: Join) -> None:
    low = {"account_id": new_id(), "asset": "USD", "balance": 480, "threshold": 500, "transfer_id": new_id()}
    happens(platform, BalanceLow(member_id=join(), **low), BalanceLow(member_id=None, **low))
    [(subject, _url, mail)] = told(platform)
    assert (subject, mail) == ("Your balance is below 5.00 USD", True)


@pytest.mark.parametrize(("source", "mail"), [("system", True), ("import", False)])
def test_a_reward_for_what_was_imported_is_quiet(platform: Platform, join: Join, source: str, mail: bool) -> None:
    member = join()
    happens(platform, paid(member, contribution_id=contribution(platform, member, source)))
    assert told(platform)[0][2] is mail


def test_a_quiet_badge_sends_no_mail(mailing: Platform, post_office: PostOffice, join: Join, badge: UUID) -> None:
    happens(mailing, BadgeAwarded(award_id=new_id(), badge_id=badge, member_id=join(), quiet=True))
    assert post_office.connections == 0
    happens(mailing, BadgeAwarded(award_id=new_id(), badge_id=badge, member_id=join()))
    assert len(post_office.letters) == 1


def test_a_batch_keeps_each_causes_correlation(platform: Platform, join: Join) -> None:
    causes = [Actor.system("one"), Actor.system("two")]
    with platform.unit_of_work() as session:
        for cause in causes:
            publish(session, cause, paid(join()))
    Deliverer(platform.database).drain()
    with platform.unit_of_work() as session:
        query = select(EventRow.correlation_id).where(EventRow.name == "notifications.notification.created")
        assert set(session.scalars(query)) == {cause.correlation_id for cause in causes}


def test_notices_are_the_last_stage_of_a_contribution(platform: Platform, join: Join) -> None:
    member = join()
    key = contribution(platform, member, "system")
    happens(platform, paid(member, contribution_id=key), paid(member))
    with platform.unit_of_work() as session:
        stages = dict(collect(session, "contribution_stages", contribution_id=key))["notifications"]
    assert [(stage.stage, stage.title) for stage in stages] == [("notification", "You received 12.50 USD")]


def test_the_panel_is_for_those_who_may_see_notices(session: Session, system: Actor) -> None:
    nobody = Actor(kind="member", name="nobody")
    panels = [dict(collect(session, "member_panels", actor=actor, member_id=new_id())) for actor in (system, nobody)]
    assert [panel.title for panel in panels[0]["notifications"]] == ["Notices"]
    assert not panels[1].get("notifications")


def test_who_is_mentioned_in_a_comment_hears_of_it_once_with_its_place(platform: Platform, join: Join) -> None:
    ada, bo = join(), join()
    place = "/admin/core/member/comments/7#comment-1"
    about: dict[str, Any] = {"subject_type": "core.member", "subject_id": "7", "member_id": None, "url": place}
    made = CommentMade(comment_id=new_id(), mentions=(ada, bo), **about)
    happens(platform, made, made)
    with platform.unit_of_work() as session:
        rows = session.scalars(select(Notification).where(Notification.kind == "mentioned"))
        notices = shown(session, rows)
    assert sorted(str(one.row.member_id) for one in notices) == sorted(map(str, (ada, bo)))
    assert {(one.subject, one.url) for one in notices} == {("You were mentioned in a comment", place)}
