"""A job is a row: it survives crashes, shows how far it is, and can be stopped and started again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from core import lifecycle
from core.actor import Actor
from core.clock import frozen
from core.errors import NotFound
from core.jobs.job import Job, JobContext
from core.jobs.models import JobRow
from core.jobs.queue import JobNotRetryable, cancel, enqueue, retry
from core.jobs.run import run_next
from core.members.models import Member
from core.platform import Platform
from core.plugin import Plugin
from core.runtime import scheduler
from guildhall import new_id

SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
run: list[Callable[[JobContext], Any]] = []
ALPHA = Plugin(
    "alpha", version="1", label="", jobs=[Job(name="work", label="Work", run=lambda context: run[0](context))]
)


class Desk:
    """Asks for the job ``alpha.work`` and looks at what became of it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.at = datetime.now(UTC)

    def ask(self, does: Callable[[JobContext], Any], actor: Actor = SYSTEM, **params: Any) -> Any:
        run[:] = [does]
        with self.platform.unit_of_work(actor) as session:
            return enqueue(session, actor, "alpha.work", params).id

    def work(self) -> bool:
        return run_next(self.platform.database)

    def work_later(self) -> bool:
        """When every wait between tries is over."""
        self.at += timedelta(hours=2)
        with frozen(self.at):
            return self.work()

    def row(self, key: Any) -> JobRow:
        with self.platform.unit_of_work() as session:
            return session.get_one(JobRow, key)

    def do(self, what: Callable[..., Any], key: Any) -> None:
        with self.platform.unit_of_work(SYSTEM) as session:
            what(session, key)


@pytest.fixture(scope="module")
def alpha(shop: Any) -> Platform:
    platform: Platform = shop.open(ALPHA)
    return platform


@pytest.fixture
def desk(shop: Any, alpha: Platform) -> Desk:
    shop.clear(alpha)
    return Desk(alpha)


def die(context: JobContext) -> None:
    raise KeyboardInterrupt


def fail(context: JobContext) -> None:
    raise RuntimeError("no luck today")


def test_a_job_runs_once_and_keeps_its_result(desk: Desk) -> None:
    key = desk.ask(lambda context: {"sum": sum(context.params["numbers"])}, numbers=[1, 2])
    assert desk.work()
    row = desk.row(key)
    assert (row.state, row.result, row.attempts, row.error) == ("done", {"sum": 3}, 1, None)
    assert row.started_at and row.finished_at
    assert not desk.work()


def test_jobs_run_in_the_order_they_were_asked_for(desk: Desk) -> None:
    seen: list[int] = []
    for number in range(3):
        desk.ask(lambda context: seen.append(context.params["n"]), n=number)
    while desk.work():
        pass
    assert seen == [0, 1, 2]


def test_a_kind_that_nobody_declares_is_refused(desk: Desk) -> None:
    with pytest.raises(LookupError, match=r"alpha\.play"), desk.platform.unit_of_work() as session:
        enqueue(session, SYSTEM, "alpha.play")


def test_a_job_asked_for_in_a_transaction_that_fails_never_was(desk: Desk) -> None:
    with pytest.raises(RuntimeError), desk.platform.unit_of_work() as session:
        enqueue(session, SYSTEM, "alpha.work")
        raise RuntimeError
    assert not desk.work()


def test_a_job_acts_for_who_asked_and_keeps_the_correlation(desk: Desk) -> None:
    actors: list[Actor] = []
    asked = Actor(kind="member", name="Amina", member_id=new_id())
    desk.ask(lambda context: actors.append(context.actor), actor=asked)
    desk.work()
    [actor] = actors
    assert (actor.kind, actor.name, actor.member_id) == ("member", "Amina", asked.member_id)
    assert actor.correlation_id == asked.correlation_id


def test_progress_is_seen_while_the_job_runs(desk: Desk) -> None:
    seen: list[tuple[Any, ...]] = []

    def steps(context: JobContext) -> None:
        for done in range(3):
            context.progress(done, 3)
            row = desk.row(context.job_id)
            seen.append((row.state, row.done, row.total))

    desk.ask(steps)
    desk.work()
    assert seen == [("running", 0, 3), ("running", 1, 3), ("running", 2, 3)]


