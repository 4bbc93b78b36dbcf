"""Recalculation by sets: in order, resumable, cancellable; and verify, which finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from core.events.models import EventRow
from core.jobs import queue
from core.jobs.job import JobCancelled
from core.jobs.models import JobRow
from core.jobs.run import run_next
from core.platform import Platform
from core.settings import write
from guildhall import Actor, enqueue
from plugins.badges import Award, Badge, jobs, service
from plugins.badges.commands import badges
from plugins.badges.recalculation import plan, recalculate
from plugins.badges.settings import BadgeSettings
from plugins.badges.verify import verify
from plugins.contributions import MemberProgress

from .conftest import add_badge, add_people, count, held, points, slugs


def give_points(session: Session, member_ids: list[UUID], number: int) -> None:
    session.execute(insert(MemberProgress), [{"member_id": key, "points": number} for key in member_ids])


def payloads(session: Session, name: str) -> list[dict[str, Any]]:
    return list(session.scalars(select(EventRow.payload).where(EventRow.name == name).order_by(EventRow.id)))


def test_it_awards_whoever_meets_it_now_quietly_and_once(session: Session, system: Actor) -> None:
    few, many = add_people(session, 2)
    give_points(session, [few], 99)
    give_points(session, [many], 100)
    assert recalculate(session, system, "points-100") == 1
    assert recalculate(session, system, "points-100") == 0
    award = session.scalars(select(Award)).one()
    assert (award.member_id, award.source, award.facts, award.contribution_id) == (
        many,
        "recalculation",
        {"": 100},
        None,
    )
    [said] = payloads(session, "badges.badge.awarded")
    assert said["quiet"] is True
    assert said["award_id"] == str(award.id)


def test_badges_that_others_need_come_first(session: Session, system: Actor) -> None:
    add_badge(session, system, "z-base", points(1))
    add_badge(session, system, "a-top", held("z-base"))
    [member_id] = add_people(session)
    give_points(session, [member_id], 1)
    order = plan(session)
    assert order.index("z-base") < order.index("a-top")
    assert order.index("pillar") < order.index("legend")
    assert [recalculate(session, system, slug) for slug in order if slug in ("z-base", "a-top")] == [1, 1]


def test_many_new_awards_of_a_badge_are_one_event(session: Session, system: Actor) -> None:
    write(session, system, BadgeSettings, {"single_events": 2})
    members = add_people(session, 3)
    give_points(session, members, 100)
    assert recalculate(session, system, "points-100") == 3
    assert payloads(session, "badges.badge.awarded") == []
    [said] = payloads(session, "badges.batch.awarded")
    assert said["awards"] == 3


def test_a_limited_badge_goes_to_those_who_joined_first(session: Session, system: Actor) -> None:
    from datetime import UTC, datetime

    add_badge(session, system, "first-two", points(1), supply_limit=2)
    [late] = add_people(session, joined_at=datetime(2026, 3, 1, tzinfo=UTC))
    early = add_people(session, 2, joined_at=datetime(2026, 1, 1, tzinfo=UTC))
    give_points(session, [late, *early], 5)
    assert recalculate(session, system, "first-two") == 2
    assert {one for one in (late, *early) if "first-two" in slugs(session, one)} == set(early)


def test_an_unknown_badge_is_not_found(session: Session) -> None:
    with pytest.raises(service.BadgeNotFound) as refused:
        plan(session, "nothing")
    assert refused.value.code == "BADGE_NOT_FOUND"


def test_the_job_recalculates_all_and_says_how_many(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    members = people(3)
    with platform.unit_of_work(system) as session:
        give_points(session, members, 1000)
        job_id = enqueue(session, system, "badges.recalculate", {"badge": None}).id
    assert run_next(platform.database)
    with platform.unit_of_work() as session:
        job = session.get_one(JobRow, job_id)
        assert (job.state, job.result) == ("done", {"badges": len(plan(session)), "awarded": 9})
        assert job.done == job.total == len(plan(session))


def test_a_job_that_was_cancelled_keeps_its_finished_badges(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        job_id = enqueue(session, system, "badges.recalculate", {}).id
        queue.cancel(session, job_id)
    assert not run_next(platform.database)


class Stopping:
    """A job's context that stops after some steps, as a crash or an admin does."""

    def __init__(self, platform: Platform, actor: Actor, steps: int, state: dict[str, Any]) -> None:
        self.platform, self.actor, self.steps, self.state = platform, actor, steps, state
        self.params: dict[str, Any] = {}
        self.worked: list[str] = []

    @contextmanager
    def unit_of_work(self) -> Any:
        with self.platform.unit_of_work(self.actor) as session:
            yield session

    def progress(self, done: int, total: int | None = None) -> None:
        if self.steps == 0:
            raise JobCancelled()
        self.steps -= 1

    def checkpoint(self) -> dict[str, Any]:
        return dict(self.state)

    def save(self, session: Session, **state: Any) -> None:
        self.worked += [slug for slug in state["done"] if slug not in self.state.get("done", [])]
        self.state.update(state)


