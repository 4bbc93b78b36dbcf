"""A checkpoint kept elsewhere tells what the chain alone cannot: that its newest links are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from core.actor import Actor
from core.audit.checkpoint import CheckpointUnusable, check, make
from core.audit.commands import audit
from core.audit.seal import seal, verify
from core.audit.trail import record
from core.platform import Platform

SYSTEM = Actor.system("test")
KEY = "secret"


@contextmanager
def tampering(platform: Platform) -> Iterator[Connection]:
    with platform.database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection


@pytest.fixture
def house(shop: Any) -> Platform:
    platform: Platform = shop.made[0] if shop.made else shop.open()
    with tampering(platform) as connection:
        connection.execute(text("TRUNCATE core_audit, core_audit_seal"))
    return platform


def act(platform: Platform, count: int) -> None:
    for _ in range(count):
        with platform.unit_of_work(SYSTEM) as session:
            record(session, SYSTEM, "core.thing.done", subject_type="thing", subject_id=1)
        with platform.unit_of_work() as session:
            seal(session)


def note(platform: Platform) -> str:
    with platform.unit_of_work() as session:
        return make(session, KEY)


def gone(platform: Platform, checkpoint: str) -> tuple[str, ...]:
    with platform.unit_of_work() as session:
        return check(session, KEY, checkpoint)


def cut(platform: Platform, above: int) -> None:
    with tampering(platform) as connection:
        rows = "DELETE FROM core_audit WHERE id IN (SELECT audit_id FROM core_audit_seal WHERE seq > :seq)"
        connection.execute(text(rows), {"seq": above})
        connection.execute(text("DELETE FROM core_audit_seal WHERE seq > :seq"), {"seq": above})


@pytest.mark.parametrize("count", [0, 5])
def test_a_chain_that_only_grew_holds(house: Platform, count: int) -> None:
    act(house, count)
    checkpoint = note(house)
    assert json.loads(checkpoint)["seq"] == json.loads(checkpoint)["count"] == count
    act(house, 2)
    assert gone(house, checkpoint) == ()


def test_the_newest_links_that_were_cut_off_are_missed(house: Platform) -> None:
    act(house, 5)
    checkpoint = note(house)
    cut(house, above=3)
    with house.unit_of_work() as session:
        assert verify(session).problems == ()
    when = json.loads(checkpoint)["at"]
    assert gone(house, checkpoint) == (f"the newest 2 links of the chain at {when} were removed: it ends at 3",)


def test_links_that_took_the_place_of_the_cut_ones_are_noticed(house: Platform) -> None:
    act(house, 5)
    checkpoint = note(house)
    cut(house, above=3)
    act(house, 4)
    with house.unit_of_work() as session:
        assert verify(session).problems == ()
    [problem] = gone(house, checkpoint)
    assert problem.startswith("link 5 is not the one that was there")


@pytest.mark.parametrize(
    "changes",
    [{"seq": 3}, {"count": 3}, {"chain": "00" * 32}, {"at": "2000-01-01T00:00:00Z"}, {"signature": "00"}],
)
def test_a_changed_checkpoint_is_refused(house: Platform, changes: dict[str, Any]) -> None:
    act(house, 5)
    changed = json.dumps({**json.loads(note(house)), **changes})
    with pytest.raises(CheckpointUnusable, match="its signature does not fit"):
        gone(house, changed)


@pytest.mark.parametrize("given", ["", "[]", "{}", "null", '{"version": 2}', "\x00", "[" * 100_000])
def test_what_is_no_checkpoint_is_refused(house: Platform, given: str) -> None:
    with pytest.raises(CheckpointUnusable, match="not of that form"):
        gone(house, given)


def test_one_of_another_installation_is_refused(house: Platform) -> None:
    with house.unit_of_work() as session:
        other = make(session, "other secret")
    with pytest.raises(CheckpointUnusable):
        gone(house, other)


def test_the_commands_write_and_compare(house: Platform, tmp_path: Path) -> None:
    act(house, 3)
    file = tmp_path / "checkpoint.json"
    run = CliRunner().invoke
    assert run(audit, ["checkpoint", str(file)], obj=house).exit_code == 0
    assert run(audit, ["verify", "--checkpoint", str(file)], obj=house).exit_code == 0
    cut(house, above=2)
    assert run(audit, ["verify"], obj=house).exit_code == 0
    assert run(audit, ["verify", "--checkpoint", str(file)], obj=house).exit_code == 1
