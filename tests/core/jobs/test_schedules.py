"""A schedule turns once a period; what was missed is caught up once; one scheduler leads."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core import lifecycle
from core.actor import Actor
from core.clock import frozen
from core.jobs.job import Job, Schedule
from core.jobs.queue import turn_schedules
from core.jobs.run import run_next
from core.platform import Platform
from core.plugin import Plugin

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = Actor.system("test")
T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALPHA = Plugin(
    "alpha",
    version="1",
    label="",
    jobs=[Job(name="sweep", label="Sweep", run=lambda context: None)],
    schedules=[Schedule(name="hourly", job="sweep", every=HOUR)],
)
SCHEDULER = """
import sys
from config import Config
from core.platform import Platform
from core.runtime.scheduler import lead
lead(Platform(Config(secret_key="x" * 40), sys.argv[1], None))
"""


class Clockwork:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def turn(self, at: datetime) -> bool:
        """Look at the schedules at a time; whether the hourly one ran."""
        with frozen(at), self.platform.unit_of_work(SYSTEM) as session:
            return "alpha.hourly" in turn_schedules(session)

    def jobs(self) -> int:
        with self.platform.unit_of_work() as session:
            return int(session.scalar(text("SELECT count(*) FROM core_job WHERE kind = 'alpha.sweep'")) or 0)

    def work(self) -> None:
        with frozen(T0 + timedelta(days=30)):
            while run_next(self.platform.database):
                pass

    def toggle(self, enabled: bool) -> None:
        with self.platform.unit_of_work(SYSTEM) as session:
            lifecycle.set_enabled(session, SYSTEM, "alpha", enabled)


@pytest.fixture(scope="module")
def alpha(shop: Any) -> Platform:
    platform: Platform = shop.open(ALPHA, disabled_plugins="badges,contributions,wallet,demo")
    return platform


@pytest.fixture
def clockwork(shop: Any, alpha: Platform) -> Clockwork:
    shop.clear(alpha)
    return Clockwork(alpha)


def test_a_schedule_turns_once_a_period(clockwork: Clockwork) -> None:
    turns = []
    for minutes in (0, 30, 59, 60, 61, 119, 120):
        turns.append(clockwork.turn(T0 + timedelta(minutes=minutes)))
        clockwork.work()
    assert turns == [False, False, False, True, False, False, True]
    assert clockwork.jobs() == 2


def test_missed_turns_are_caught_up_once_and_the_beat_is_kept(clockwork: Clockwork) -> None:
    clockwork.turn(T0)
    assert clockwork.turn(T0 + 5 * HOUR + timedelta(minutes=10))
    assert clockwork.jobs() == 1
    assert not clockwork.turn(T0 + 5 * HOUR + timedelta(minutes=59))
    assert clockwork.turn(T0 + 6 * HOUR)


def test_turns_do_not_pile_up_while_no_worker_works(clockwork: Clockwork) -> None:
    for hours in range(10):
        clockwork.turn(T0 + hours * HOUR)
    assert clockwork.jobs() == 1
    clockwork.work()
    clockwork.turn(T0 + 10 * HOUR)
    assert clockwork.jobs() == 2


def test_schedules_of_a_disabled_plugin_rest_and_are_caught_up_once(clockwork: Clockwork) -> None:
    clockwork.turn(T0)
    clockwork.toggle(False)
    assert not clockwork.turn(T0 + 3 * HOUR)
    clockwork.toggle(True)
    assert clockwork.turn(T0 + 4 * HOUR)
    assert clockwork.jobs() == 1


def test_a_schedule_that_is_gone_turns_nothing(clockwork: Clockwork) -> None:
    clockwork.turn(T0)
    schedule = clockwork.platform.registry.schedules.pop("alpha.hourly")
    assert not clockwork.turn(T0 + 2 * HOUR)
    clockwork.platform.registry.schedules["alpha.hourly"] = schedule
    assert clockwork.turn(T0 + 2 * HOUR)


def test_two_that_look_at_once_turn_it_once(clockwork: Clockwork) -> None:
    clockwork.turn(T0)
    together = threading.Barrier(2)

    def look(_: int) -> bool:
        together.wait()
        return clockwork.turn(T0 + HOUR)

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(look, range(2))) == [False, True]
    assert clockwork.jobs() == 1


def test_a_scheduler_waits_while_another_leads_and_takes_over_when_it_is_gone(
    clockwork: Clockwork, eventually: Any
) -> None:
    engine = clockwork.platform.database.engine
    asks = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL(:ours) "
        "AND query LIKE '%pg_try_advisory_lock%core.scheduler%'"
    )
    turned = text("SELECT count(*) FROM core_schedule")

    def counted(query: Any, **values: Any) -> int:
        with engine.connect() as connection:
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
            more = {"ours": [*values["ours"], mine]} if values else {}
            return int(connection.scalar(query, more) or 0)

    leader = engine.connect()
    ours = [leader.scalar(text("SELECT pg_backend_pid()"))]
    leader.execute(text("SELECT pg_advisory_lock(hashtextextended('core.scheduler', 0))"))
    process = subprocess.Popen([sys.executable, "-c", SCHEDULER, clockwork.platform.database.url], cwd=ROOT)
    try:
        eventually(lambda: counted(asks, ours=ours), seconds=60)
        assert counted(turned) == 0
        leader.invalidate()  # its connection is gone, as after kill -9
        eventually(lambda: counted(turned), seconds=60)
    finally:
        leader.close()
        process.terminate()
        assert process.wait(30) == 0
