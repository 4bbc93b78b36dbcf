"""Recalculation by sets: in order, resumable, cancellable; and verify, which finds what is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from core.events.models import EventRow
from core.jobs import queue
from core.jobs.job import JobCancelled
from core.jobs.models import JobRow
from core.jobs.run import run_next
from core.platform import Platform
from core.settings import write
from guildhall import Actor, enqueue, new_id, now
from plugins.badges import Award, Badge, BatchAwarded, service
from plugins.badges import plan as planning
from plugins.badges.commands import badges
from plugins.badges.plan import carry_out, plan
from plugins.badges.recalculation import recalculate
from plugins.badges.seeds import SEEDS
from plugins.badges.settings import BadgeSettings
from plugins.badges.verify import verify
from plugins.contributions import MemberProgress

from .conftest import add_badge, add_people, count, held, points, recalculate_all, slugs

ROOT = Path(__file__).resolve().parents[3]


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
    add_badge(session, system, "a-few", held("z-base"), supply_limit=1)
    add_badge(session, system, "b-top", {"all": [held("z-base"), held("a-few")]})
    [member_id] = add_people(session)
    give_points(session, [member_id], 1)
    phases = [tuple(phase[0].slugs) for phase in plan(session).phases]
    where = {slug: number for number, slugs in enumerate(phases) for slug in slugs}
    assert where["z-base"] < where["a-few"] < where["b-top"]
    assert where["pillar"] < where["legend"]
    assert recalculate_all(session, system) == 3
    assert slugs(session, member_id) == {"z-base", "a-few", "b-top"}


def test_many_new_awards_of_a_step_are_one_event(session: Session, system: Actor) -> None:
    write(session, system, BadgeSettings, {"single_events": 2})
    members = add_people(session, 3)
    give_points(session, members, 100)
    assert recalculate(session, system, "points-100", "points-500") == 3
    assert payloads(session, "badges.badge.awarded") == []
    [said] = payloads(session, "badges.batch.awarded")
    assert (said["awards"], said["member_ids"]) == (3, [str(one) for one in members])
    assert said["badge_ids"] == [str(service.find(session, "points-100").id)]


def test_batches_of_the_first_version_can_still_be_read() -> None:
    badge_id = new_id()
    told = BatchAwarded.read(1, {"badge_id": str(badge_id), "awards": 7})
    assert (told.badge_ids, told.member_ids, told.awards) == ([badge_id], [], 7)


def test_only_the_members_of_a_step_are_given_anything(session: Session, system: Actor) -> None:
    members = add_people(session, 4)
    give_points(session, members, 100)
    assert recalculate(session, system, "points-100", above=members[0], upto=members[2]) == 2
    assert [one for one in members if slugs(session, one)] == members[1:3]


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
        assert (job.state, job.result) == ("done", {"badges": len(SEEDS), "awarded": 9})
        assert job.done == job.total == len(plan(session).steps)


def test_a_job_that_was_cancelled_before_its_turn_does_nothing(platform: Platform, system: Actor) -> None:
    with platform.unit_of_work(system) as session:
        job_id = enqueue(session, system, "badges.recalculate", {}).id
        queue.cancel(session, job_id)
    assert not run_next(platform.database)


def test_a_small_community_keeps_every_core_busy(
    platform: Platform, people: Callable[..., list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    people(9)
    with platform.unit_of_work() as session:
        assert len(plan(session).phases[0]) == 1
        monkeypatch.setattr(planning, "LEAST", 2)
        assert len(plan(session).phases[0]) == planning.AT_ONCE


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of two members."""
    monkeypatch.setattr(planning, "CHUNK", 2)


def awards(platform: Platform) -> int:
    with platform.unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(Award)) or 0


@pytest.mark.usefixtures("chunks")
def test_stopping_keeps_the_finished_steps_and_a_new_start_goes_on_behind_them(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    members = people(9)
    kept: dict[str, Any] = {}
    worked: list[str] = []

    def save(session: Session, state: dict[str, Any]) -> None:
        worked.extend(set(state["done"]) - set(kept.get("done", ())))
        kept.update(state)

    def stop(done: int, total: int) -> None:
        if done >= 2:
            raise JobCancelled()

    def start(tell: Callable[[int, int], None]) -> int:
        with platform.unit_of_work() as session:
            made = plan(session, None, kept)
        return carry_out(made, system, lambda: platform.unit_of_work(system), tell, save)

    with platform.unit_of_work(system) as session:
        give_points(session, members, 1000)
    with pytest.raises(JobCancelled):
        start(stop)
    first = awards(platform)
    assert 2 * 2 * 3 <= first == kept["awarded"] < 27
    people(1)  # must not shift where the chunks end
    assert start(lambda done, total: None) == 27
    assert awards(platform) == 27
    assert len(worked) == len(set(worked)) == len(plan_steps(platform, kept))
    with platform.unit_of_work(system) as session:
        add_badge(session, system, "later", points(1))
        assert plan(session, None, kept).state["done"] == []  # an edit starts from the beginning


def plan_steps(platform: Platform, state: dict[str, Any]) -> list[Any]:
    with platform.unit_of_work() as session:
        return plan(session, None, state).steps


@pytest.mark.usefixtures("chunks")
def test_a_step_that_fails_takes_back_its_work_and_its_checkpoint(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]]
) -> None:
    members = people(6)
    with platform.unit_of_work(system) as session:
        give_points(session, members, 100)
        made = plan(session, "points-100")

    def fail(session: Session, state: dict[str, Any]) -> None:
        if len(state["done"]) == 2:
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        carry_out(made, system, lambda: platform.unit_of_work(system), lambda done, total: None, fail)
    assert awards(platform) == 2


KILLED = """
import os, signal, sys
from config import Config
from core.jobs.run import run_next
from core.platform import Platform
from plugins.badges import plan
plan.CHUNK, plan.AT_ONCE = 2, 1
recalculate, done = plan.recalculate, []
def then_die(session, *given, **named):
    made = recalculate(session, *given, **named)
    done.append(made)
    if len(done) == 3:
        session.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return made
plan.recalculate = then_die
platform = Platform(Config(secret_key="x" * 40, encryption_keys="test:" + "A" * 43 + "="), sys.argv[1], None)
run_next(platform.database)
"""


def test_a_job_goes_on_after_kill_9(
    platform: Platform, system: Actor, people: Callable[..., list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = people(9)
    with platform.unit_of_work(system) as session:
        give_points(session, members, 1000)
        job_id = enqueue(session, system, "badges.recalculate", {}).id
    command = [sys.executable, "-c", KILLED, platform.database.url]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    assert awards(platform) == 2 * 2 * 3  # two steps of two members; the third was not committed
    with platform.unit_of_work(system) as session:
        session.execute(update(JobRow).values(lease_until=now() - timedelta(seconds=1)))
    assert run_next(platform.database)
    with platform.unit_of_work() as session:
        job = session.get_one(JobRow, job_id)
        assert (job.state, job.attempts, job.result) == ("done", 2, {"badges": len(SEEDS), "awarded": 27})
    assert awards(platform) == 27


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
    assert (done.exit_code, "1 new awards" in done.output) == (0, True)
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
        recalculate_all(session, system)
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
