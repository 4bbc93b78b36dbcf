"""A worker is killed in the middle of erasing members: each is erased whole or not at all, and once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from core.clock import now
from core.ids import new_id
from core.jobs.queue import enqueue
from core.members import service
from core.members.models import Member
from core.privacy import erase
from core.privacy.models import Erasure
from tests.faults.conftest import SYSTEM, House

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("when", "statement", "erased"),
    [
        ("after", "DELETE FROM core_credential", 0),
        ("before", "UPDATE core_erasure", 0),
        ("committed", "UPDATE core_erasure", 1),
    ],
    ids=["half way", "before the commit", "between two members"],
)
def test_kill_9_of_a_worker_that_erases(
    house: House, eventually: Callable[..., None], when: str, statement: str, erased: int
) -> None:
    people = []
    with house.platform.unit_of_work(SYSTEM) as session:
        for number in range(2):
            mail = f"{new_id()}@example.org"
            name = f"Somebody {number}"
            one = service.register(session, SYSTEM, email=mail, password=PASSWORD, display_name=name)
            people.append(one.id)
            session.add(Erasure(member_id=one.id, due_at=now()))
    victim = house.start("worker", when, statement)
    with house.platform.unit_of_work(SYSTEM) as session:
        enqueue(session, SYSTEM, erase.JOB)
    eventually(lambda: house.gone(victim), 30)
    with house.platform.unit_of_work() as session:
        found = [session.get_one(Member, one) for one in people]
        whole = [(one.status, one.display_name[:8]) for one in found if one.email]
        gone = [(one.status, one.display_name[:7]) for one in found if not one.email]
        assert (gone, whole) == ([("closed", "erased-")] * erased, [("active", "Somebody")] * (2 - erased))
        kept = "SELECT count(*) FROM core_credential WHERE member_id = ANY(:people)"
        assert session.scalar(text(kept), {"people": people}) == 2 - erased
        session.execute(text("UPDATE core_job SET lease_until = now() WHERE state = 'running'"))
    house.start("worker")
    house.start("scheduler")
    eventually(lambda: house.count("core_job WHERE kind = 'core.erase' AND state = 'done'") > 0, 30)
    with house.platform.unit_of_work() as session:
        assert all(erase.is_erased(session, one) for one in people)
        assert not any(session.get_one(Member, one).email for one in people)
    told = house.rows("SELECT payload->>'member_id' FROM core_event WHERE name = 'core.member.erased'")
    assert sorted(told) == sorted((str(one),) for one in people)
    house.check()
