"""What the trail tells about a member is sealed under the member's own key, and ends with it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text

from core.actor import Actor
from core.audit import checkpoint
from core.audit.models import AuditRow
from core.audit.reading import about, shown
from core.audit.seal import seal, verify
from core.audit.search import Search, lines
from core.audit.trail import MASK, Personal, digest, record
from core.crypto import members as member_keys
from core.crypto.members import ERASED, MemberKey
from core.keys.commands import keys
from core.members import service as members
from core.members.models import Member
from core.platform import Platform
from guildhall import new_id
from tests.core.crypto.phones import key

SYSTEM = Actor.system("test")
ADMIN = Actor(kind="member", name="Admin", permissions=frozenset({"core:audit:list", "core:member:show"}))


@pytest.fixture(scope="module")
def house(shop: Any) -> Platform:
    platform: Platform = shop.open()
    return platform


@pytest.fixture
def ada(house: Platform) -> Member:
    with house.unit_of_work(SYSTEM) as session:
        email = f"{new_id()}@example.org"
        return members.register(session, SYSTEM, email=email, password=None, display_name="Ada")


def rename(house: Platform, member: Member, name: str) -> AuditRow:
    with house.unit_of_work(SYSTEM) as session:
        session.get_one(Member, member.id).display_name = name
        session.flush()
        query = select(AuditRow).where(AuditRow.subject_id == str(member.id)).order_by(AuditRow.id.desc()).limit(1)
        return session.scalars(query).one()


def test_the_row_holds_none_of_it_and_who_may_see_members_reads_it(house: Platform, ada: Member) -> None:
    row = rename(house, ada, "Ada Lovelace")
    assert "Ada" not in json.dumps(row.changes)
    with house.unit_of_work() as session:
        assert shown(session, ADMIN, [row])[0].changes == {"display_name": ["Ada", "Ada Lovelace"]}
        may_not = Actor(kind="member", name="Clerk", permissions=frozenset({"core:audit:list"}))
        assert shown(session, may_not, [row])[0].changes == {"display_name": [MASK, MASK]}
        assert about(session, ada.id, [row])[0].changes == {"display_name": ["Ada", "Ada Lovelace"]}
        assert about(session, new_id(), [row])[0].changes == {"display_name": [MASK, MASK]}


def test_a_value_opens_only_in_its_place(house: Platform, ada: Member) -> None:
    one, other = rename(house, ada, "One"), rename(house, ada, "Two")
    with house.unit_of_work() as session:
        other.changes = {"display_name": [one.changes["display_name"][1], other.changes["display_name"][0]]}
        for part in shown(session, ADMIN, [other])[0].changes["display_name"]:
            assert part.startswith("sealed:")


def test_after_the_key_is_gone_it_reads_erased_and_every_check_still_passes(house: Platform, ada: Member) -> None:
    row = rename(house, ada, "Ada Lovelace")
    with house.unit_of_work(SYSTEM) as session:
        record(session, ADMIN, "core.member.noted", subject_type="core.member", subject_id=ada.id, reason="she asked")
        while seal(session):
            pass
        noted = checkpoint.make(session, house.config.secret_key)
    exported = [json.loads(line) for line in lines(house.unit_of_work, Search(subject=str(ada.id)), "ndjson")]
    with house.unit_of_work(SYSTEM) as session:
        member_keys.destroy(session, ada.id)
    with house.unit_of_work(SYSTEM) as session:
        assert shown(session, ADMIN, [row])[0].changes == {"display_name": [ERASED, ERASED]}
        session.get_one(Member, ada.id).display_name = "Again"
        record(session, ADMIN, "core.member.noted", subject_type="core.member", subject_id=ada.id, reason="a note")
        while seal(session):
            pass
        assert verify(session).problems == ()
        assert checkpoint.check(session, house.config.secret_key, noted) == ()
    with house.unit_of_work() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(ada.id)).order_by(AuditRow.id)).all()
        assert rows[-2].changes == {"display_name": [MASK, MASK]} or rows[-1].changes == {"display_name": [MASK, MASK]}
        by_id = {str(one.id): one for one in rows}
    assert len(exported) >= 3
    for line in exported:
        assert "Lovelace" not in json.dumps(line) and "she asked" not in json.dumps(line)
        assert digest(by_id[line["id"]]).hex() == line["digest"]


def test_many_at_once_make_one_key(house: Platform) -> None:
    member_id, wrong = new_id(), []
    start = threading.Barrier(8)

    def act(number: int) -> None:
        try:
            start.wait()
            with house.unit_of_work(SYSTEM) as session:
                changes = {"note": Personal(member_id, f"note {number}")}
                record(session, SYSTEM, "vault.x.done", subject_type="racing", subject_id=member_id, changes=changes)
        except Exception as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with house.unit_of_work() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(member_id))).all()
        assert sorted(one.changes["note"] for one in shown(session, ADMIN, rows)) == [f"note {n}" for n in range(8)]
        assert session.scalar(select(func.count()).where(MemberKey.member_id == member_id)) == 1


def test_a_rotation_seals_the_keys_of_members_anew_and_the_trail_stays_readable(shop: Any, house: Platform) -> None:
    old, new = "test:" + "A" * 43 + "=", f"next:{key('n')}"
    with house.unit_of_work(SYSTEM) as session:
        ada = members.register(session, SYSTEM, email=f"{new_id()}@example.org", password=None, display_name="Rotating")
        before = session.scalar(text("SELECT key FROM core_member_key WHERE member_id = :id"), {"id": ada.id})
    both = shop.open(encryption_keys=f"{new},{old}")
    done = CliRunner().invoke(keys, ["rotate", "--here"], obj=both)
    assert done.exit_code == 0, done.output
    alone = shop.open(encryption_keys=new)
    with alone.unit_of_work(SYSTEM) as session:
        after = session.scalar(text("SELECT key FROM core_member_key WHERE member_id = :id"), {"id": ada.id})
        assert bytes(after or b"")[:17] != bytes(before or b"")[:17]
        rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(ada.id))).all()
        assert "Rotating" in json.dumps([one.changes for one in shown(session, ADMIN, rows)])
