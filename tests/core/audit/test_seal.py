"""The chain over the trail: any change, removal or insertion of a sealed row is found and named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.seal import BATCH, Verdict, seal, verify
from core.audit.trail import digest, record
from core.platform import Platform
from core.runtime import scheduler

SYSTEM = Actor.system("test")


@pytest.fixture
def house(shop: Any) -> Platform:
    """A platform whose trail is empty."""
    platform: Platform = shop.made[0] if shop.made else shop.open()
    with tampering(platform) as connection:
        connection.execute(text("TRUNCATE core_audit, core_audit_seal"))
    return platform


@contextmanager
def tampering(platform: Platform) -> Iterator[Connection]:
    """What an intruder with the database owner's rights can do: no trigger fires, no reference is checked."""
    with platform.database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection


def act(platform: Platform, *reasons: str) -> None:
    for reason in reasons:
        with platform.unit_of_work(SYSTEM) as session:
            record(session, SYSTEM, "core.thing.done", subject_type="thing", subject_id=1, reason=reason)


def sealed(platform: Platform) -> int:
    with platform.unit_of_work() as session:
        return seal(session)


def judged(platform: Platform) -> Verdict:
    with platform.unit_of_work() as session:
        return verify(session)


def ids(platform: Platform) -> list[Any]:
    with platform.unit_of_work() as session:
        return list(session.scalars(select(AuditRow.id).order_by(AuditRow.id)))


def test_an_untouched_trail_holds(house: Platform) -> None:
    act(house, "a", "b", "c")
    assert sealed(house) == 3
    act(house, "d")
    assert judged(house) == Verdict(sealed=3, unsealed=1, problems=())


def test_sealing_goes_on_where_it_ended(house: Platform) -> None:
    act(house, "a")
    assert (sealed(house), sealed(house)) == (1, 0)
    act(house, "b", "c")
    assert sealed(house) == 2
    assert judged(house) == Verdict(sealed=3, unsealed=0, problems=())


def test_a_row_that_commits_late_is_sealed_later(house: Platform) -> None:
    with house.unit_of_work(SYSTEM) as session:
        record(session, SYSTEM, "core.thing.done", subject_type="thing", subject_id=1)
        session.flush()
        act(house, "overtakes")
        assert sealed(house) == 1
    assert sealed(house) == 1
    assert judged(house).problems == ()


def test_one_seals_at_a_time(house: Platform) -> None:
    act(house, "a")
    with house.unit_of_work() as session:
        assert seal(session) == 1
        assert sealed(house) == 0
    assert judged(house) == Verdict(sealed=1, unsealed=0, problems=())


def test_the_scheduler_seals(house: Platform) -> None:
    act(house, "a")
    scheduler.tick(house)
    assert judged(house).sealed >= 1
    assert BATCH >= 100


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'other'", "actor_name = 'nobody'", "at = at + interval '1 second'", "changes = '{\"x\": [1, 2]}'",
        "subject_id = '2'", "ip = '192.0.2.1'", "action = 'core.thing.undone'",
    ],
)  # fmt: skip
def test_a_changed_row_is_named(house: Platform, change: str) -> None:
    act(house, "a", "b", "c")
    sealed(house)
    victim = ids(house)[1]
    with tampering(house) as connection:
        connection.execute(text(f"UPDATE core_audit SET {change} WHERE id = :id"), {"id": victim})
    assert judged(house).problems == (f"audit row {victim} was changed after it was written",)


def test_a_row_changed_together_with_its_digest_breaks_the_chain(house: Platform) -> None:
    act(house, "a", "b", "c")
    sealed(house)
    with house.unit_of_work() as session:
        row = session.scalars(select(AuditRow).order_by(AuditRow.id).offset(1)).first()
        assert row is not None
        session.expunge(row)
    row.reason = "other"
    with tampering(house) as connection:
        change = "UPDATE core_audit SET reason = 'other', digest = :digest WHERE id = :id"
        connection.execute(text(change), {"digest": digest(row), "id": row.id})
    assert judged(house).problems == ("link 2 does not follow from the one before it",)


def test_a_removed_row_is_named(house: Platform) -> None:
    act(house, "a", "b", "c")
    sealed(house)
    victim = ids(house)[1]
    with tampering(house) as connection:
        connection.execute(text("DELETE FROM core_audit WHERE id = :id"), {"id": victim})
    assert judged(house).problems == (f"audit row {victim} was removed",)


def test_a_row_removed_with_its_link_is_found(house: Platform) -> None:
    act(house, "a", "b", "c")
    sealed(house)
    with tampering(house) as connection:
        connection.execute(text("DELETE FROM core_audit WHERE id = :id"), {"id": ids(house)[1]})
        connection.execute(text("DELETE FROM core_audit_seal WHERE seq = 2"))
    assert judged(house).problems == (
        "link 2 is missing; the next one is 3",
        "link 3 does not follow from the one before it",
    )


def test_a_removed_beginning_is_found(house: Platform) -> None:
    act(house, "a", "b")
    sealed(house)
    with tampering(house) as connection:
        connection.execute(text("DELETE FROM core_audit WHERE id = :id"), {"id": ids(house)[0]})
        connection.execute(text("DELETE FROM core_audit_seal WHERE seq = 1"))
    assert judged(house).problems[0] == "link 1 is missing; the next one is 2"


def test_swapped_links_are_found(house: Platform) -> None:
    act(house, "a", "b")
    sealed(house)
    first, second = ids(house)
    with tampering(house) as connection:
        connection.execute(text("ALTER TABLE core_audit_seal DROP CONSTRAINT uq_core_audit_seal_audit_id"))
        swap = "UPDATE core_audit_seal SET audit_id = CASE seq WHEN 1 THEN :second ELSE :first END"
        connection.execute(text(swap), {"first": first, "second": second})
        connection.execute(
            text("ALTER TABLE core_audit_seal ADD CONSTRAINT uq_core_audit_seal_audit_id UNIQUE (audit_id)")
        )
    assert "link 1 does not follow from the one before it" in judged(house).problems


def test_a_row_changed_before_it_was_sealed_is_named_too(house: Platform) -> None:
    act(house, "a")
    [victim] = ids(house)
    with tampering(house) as connection:
        connection.execute(text("UPDATE core_audit SET reason = 'other'"))
    assert judged(house) == Verdict(
        sealed=0, unsealed=1, problems=(f"audit row {victim} was changed after it was written",)
    )


def test_no_more_problems_are_told_than_asked_for(house: Platform) -> None:
    act(house, *"abcdef")
    sealed(house)
    with tampering(house) as connection:
        connection.execute(text("UPDATE core_audit SET reason = 'other'"))
    with house.unit_of_work() as session:
        assert len(verify(session, most_problems=4).problems) == 4
