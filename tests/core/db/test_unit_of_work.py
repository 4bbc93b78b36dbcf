"""One transaction, opened and committed at the edge; the doorbell rings after a commit that published."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from core.actor import Actor
from core.db.session import Database, current
from core.errors import Unavailable
from core.events.publish import publish
from core.jobs.queue import enqueue
from core.members.events import MemberRegistered
from core.members.models import Member
from core.platform import Platform
from core.refusals import domain_error
from guildhall import new_id

SYSTEM = Actor.system("test")


@pytest.fixture
def rings(platform: Platform) -> list[bool]:
    """Every ring of the platform's doorbell: whether the published event could be seen by then."""
    heard: list[bool] = []

    def ring() -> None:
        with platform.database.engine.connect() as other:
            heard.append(bool(other.scalar(text("SELECT count(*) FROM core_delivery"))))

    platform.database.doorbell = ring
    return heard


def say(session: Any) -> None:
    publish(session, SYSTEM, MemberRegistered(member_id=new_id()))


@pytest.fixture(autouse=True)
def _somebody_listens(platform: Platform) -> None:
    from core.events.event import Subscriber

    def listen(session: Any, actor: Any, event: Any) -> None: ...

    platform.registry.subscribers["core.listen"] = Subscriber(event=MemberRegistered, handler=listen)
    platform.registry._by_event.setdefault(MemberRegistered.event_name, []).append("core.listen")


def count(platform: Platform, table: str = "core_member") -> int:
    with platform.database.engine.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_what_was_done_is_committed(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        session.add(Member(id=new_id(), display_name="Amina"))
    assert count(platform) == 1


@pytest.mark.parametrize("problem", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_any_exception_undoes_everything(platform: Platform, problem: BaseException) -> None:
    with pytest.raises(type(problem)), platform.unit_of_work(SYSTEM) as session:
        session.add(Member(id=new_id(), display_name="Amina"))
        session.flush()
        raise problem
    assert count(platform) == 0


def test_an_error_of_the_commit_itself_reaches_the_caller(platform: Platform, rings: list[bool]) -> None:
    with platform.unit_of_work() as session:
        session.execute(text("CREATE TABLE late (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(IntegrityError), platform.unit_of_work(SYSTEM) as session:
        say(session)
        session.execute(text("INSERT INTO late VALUES (1), (1)"))
    assert (count(platform, "late"), count(platform, "core_event"), rings) == (0, 0, [])


def test_the_bell_rings_once_after_a_commit_that_published(platform: Platform, rings: list[bool]) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        say(session)
        say(session)
        assert rings == []
    assert rings == [True]


def test_the_bell_is_silent_after_a_commit_without_events(platform: Platform, rings: list[bool]) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        session.add(Member(id=new_id(), display_name="Amina"))
    assert rings == []


def test_the_bell_is_silent_after_a_rollback(platform: Platform, rings: list[bool]) -> None:
    with pytest.raises(RuntimeError), platform.unit_of_work(SYSTEM) as session:
        say(session)
        raise RuntimeError
    assert rings == []


def test_a_session_that_was_rolled_back_forgets_the_bell(platform: Platform, rings: list[bool]) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        say(session)
        session.rollback()
    assert (rings, count(platform, "core_event")) == ([], 0)


def test_a_savepoint_undone_does_not_silence_what_was_published_before(platform: Platform, rings: list[bool]) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        say(session)
        savepoint = session.begin_nested()
        savepoint.rollback()
    assert rings == [True]


def test_a_job_rings_too(platform: Platform, rings: list[bool]) -> None:
    kind = next(iter(platform.registry.jobs))
    with platform.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, kind)
    assert len(rings) == 1


def test_losing_redis_does_not_fail_the_commit(cluster: Any) -> None:
    from tests.conftest import test_config

    platform = Platform(test_config(), cluster.fresh("live"), "redis://127.0.0.1:1/0")
    kind = next(iter(platform.registry.jobs))
    with platform.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, kind)
    assert count(platform, "core_job") == 1
    platform.database.dispose()


def test_the_current_session_is_the_one_that_is_open_in_this_thread(platform: Platform) -> None:
    found: list[Any] = []

    def look() -> None:
        with pytest.raises(RuntimeError):
            current()
        found.append("nothing here")

    with platform.unit_of_work() as session:
        assert current() is session
        with platform.unit_of_work() as inner:
            assert current() is inner
        assert current() is session
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == ["nothing here"]
    with pytest.raises(RuntimeError, match="no unit of work"):
        current()


def test_connections_go_back_whatever_happens(platform: Platform) -> None:
    small = Database(platform.database.url, pool_size=1, info=platform.database.info)
    for _ in range(3):
        with pytest.raises(RuntimeError), small.unit_of_work() as session:
            session.execute(text("SELECT 1"))
            raise RuntimeError
    with small.unit_of_work() as session:
        assert session.scalar(text("SELECT 1")) == 1
    small.dispose()


def _severed(platform: Platform, database: Database) -> None:
    """Let the server end the one connection that the pool keeps."""
    with database.unit_of_work() as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
    with platform.database.engine.connect() as other:
        assert other.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_connection_that_broke_while_it_rested_is_replaced(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.db.session.TRUSTED_SECONDS", -1.0)
    small = Database(platform.database.url, pool_size=1, info=platform.database.info)
    _severed(platform, small)
    with small.unit_of_work() as session:
        assert session.scalar(text("SELECT 1")) == 1
    small.dispose()


def test_a_connection_that_broke_just_now_costs_one_unit_of_work(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.db.session.TRUSTED_SECONDS", 60.0)
    small = Database(platform.database.url, pool_size=1, info=platform.database.info)
    _severed(platform, small)
    with pytest.raises(OperationalError) as problem, small.unit_of_work() as session:
        session.execute(text("SELECT 1"))
    assert isinstance(domain_error(problem.value), Unavailable)
    with small.unit_of_work() as session:
        assert session.scalar(text("SELECT 1")) == 1
    small.dispose()


def test_times_are_utc_and_locks_are_not_waited_for_without_end(platform: Platform) -> None:
    with platform.unit_of_work() as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"
        assert session.scalar(text("SHOW lock_timeout")) == "10s"
