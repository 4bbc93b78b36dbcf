"""The web is killed in the middle of a write: a retry with the same key has one effect and one answer."""

from __future__ import annotations

import http.client
from collections.abc import Callable

import pytest

from core.events.deliver import Deliverer
from tests.faults.conftest import House


@pytest.mark.parametrize(
    ("when", "statement", "kept"),
    [
        ("after", "INSERT INTO alpha_note", False),
        ("before", "INSERT INTO core_idempotency", False),
        ("committed", "INSERT INTO core_idempotency", True),
    ],
    ids=["in the service", "before the commit", "after the commit, before the answer"],
)
def test_a_retry_after_kill_9_of_the_web_doubles_nothing(
    house: House, serve: Callable[..., int], eventually: Callable[..., None], when: str, statement: str, kept: bool
) -> None:
    victim = serve(when, statement)
    with pytest.raises((OSError, http.client.HTTPException)):
        house.write("a key")
    eventually(lambda: house.gone(victim))
    eventually(lambda: not house.count("pg_stat_activity WHERE state LIKE 'idle in%' AND pid <> pg_backend_pid()"))
    notes = house.rows("SELECT id FROM alpha_note")
    assert len(notes) == house.count("core_event") == house.count("core_idempotency") == kept

    serve()
    status, answer = house.write("a key")
    assert status == 201
    assert house.write("a key")[1]["data"] == answer["data"]
    assert house.rows("SELECT id::text FROM alpha_note") == [(answer["data"]["id"],)]
    assert house.count("core_event") == 1
    house.start("worker")
    eventually(house.quiet)
    assert Deliverer(house.platform.database).drain() == 0
    house.check()