def test_a_failed_try_is_repeated_and_the_error_is_kept(desk: Desk) -> None:
    key = desk.ask(fail)
    for state in ("queued", "queued", "failed"):
        assert desk.work_later()
        assert (desk.row(key).state, desk.row(key).error) == (state, "RuntimeError: no luck today")
    assert desk.row(key).finished_at is not None
    assert not desk.work_later()


def test_the_waits_between_tries_grow(desk: Desk) -> None:
    key = desk.ask(fail)
    at, waits = datetime.now(UTC), []
    for _ in range(2):
        with frozen(at):
            assert desk.work()
            assert not desk.work()  # its turn has not come
        waits.append((desk.row(key).due_at - at).total_seconds())
        at = desk.row(key).due_at
    assert 5 <= waits[0] <= 10 <= waits[1] <= 20


def test_a_failed_job_does_not_hold_up_the_next(desk: Desk) -> None:
    first = desk.ask(fail)
    desk.work()
    second = desk.ask(lambda context: None)
    desk.work()
    assert (desk.row(first).state, desk.row(second).state) == ("queued", "done")


def test_a_long_step_without_progress_is_not_run_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.jobs.run.BEAT_SECONDS", 0.02)
    starts: list[datetime] = []

    def long(context: JobContext) -> None:
        starts.append(datetime.now(UTC))
        with desk.platform.unit_of_work() as session:
            session.execute(text("UPDATE core_job SET lease_until = '2000-01-01'"))  # as if it took an hour
        deadline = starts[0] + timedelta(seconds=20)
        while desk.row(context.job_id).lease_until < starts[0] and datetime.now(UTC) < deadline:
            pass
        assert not desk.work(), "another worker took it"

    key = desk.ask(long)
    desk.work()
    assert (len(starts), desk.row(key).state) == (1, "done")


def test_a_result_that_is_no_json_is_the_jobs_own_failure(desk: Desk) -> None:
    key = desk.ask(lambda context: {"who": uuid4()})
    desk.work()
    assert desk.row(key).error == "TypeError: Object of type UUID is not JSON serializable"


def test_a_failed_job_may_be_started_again(desk: Desk) -> None:
    key = desk.ask(fail)
    while desk.work_later():
        pass
    run[:] = [lambda context: {"ok": True}]
    desk.do(retry, key)
    assert desk.row(key).state == "queued"
    desk.work()
    row = desk.row(key)
    assert (row.state, row.attempts, row.error, row.result) == ("done", 1, None, {"ok": True})


def test_a_job_that_ended_well_is_not_started_again(desk: Desk) -> None:
    key = desk.ask(lambda context: None)
    desk.work()
    with pytest.raises(JobNotRetryable, match="this one is done"):
        desk.do(retry, key)


@pytest.mark.parametrize("act", [cancel, retry])
def test_a_job_that_is_not_there_is_not_found(desk: Desk, act: Any) -> None:
    with pytest.raises(NotFound):
        desk.do(act, new_id())


def test_a_waiting_job_is_cancelled_at_once(desk: Desk) -> None:
    key = desk.ask(fail)
    desk.do(cancel, key)
    assert desk.row(key).state == "cancelled"
    assert not desk.work()


def test_a_running_job_stops_at_its_next_step(desk: Desk) -> None:
    steps: list[int] = []

    def long(context: JobContext) -> None:
        for step in range(5):
            context.progress(step, 5)
            steps.append(step)
            if step == 1:
                desk.do(cancel, context.job_id)

    key = desk.ask(long)
    desk.work()
    assert (desk.row(key).state, steps) == ("cancelled", [0, 1])
    run[:] = [lambda context: context.progress(5)]
    desk.do(retry, key)
    desk.work()
    assert desk.row(key).state == "done"


def test_a_job_that_fails_after_it_was_cancelled_is_not_tried_again(desk: Desk) -> None:
    def stubborn(context: JobContext) -> None:
        desk.do(cancel, context.job_id)
        raise RuntimeError

    key = desk.ask(stubborn)
    while desk.work():
        pass
    assert (desk.row(key).state, desk.row(key).attempts) == ("cancelled", 1)


