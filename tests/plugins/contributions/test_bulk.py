"""Many at once end where one by one ends, in whatever order they arrive."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.clock import frozen
from core.events.models import EventRow
from core.platform import Platform
from guildhall import Actor, DomainError
from plugins.contributions import service
from plugins.contributions.models import Contribution, ContributionType, Milestone
from plugins.contributions.service import NewContribution

from .conftest import add_people, findings, picture

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ZONES = ("UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Auckland")
KINDS = ("git.commit", "git.merge", "git.release", "daily.login", "admin.granted", "no.such")


def some_rows(members: list[UUID], count: int, seed: int) -> list[NewContribution]:
    dice = random.Random(seed)
    return [
        NewContribution(
            line=number,
            member_id=dice.choice(members),
            type=dice.choice(KINDS),
            event_key=f"k{dice.randrange(count)}",
            occurred_at=NOW - timedelta(minutes=dice.randrange(60 * 24 * 25)),
        )
        for number in range(count)
    ]


def limit(session: Session, code: str, *limits: tuple[str, int]) -> None:
    rows = [{"per": per, "count": count} for per, count in limits]
    session.execute(update(ContributionType).where(ContributionType.code == code).values(limits=rows))


def prepare(session: Session) -> list[UUID]:
    limit(session, "daily.login", ("day", 1), ("month", 6), ("ever", 8))
    session.execute(update(Milestone).values(threshold=Milestone.threshold / 2))
    return [key for zone in ZONES for key in add_people(session, 2, time_zone=zone)]


def one_by_one(session: Session, actor: Actor, rows: list[NewContribution]) -> list[tuple[str, str | None]]:
    outcomes: list[tuple[str, str | None]] = []
    for row in rows:
        try:
            made = service.record(
                session,
                actor,
                member_id=row.member_id,
                type=row.type,
                event_key=row.event_key,
                occurred_at=row.occurred_at,
            )
            rejected = made.state == "rejected"
            outcomes.append(("rejected", "FREQUENCY_LIMIT") if rejected else ("recorded", None))
        except service.DuplicateEvent:
            outcomes.append(("duplicate", None))
        except DomainError as problem:
            outcomes.append(("invalid", problem.code))
    return outcomes


@pytest.mark.parametrize("seed", range(3))
def test_bulk_ends_where_one_by_one_ends(session: Session, system: Actor, seed: int) -> None:
    members = prepare(session)
    rows = some_rows(members, 400, seed)
    with frozen(NOW):
        savepoint = session.begin_nested()
        single = one_by_one(session, system, rows)
        expected = picture(session)
        assert findings(session) == []
        savepoint.rollback()
        session.expire_all()
        bulk = service.record_many(session, system, rows, source="system")
    assert [(one.outcome, one.code) for one in bulk] == single
    assert [one.line for one in bulk] == [row.line for row in rows]
    assert {"recorded", "duplicate", "rejected", "invalid"} == {one.outcome for one in bulk}
    assert picture(session) == expected
    assert expected["reached"]
    assert findings(session) == []


def test_the_order_of_arrival_does_not_matter(session: Session, system: Actor) -> None:
    members = [key for zone in ZONES for key in add_people(session, 2, time_zone=zone)]
    rows = [row for row in some_rows(members, 300, 7) if row.type not in ("daily.login", "no.such")]
    unique = list({(row.type, row.event_key): row for row in rows}.values())
    pictures = []
    for seed in range(3):
        random.Random(seed).shuffle(unique)
        savepoint = session.begin_nested()
        with frozen(NOW):
            for start in range(0, len(unique), 50):
                service.record_many(session, system, unique[start : start + 50], source="system")
        pictures.append(picture(session, "reached"))
        assert findings(session) == []
        savepoint.rollback()
        session.expire_all()
    assert pictures[0] == pictures[1] == pictures[2]


def test_one_batch_event_for_each_thousand_that_count(session: Session, system: Actor) -> None:
    ada, bob = add_people(session, 2)
    limit(session, "git.release", ("ever", 0))
    rows = [
        NewContribution(line=n, member_id=(ada, bob)[n % 2], type="git.commit", event_key=f"k{n}") for n in range(1500)
    ]
    rows.append(NewContribution(line=1500, member_id=ada, type="git.release", event_key="r"))
    outcomes = service.record_many(session, system, rows)
    assert [one.outcome for one in outcomes] == ["recorded"] * 1500 + ["rejected"]
    told = select(EventRow.payload).where(EventRow.name == "contributions.batch.recorded").order_by(EventRow.id)
    batches = session.scalars(told).all()
    assert [len(batch["contribution_ids"]) for batch in batches] == [1000, 500]
    assert all(batch["member_ids"] == sorted([str(ada), str(bob)]) for batch in batches)
    assert all(batch["types"] == ["git.commit"] for batch in batches)
    before = session.scalar(select(func.count()).select_from(EventRow))
    again = service.record_many(session, system, rows)
    assert {one.outcome for one in again} == {"duplicate"}
    assert again[0].contribution_id == outcomes[0].contribution_id
    assert session.scalar(select(func.count()).select_from(EventRow)) == before


def test_a_members_line_that_is_unknown_costs_only_itself(session: Session, system: Actor) -> None:
    [ada] = add_people(session)
    rows = [
        NewContribution(line=1, member_id=uuid4(), type="git.commit", event_key="a"),
        NewContribution(line=2, member_id=ada, type="git.commit", event_key="a"),
        NewContribution(line=3, member_id=ada, type="git.commit", event_key="a"),
    ]
    outcomes = service.record_many(session, system, rows)
    assert [(one.line, one.outcome, one.code) for one in outcomes] == [
        (1, "invalid", "MEMBER_NOT_FOUND"),
        (2, "recorded", None),
        (3, "duplicate", None),
    ]
    assert outcomes[2].contribution_id == outcomes[1].contribution_id


def test_nothing_is_nothing(session: Session, system: Actor) -> None:
    assert service.record_many(session, system, []) == []


def test_bulk_and_single_calls_side_by_side_neither_deadlock_nor_miscount(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    members = people(6)

    def work(seed: int) -> None:
        rows = [row for row in some_rows(members, 60, seed % 3) if row.type != "no.such"]
        random.Random(seed).shuffle(rows)
        if seed % 2:
            with platform.unit_of_work(system) as session:
                service.record_many(session, system, rows)
            return
        for row in rows[:20]:
            with platform.unit_of_work(system) as session:
                one_by_one(session, system, [row])

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work, seed) for seed in range(16)]:
            done.result()
    with platform.unit_of_work(system) as session:
        keys = select(Contribution.type, Contribution.event_key)
        assert session.scalar(select(func.count()).select_from(keys.distinct().subquery())) == session.scalar(
            select(func.count()).select_from(Contribution)
        )
        assert findings(session) == []
