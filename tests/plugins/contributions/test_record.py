"""Recording one contribution: once, within limits, added up, whatever races or comes late."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from core.clock import frozen
from core.events.models import EventRow
from core.members import profiles
from core.members import service as members
from core.members.models import Member, TierChange
from core.platform import Platform
from guildhall import Actor, DomainError, new_id
from plugins.contributions import queries, service
from plugins.contributions.errors import DuplicateEvent
from plugins.contributions.models import Contribution, ContributionType, LimitSlot, MemberProgress

from .conftest import add_people, findings, picture

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def events(session: Session, name: str) -> list[dict[str, Any]]:
    return list(session.scalars(select(EventRow.payload).where(EventRow.name == f"contributions.{name}")))


def record(session: Session, actor: Actor, member_id: UUID, key: str, **values: Any) -> Contribution:
    kind = values.pop("type", "git.commit")
    return service.record(session, actor, member_id=member_id, type=kind, event_key=key, **values)


def test_a_contribution_is_scored_added_up_and_published(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        made = record(session, system, ada, "k1", details={"lines": 3, "who": "Zoë 🎉"})
        facts = queries.facts(session, [ada])[ada]
    assert (made.points, made.state, made.breakdown) == (5, "counted", [{"label": "Base", "points": 5}])
    assert (made.details, made.type_version, made.correlation_id) == (
        {"lines": 3, "who": "Zoë 🎉"},
        1,
        system.correlation_id,
    )
    assert (facts.points, facts.count_by_type, facts.streak_current, facts.streak_best) == (5, {"git.commit": 1}, 1, 1)
    assert facts.first_at == facts.last_at == NOON
    assert events(session, "contribution.recorded")[-1] == {
        "contribution_id": str(made.id),
        "member_id": str(ada),
        "type": "git.commit",
        "points": 5,
    }
    assert findings(session) == []


def test_a_repeat_is_told_of_the_first_one(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    first = record(session, system, ada, "k1")
    with pytest.raises(DuplicateEvent) as refused:
        record(session, system, ada, "k1")
    assert refused.value.code == "DUPLICATE_EVENT"
    assert refused.value.details["id"] == str(first.id)
    other = record(session, system, ada, "k1", type="git.merge")
    assert other.points == 10
    assert findings(session) == []


def test_without_a_key_challenge_and_submission_make_it_for_each_member(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    challenge, submission = uuid4(), uuid4()
    kinds = {"type": "challenge.participation", "challenge_id": challenge}
    service.record(session, system, member_id=ada, **kinds)
    service.record(session, system, member_id=bob, **kinds)
    service.record(session, system, member_id=ada, submission_id=submission, **kinds)
    with pytest.raises(DuplicateEvent):
        service.record(session, system, member_id=ada, **kinds)
    first = service.record(session, system, member_id=ada, type="git.commit")
    assert service.record(session, system, member_id=ada, type="git.commit").id != first.id


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"type": "no.such"}, "INVALID_CONTRIBUTION_TYPE"),
        ({"type": "a\0b"}, "INVALID_CONTRIBUTION_TYPE"),
        ({"details": ["no", "object"]}, "INVALID_METADATA"),
        ({"details": {"a": float("nan")}}, "INVALID_METADATA"),
        ({"details": {"a": "x" * 16_001}}, "INVALID_METADATA"),
        ({"details": {"a": "\0"}}, "INVALID_METADATA"),
        ({"details": {"a": "\ud800"}}, "INVALID_METADATA"),
        ({"details": {"a": object()}}, "INVALID_METADATA"),
        ({"event_key": ""}, "INVALID_EVENT"),
        ({"event_key": "k" * 201}, "INVALID_EVENT"),
        ({"event_key": "\ud800"}, "INVALID_EVENT"),
        ({"occurred_at": datetime(2026, 3, 10, 12)}, "INVALID_EVENT"),
        ({"occurred_at": datetime(1, 1, 1, tzinfo=UTC)}, "INVALID_EVENT"),
        ({"occurred_at": NOON + timedelta(minutes=5, seconds=1)}, "OCCURRED_IN_FUTURE"),
        ({"occurred_at": NOON - timedelta(days=30, seconds=1)}, "OCCURRED_TOO_LONG_AGO"),
        ({"member_id": uuid4()}, "MEMBER_NOT_FOUND"),
    ],
)
def test_what_cannot_count_is_refused_by_code_and_leaves_nothing(
    session: Session, system: Actor, values: dict[str, Any], code: str
) -> None:
    [ada] = add_people(session)
    before = picture(session)
    with frozen(NOON), pytest.raises(DomainError) as refused:
        service.record(session, system, **{"member_id": ada, "type": "git.commit", "event_key": "k", **values})
    assert refused.value.code == code
    assert picture(session) == before


def test_a_disabled_type_and_broken_rules_are_refused(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    edit = update(ContributionType).where(ContributionType.code == "git.commit")
    session.execute(edit.values(bonus=[{"points": "many"}]))
    with pytest.raises(DomainError) as refused:
        record(session, system, ada, "k")
    assert refused.value.code == "SCORING_ERROR"
    session.execute(edit.values(enabled=False))
    with pytest.raises(DomainError) as refused:
        record(session, system, ada, "k")
    assert refused.value.code == "INVALID_CONTRIBUTION_TYPE"


def test_an_edit_raises_the_version_and_leaves_what_was_scored(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    before = record(session, system, ada, "k1")
    row = session.scalar(select(ContributionType).where(ContributionType.code == "git.commit"))
    assert row is not None
    service.update_type(session, system, row, {"base_points": 8, "cap": 7})
    after = record(session, system, ada, "k2")
    assert (before.points, before.type_version) == (5, 1)
    assert (after.points, after.type_version) == (7, 2)
    assert after.breakdown == [{"label": "Base", "points": 8}, {"label": "Cap of 7", "points": -1}]
    assert findings(session) == []


def test_the_tier_is_the_one_held_when_it_occurred(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2, tier="enterprise")
    session.add(TierChange(member_id=ada, since=NOON - timedelta(days=4), tier="pro"))
    session.add(TierChange(member_id=ada, since=NOON - timedelta(days=2), tier="enterprise"))
    session.flush()
    with frozen(NOON):
        points = [record(session, system, ada, f"k{n}", occurred_at=NOON - timedelta(days=n)).points for n in (5, 3, 1)]
        assert points == [5, 5 + 2, 10]
        assert record(session, system, bob, "k").points == 10


def test_what_was_before_a_change_of_tier_is_scored_by_the_old_one(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2, tier="pro")
    with frozen(NOON - timedelta(days=2)):
        members.set_tier(session, ada, "enterprise")
        for one in (ada, bob):
            profiles.change_for(session, system, session.get_one(Member, one), {"tier": "enterprise"})
    with frozen(NOON):
        for one in (ada, bob):
            points = [
                record(session, system, one, f"{one}:{n}", occurred_at=NOON - timedelta(days=n)).points for n in (3, 1)
            ]
            assert points == [5 + 2, 10]


def test_sixteen_threads_with_one_event_record_it_once(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    [ada] = people()

    def attempt(_: int) -> str:
        try:
            with platform.unit_of_work(system) as session:
                record(session, system, ada, "same")
        except DuplicateEvent:
            return "duplicate"
        return "recorded"

    with ThreadPoolExecutor(16) as threads:
        outcomes = sorted(threads.map(attempt, range(16)))
    assert outcomes == ["duplicate"] * 15 + ["recorded"]
    with platform.unit_of_work(system) as session:
        assert session.get_one(MemberProgress, ada).points == 5
        assert len(events(session, "contribution.recorded")) == 1
        assert findings(session) == []


def test_sixteen_threads_at_a_limit_of_five_get_five(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    [ada] = people()
    with platform.unit_of_work(system) as session:
        limits = [{"per": "day", "count": 5}, {"per": "ever", "count": 100}]
        session.execute(update(ContributionType).where(ContributionType.code == "git.commit").values(limits=limits))

    def attempt(number: int) -> str:
        with platform.unit_of_work(system) as session:
            return record(session, system, ada, f"k{number}", occurred_at=NOON_TODAY).state

    NOON_TODAY = datetime.now(UTC) - timedelta(minutes=1)
    with ThreadPoolExecutor(16) as threads:
        states = sorted(threads.map(attempt, range(16)))
    assert states == ["counted"] * 5 + ["rejected"] * 11
    with platform.unit_of_work(system) as session:
        assert session.get_one(MemberProgress, ada).count == 5
        used = dict(session.execute(select(LimitSlot.window_kind, LimitSlot.used)).tuples().all())
        assert used == {"day": 5, "ever": 5}
        assert findings(session) == []


def test_a_retry_of_what_a_limit_rejected_gets_the_same_answer(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        assert record(session, system, ada, "k1", type="daily.login").state == "counted"
        second = record(session, system, ada, "k2", type="daily.login")
        assert (second.state, second.points, second.reason, second.breakdown) == ("rejected", 0, "limit:day", [])
    with frozen(NOON + timedelta(days=1)):
        with pytest.raises(DuplicateEvent) as refused:
            record(session, system, ada, "k2", type="daily.login")
        assert (refused.value.details["state"], refused.value.details["reason"]) == ("rejected", "limit:day")
        assert record(session, system, ada, "k3", type="daily.login").state == "counted"
    assert len(events(session, "contribution.recorded")) == 2
    assert findings(session) == []


def test_windows_are_half_open_in_utc(session: Session, system: Actor) -> None:
    [ada] = add_people(session, time_zone="Asia/Tokyo")
    midnight = datetime(2026, 3, 10, tzinfo=UTC)
    with frozen(NOON):
        moments = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=1)]
        states = [
            record(session, system, ada, f"k{n}", type="daily.login", occurred_at=at).state
            for n, at in enumerate(moments)
        ]
    assert states == ["counted", "counted", "rejected"]


def test_a_late_event_joins_two_streaks(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    streaks = []
    with frozen(NOON):
        for key, days in enumerate((5, 4, 2, 1, 3)):
            record(session, system, ada, f"k{key}", occurred_at=NOON - timedelta(days=days))
            found = session.get_one(MemberProgress, ada, populate_existing=True)
            streaks.append((found.streak_current, found.streak_best, found.last_day))
    assert streaks == [
        (1, 1, date(2026, 3, 5)),
        (2, 2, date(2026, 3, 6)),
        (1, 2, date(2026, 3, 8)),
        (2, 2, date(2026, 3, 9)),
        (5, 5, date(2026, 3, 9)),
    ]
    assert findings(session) == []


def test_a_streak_is_over_once_a_whole_local_day_was_missed(session: Session, system: Actor) -> None:
    [ada] = add_people(session, time_zone="America/New_York")
    with frozen(NOON):
        record(session, system, ada, "k1", occurred_at=NOON - timedelta(days=1))
        record(session, system, ada, "k2")
    last_moment = datetime(2026, 3, 12, 3, 59, tzinfo=UTC)  # 23:59 of the 11th in New York
    for at, streak in ((last_moment, 2), (last_moment + timedelta(minutes=1), 0)):
        with frozen(at):
            facts = queries.facts(session, [ada])[ada]
            assert (facts.streak_current, facts.streak_best) == (streak, 2)


def test_days_are_the_members_own_across_a_change_of_clocks(session: Session, system: Actor) -> None:
    # New York went to summer time on 2026-03-08; that local day has 23 hours.
    [ada] = add_people(session, time_zone="America/New_York")
    moments = [
        "2026-03-08T04:59:00+00:00",
        "2026-03-08T05:00:00+00:00",
        "2026-03-09T03:59:00+00:00",
        "2026-03-09T04:00:00+00:00",
    ]
    with frozen(NOON):
        days = [
            record(session, system, ada, at, occurred_at=datetime.fromisoformat(at)).local_day.day for at in moments
        ]
    assert days == [7, 8, 8, 9]
    assert session.get_one(MemberProgress, ada).streak_best == 3


def test_moving_to_another_zone_does_not_rewrite_history(session: Session, system: Actor) -> None:
    [ada] = add_people(session, time_zone="Pacific/Auckland")
    with frozen(NOON):
        first = record(session, system, ada, "k1", occurred_at=NOON)
        assert first.local_day == date(2026, 3, 11)
        session.execute(text("UPDATE core_member SET time_zone = 'Pacific/Honolulu' WHERE id = :id"), {"id": ada})
        second = record(session, system, ada, "k2", occurred_at=NOON)
    assert (first.local_day, second.local_day) == (date(2026, 3, 11), date(2026, 3, 10))
    assert findings(session) == []


def test_types_that_do_not_count_for_the_streak_leave_it_alone(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        record(session, system, ada, "k1", type="admin.granted")
        found = session.get_one(MemberProgress, ada)
        assert (found.points, found.streak_best, found.last_day) == (10, 0, None)
        record(session, system, ada, "k2", type="git.commit")
        session.refresh(found)
        assert (found.streak_current, found.streak_best, found.last_day) == (1, 1, NOON.date())
    assert findings(session) == []


def test_verify_finds_what_was_changed_and_recalculate_mends_it(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    with frozen(NOON):
        for number in range(3):
            record(session, system, ada, f"k{number}", occurred_at=NOON - timedelta(days=number))
    right = picture(session)
    for table in ("progress", "type_progress", "month_progress", "day_progress"):
        session.execute(text(f"UPDATE contributions_{table} SET points = points + 1"))
    session.execute(text("UPDATE contributions_progress SET streak_best = 9"))
    assert {finding.check for finding in findings(session)} == {"total", "type", "month", "day", "streak", "rank"}
    assert service.recalculate(session, system) == 1
    assert picture(session) == right
    assert findings(session) == []
    session.execute(text("UPDATE contributions_contribution SET breakdown = '[]' WHERE event_key = 'k1'"))
    assert [finding.check for finding in findings(session)] == ["breakdown"]


def test_recording_while_recalculating_loses_nothing(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    everybody = people(4)

    def write(number: int) -> None:
        with platform.unit_of_work(system) as session:
            record(session, system, everybody[number % 4], f"k{number}")

    def recalculate(_: int) -> None:
        with platform.unit_of_work(system) as session:
            service.recalculate(session, system)

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(recalculate if n % 10 == 5 else write, n) for n in range(60)]
        for one in done:
            one.result()
    with platform.unit_of_work(system) as session:
        assert session.scalar(select(func.count()).select_from(Contribution)) == 54
        assert findings(session) == []


def test_ids_of_unknown_members_have_no_facts(session: Session) -> None:
    [ada] = add_people(session)
    found = queries.facts(session, [ada, new_id()])
    assert list(found) == [ada]
    assert (found[ada].points, found[ada].first_at) == (0, None)


def test_one_members_totals_are_worked_out_anew_alone(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    for one in (ada, bob):
        service.record(session, system, member_id=one, type="git.commit")
    session.execute(text("UPDATE contributions_progress SET points = points + 7"))
    assert service.recalculate(session, system, member_id=ada) == 1
    assert {finding.where for finding in findings(session) if finding.check == "total"} == {str(bob)}
    with pytest.raises(DomainError) as unknown:
        service.recalculate(session, system, member_id=new_id())
    assert unknown.value.code == "MEMBER_NOT_FOUND"


def test_an_admin_recalculates_one_or_all(clients: Any, people: Callable[..., Any], platform: Platform) -> None:
    admin, [ada] = clients("Admin"), people()
    path = "/api/v1/contributions/recalculate"
    one = admin.post(path, {"member_id": str(ada)}, headers={"Idempotency-Key": "one"})
    assert (one.status_code, one.json["data"]["members"]) == (202, 1)
    everybody = admin.post(path, {}, headers={"Idempotency-Key": "all"})
    assert everybody.json["data"]["job_id"]
    for given, told in (("", "has been queued"), (str(ada), "worked out anew"), ("nobody", "no such member")):
        admin.http.post("/admin/contributions/recalculate", data={"member": given}, headers=admin.headers)
        assert told in admin.get("/admin/contributions/rescores").text