def test_a_crashed_job_goes_on_from_its_checkpoint_after_the_lease(desk: Desk) -> None:
    made: list[str] = []

    def steps(context: JobContext) -> None:
        start = context.checkpoint().get("next", 0)
        for step in range(start, 4):
            with context.unit_of_work() as session:
                session.add(Member(id=new_id(), display_name=f"step {step}"))
                context.save(session, next=step + 1)
            made.append(f"step {step}")
            if step == 1 and start == 0:
                raise KeyboardInterrupt

    with frozen(T0):
        key = desk.ask(steps)
        with pytest.raises(KeyboardInterrupt):
            desk.work()
    with frozen(T0 + timedelta(seconds=59)):
        assert not desk.work()
    with frozen(T0 + timedelta(seconds=61)):
        assert desk.work()
    assert made == ["step 0", "step 1", "step 2", "step 3"]
    assert (desk.row(key).state, desk.row(key).attempts) == ("done", 2)


def test_a_step_that_fails_saves_no_checkpoint(desk: Desk) -> None:
    def step(context: JobContext) -> None:
        with context.unit_of_work() as session:
            context.save(session, next=1)
            raise RuntimeError

    key = desk.ask(step)
    desk.work()
    assert desk.row(key).checkpoint == {}


def test_progress_renews_the_lease(desk: Desk) -> None:
    def long(context: JobContext) -> None:
        with frozen(T0 + timedelta(seconds=50)):
            context.progress(1)
        with frozen(T0 + timedelta(seconds=100)):
            assert not desk.work()

    with frozen(T0):
        key = desk.ask(long)
        desk.work()
    assert (desk.row(key).state, desk.row(key).attempts) == ("done", 1)


def test_a_job_that_kills_its_worker_each_time_fails(desk: Desk) -> None:
    with frozen(T0):
        key = desk.ask(die)
    for tries in range(3):
        with frozen(T0 + timedelta(minutes=2 * tries)), pytest.raises(KeyboardInterrupt):
            desk.work()
    with frozen(T0 + timedelta(hours=1)):
        assert desk.work()
    assert (desk.row(key).state, desk.row(key).error) == ("failed", "The worker was lost at every try.")


def test_a_worker_that_lost_its_lease_changes_nothing_any_more(desk: Desk) -> None:
    events: list[str] = []

    def slow(context: JobContext) -> dict[str, Any]:
        if not events:
            events.append("first")
            with frozen(T0 + timedelta(minutes=2)):
                desk.work()  # another worker takes it over and ends it
            with context.unit_of_work() as session:
                session.add(Member(id=new_id(), display_name="ghost"))
                context.save(session, next=9)
        events.append("second")
        return {"by": "second"}

    with frozen(T0):
        key = desk.ask(slow)
        desk.work()
    row = desk.row(key)
    assert (row.state, row.result, row.checkpoint, row.attempts) == ("done", {"by": "second"}, {}, 2)
    with desk.platform.unit_of_work() as session:
        assert session.scalar(text("SELECT count(*) FROM core_member WHERE display_name = 'ghost'")) == 0


def test_jobs_of_a_disabled_plugin_wait(desk: Desk) -> None:
    key = desk.ask(lambda context: None)
    with desk.platform.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, "alpha", False)
    assert not desk.work()
    with desk.platform.unit_of_work(SYSTEM) as session:
        lifecycle.set_enabled(session, SYSTEM, "alpha", True)
    assert desk.work()
    assert desk.row(key).state == "done"


def test_the_poll_rings_for_a_job_that_a_flushed_redis_forgot(desk: Desk) -> None:
    bell = desk.platform.bell
    assert bell is not None
    with frozen(T0):
        desk.ask(die)
        with pytest.raises(KeyboardInterrupt):
            desk.work()
    for at, rings in ((T0, 0), (T0 + timedelta(seconds=61), 1)):
        bell.client.flushdb()
        with frozen(at):
            scheduler.tick(desk.platform)
        assert bell.client.llen("dramatiq:guildhall.jobs") == rings