def test_a_job_goes_on_behind_its_checkpoint(platform: Platform, system: Actor) -> None:
    first = Stopping(platform, system, 5, {})
    with pytest.raises(JobCancelled):
        jobs.recalculate_job.run(first)  # type: ignore[arg-type]
    assert len(first.worked) == 5
    second = Stopping(platform, system, 1000, first.state)
    result = jobs.recalculate_job.run(second)  # type: ignore[arg-type]
    assert not set(second.worked) & set(first.worked)
    assert result
    assert len(second.worked) + 5 == result["badges"]


def test_the_commands_recalculate_and_verify(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], contribute: Callable[..., UUID]
) -> None:
    [member_id, other] = people(2)
    contribute(member_id, "challenge.win")
    run = CliRunner().invoke
    missed = run(badges, ["verify"], obj=platform)
    assert missed.exit_code == 1
    assert "missed: winner" in missed.output
    done = run(badges, ["recalculate", "--badge", "winner"], obj=platform)
    assert (done.exit_code, "1 badges, 1 new awards" in done.output) == (0, True)
    assert run(badges, ["recalculate"], obj=platform).exit_code == 0
    proved = run(badges, ["verify"], obj=platform)
    assert (proved.exit_code, "agree" in proved.output) == (0, True), proved.output
    with platform.unit_of_work(system) as session:
        service.award(session, system, slug="elite-creator", member_id=other, reason="by hand needs no facts")
    assert run(badges, ["verify"], obj=platform).exit_code == 0


def test_verify_finds_each_kind_of_fault(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], contribute: Callable[..., UUID]
) -> None:
    [member_id] = people()
    contribute(member_id, "challenge.win")
    with platform.unit_of_work(system) as session:
        for slug in plan(session):
            recalculate(session, system, slug)
        winner = service.find(session, "winner").id
        session.execute(update(Award).where(Award.badge_id == winner).values(facts={"": 0}))
        lost = service.find(session, "contributor").id
        session.execute(delete(Award).where(Award.badge_id == lost))
        session.execute(
            update(Badge).where(Badge.slug == "finalist").values(criteria={"type": "gone"}, version=2, revision=2)
        )
    with platform.unit_of_work(system) as session:
        found = {(one.kind, one.badge) for one in verify(session)}
    assert found == {("facts", "winner"), ("missed", "contributor"), ("broken", "finalist")}


def test_a_badge_that_is_gone_or_over_is_not_reported_as_missed(session: Session, system: Actor) -> None:
    from datetime import timedelta

    from guildhall import now
    from plugins.badges.catalogue import current
    from plugins.badges.verify import _exhausted

    add_badge(session, system, "only-one", count("git.merge"), supply_limit=1)
    add_badge(session, system, "over", points(1), active_until=now() - timedelta(days=1))
    catalogue = current(session)
    limited, over = catalogue.get("only-one"), catalogue.get("over")
    assert limited
    assert over
    assert not _exhausted(session, limited)
    service.award(session, system, slug="only-one", member_id=add_people(session)[0], reason="first")
    assert _exhausted(session, limited)
    assert not over.active(now())
    assert recalculate(session, system, "over") == 0
