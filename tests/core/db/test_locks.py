"""Locks are sorted, tell who exists, and end with their transaction."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core.db import locks
from core.members.models import Member
from core.platform import Platform
from guildhall import new_id


def member(platform: Platform) -> Member:
    made = Member(id=new_id(), display_name="Amina")
    with platform.unit_of_work() as session:
        session.add(made)
    return made


def is_locked(platform: Platform, row: Member) -> bool:
    query = text("SELECT id FROM core_member WHERE id = :id FOR NO KEY UPDATE NOWAIT")
    try:
        with platform.database.engine.connect() as other:
            other.execute(query, {"id": row.id})
    except OperationalError:
        return True
    return False


def test_members_are_locked_and_those_that_exist_are_told(platform: Platform) -> None:
    one, other, nobody = member(platform), member(platform), new_id()
    with platform.unit_of_work() as session:
        assert locks.members(session, [one.id, one.id, nobody]) == {one.id}
        assert is_locked(platform, one)
        assert not is_locked(platform, other)
    assert not is_locked(platform, one)


def test_a_locked_member_may_still_be_referred_to(platform: Platform) -> None:
    one = member(platform)
    with platform.unit_of_work() as session, platform.database.engine.begin() as other:
        locks.members(session, [one.id])
        row = {"member": one.id, "id": new_id()}
        query = "INSERT INTO core_identity VALUES (:id, :member, 'git', 'x', now())"
        other.execute(text(query), row)


def test_one_holds_an_advisory_lock_at_a_time(platform: Platform) -> None:
    with platform.unit_of_work() as session:
        locks.advisory(session, "door")
        with platform.unit_of_work() as other:
            assert not locks.try_advisory(other, "door")
            assert locks.try_advisory(other, "window")
    with platform.unit_of_work() as session:
        assert locks.try_advisory(session, "door")
