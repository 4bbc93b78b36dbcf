"""The scheduler that leads is killed in the middle of a turn: another leads, and each turn is taken once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.faults.conftest import House

TURN = "INSERT INTO core_job"


@pytest.mark.parametrize("when", ["before", "committed"])
def test_kill_9_of_the_scheduler_that_leads(house: House, eventually: Callable[..., None], when: str) -> None:
    with house.platform.unit_of_work() as session:
        row = "INSERT INTO core_schedule (name, next_run_at) VALUES ('alpha.counting', now() - interval '3 days')"
        session.execute(text(row))
    victim = house.start("scheduler", when, TURN)
    eventually(lambda: house.gone(victim), 30)
    assert house.count("core_job WHERE kind = 'alpha.count'") == (when == "committed")
    house.publish(2)
    house.start("worker")
    house.start("scheduler")
    eventually(lambda: house.count("core_job WHERE kind = 'alpha.count' AND state = 'done'") == 1, 30)
    eventually(house.quiet, 30)
    [(ahead,)] = house.rows("SELECT next_run_at > now() FROM core_schedule WHERE name = 'alpha.counting'")
    assert ahead and house.count("core_job WHERE kind = 'alpha.count'") == 1, "missed turns are caught up by one"
    house.check()
