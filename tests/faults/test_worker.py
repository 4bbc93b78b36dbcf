"""A worker is killed at each step of a delivery, and of a job: nothing is lost, nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from core.jobs.queue import enqueue
from tests.faults import alpha_plugin as alpha
from tests.faults.conftest import SYSTEM, House

DONE = "UPDATE core_delivery SET state = 'done'"
COUNTED = "UPDATE core_delivery SET due_at"
LOST = "INSERT INTO core_worker (id, seen_at, lost_at) VALUES (uuidv7(), now(), now())"


@pytest.mark.parametrize(
    ("when", "statement", "careful"),
    [
        ("after", "WITH claimed AS", False),
        ("after", "INSERT INTO alpha_effect", False),
        ("before", DONE, False),
        ("committed", DONE, False),
        ("committed", COUNTED, False),
        ("committed", "SELECT 'called'", False),
        ("committed", COUNTED, True),
        ("after", "INSERT INTO alpha_effect", True),
    ],
    ids=[
        "claimed",
        "in the handler",
        "before the commit",
        "after the commit",
        "external: leased",
        "external: called, not acknowledged",
        "with care: counted",
        "with care: in the handler",
    ],
)
def test_kill_9_of_a_worker_at_each_step(
    house: House, eventually: Callable[..., None], when: str, statement: str, careful: bool
) -> None:
    if careful:
        with house.platform.unit_of_work() as session:
            session.execute(text(LOST))
    house.start("scheduler")
    events = house.publish(3)
    victim = house.start("worker", when, statement)
    eventually(lambda: house.gone(victim), 30)
    assert house.count("core_delivery WHERE state <> 'done'") > 0
    house.start("worker")
    eventually(house.quiet, 30)
    house.check()
    if statement == "SELECT 'called'":
        assert max(house.receiver.told.values()) == 2, "told again, by the same id"
    assert len(events) == len(house.receiver.told)


@pytest.mark.parametrize("when", ["before", "committed"])
def test_kill_9_of_a_worker_in_the_middle_of_a_job(house: House, eventually: Callable[..., None], when: str) -> None:
    """The job goes on from its checkpoint when the lease of the lost worker has run out."""
    victim = house.start("worker", when, "INSERT INTO alpha_step")
    with house.platform.unit_of_work(SYSTEM) as session:
        job = enqueue(session, SYSTEM, "alpha.count")
    eventually(lambda: house.gone(victim), 30)
    assert house.count("alpha_step") == (when == "committed")
    with house.platform.unit_of_work() as session:
        session.execute(text("UPDATE core_job SET lease_until = now() WHERE state = 'running'"))
    house.start("worker")
    house.start("scheduler")
    eventually(lambda: house.count(f"core_job WHERE id = '{job.id}' AND state = 'done'") == 1, 30)
    assert sorted(house.rows("SELECT step FROM alpha_step")) == [(step,) for step in range(alpha.STEPS)]
