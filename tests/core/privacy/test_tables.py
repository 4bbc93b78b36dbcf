"""No table and no word about a member is forgotten: what a copy holds, and what an erasure leaves behind.

These tests are made from the tables there are, so a new plugin is measured by them as it is.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Uuid, delete, insert, text

from core.actor import Actor
from core.audit.seal import seal, verify
from core.audit.trail import record
from core.db.base import metadata
from core.db.personal import holdings
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members import service as members
from core.members.models import Member
from core.platform import Platform
from core.privacy import erase, export
from core.privacy.models import Erasure
from core.rest.models import IdempotencyRow
from guildhall import new_id, now
from tests.core.privacy import marked
from tests.core.privacy.marked import MARK

USER_ID = members.user_table.c.id
SYSTEM = Actor.system("test")
# Columns that name a member without a reference, and why copy and erasure may leave them: ids alone stay.
IDS_ALONE = re.compile(r"(^|_)(member|actor|owner|author|impersonator|admin|reviewer)(_id)?$|_by(_id)?$|^by_")
WITHOUT_REFERENCE = {
    "core_audit.actor_id": "in the copy as core_audit; the trail names members by id, and id alone outlives them",
    "core_audit.impersonator_id": "an id alone; the act is in the copy of the member it was done as",
    "core_event.actor_id": "events carry ids only",
    "core_event.impersonator_id": "events carry ids only",
    "core_job.impersonator_id": "an id alone",
    "core_job.member_id": "who asked for work; its name, parameters and result are taken out",
    "core_member_key.member_id": "the key that an erasure destroys",
    "badges_award.awarded_by": "an id alone",
    "badges_award.revoked_by": "an id alone",
    "badges_version.created_by": "an id alone",
}


@pytest.fixture
def told(platform: Platform) -> Any:
    """A platform where every table tells of one member."""
    with platform.unit_of_work(SYSTEM) as session:
        key = new_id()
        user = dict.fromkeys(("first_name", "last_name", "username", "email"), MARK)
        user_id = session.scalar(insert(members.user_table).values({**user, "active": True}).returning(USER_ID))
        actor = Actor(kind="member", name=MARK, member_id=key, ip=MARK)
        session.info["actor"] = actor
        member = Member(id=key, user_id=user_id, display_name=MARK, email=f"{MARK}@example.org")
        session.add(member)
        session.flush()
        record(session, actor, "core.member.suspended", subject_type="core.member", subject_id=key, reason=MARK)
        job = enqueue(session, actor, erase.JOB, {"typed": MARK})
        job.state, job.result, job.error = "done", {"told": MARK}, MARK
        session.add(IdempotencyRow(scope=f"{key}:POST /x", key=MARK, fingerprint=b"", status=200, body={"name": MARK}))
        session.flush()
        held = marked.fill(session, key)
    return platform, member.id, held


def test_a_copy_holds_every_table_about_the_member(told: Any, tmp_path: Path) -> None:
    platform, member_id, held = told
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(text("UPDATE core_file SET storage_key = 'aa/' || repeat('a', 64)"))
        missing = export.write(session, member_id, tmp_path / "copy.zip")
    packed = zipfile.ZipFile(tmp_path / "copy.zip")
    names = {name.removeprefix("json/").removesuffix(".json") for name in packed.namelist() if "json/" in name}
    assert {one.table.name for one in held} | {"core_member", "core_audit"} <= names
    assert [line for line in missing if not line.startswith("files/")] == []
    assert MARK in packed.read("json/core_member.json").decode()
    trail = json.loads(packed.read("json/core_audit.json"))
    assert {"by_me": True, "ip": MARK, "reason": MARK}.items() <= trail[-1].items()
    for name in packed.namelist():
        if name.startswith("json/"):
            assert json.loads(packed.read(name)), name
    everything = b"".join(packed.read(name) for name in packed.namelist())
    for secret in (b"password_hash", b"token_hash", b"totp_secret", b"secret_hash"):
        assert secret not in everything


def test_columns_that_name_members_without_a_reference_are_known() -> None:
    bare = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if not table.name.startswith(("library_", "vault_", "sealing_")) and IDS_ALONE.search(column.name)
        if isinstance(column.type, Uuid) and not column.foreign_keys
    }
    assert bare - WITHOUT_REFERENCE.keys() == set(), "refer to core_member, or tell here why not"


def test_after_an_erasure_no_word_about_the_member_is_left_anywhere(told: Any) -> None:
    platform, member_id, _held = told
    admin = Actor(kind="member", name="Admin", member_id=new_id(), ip="192.0.2.9")
    with platform.unit_of_work(admin) as session:
        session.get_one(Member, member_id).email = f"new-{MARK}@example.org"
        while seal(session):
            pass
        assert MARK not in str(marked.found_in(session, "192.0.2.9"))
        before = marked.found_in(session)
    assert len(before) > 20
    assert not any(place.startswith("core_audit.") for place in before)
    with platform.unit_of_work(SYSTEM) as session:
        row = Erasure(id=new_id(), member_id=member_id, due_at=now())
        session.execute(delete(Erasure).where(Erasure.member_id == member_id))
        session.add(row)
        session.flush()
        erase.erase(session, SYSTEM, row.id)
    with platform.unit_of_work(SYSTEM) as session:
        assert marked.found_in(session) == []
        kept = {one.table.name for one in holdings(metadata, marked.present(session)) if not one.goes}
        assert kept >= {"contributions_contribution", "badges_award", "wallet_account"}
        while seal(session):
            pass
        assert verify(session).problems == ()


def test_a_worker_erases_those_whose_time_has_come(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        member = members.register(
            session, SYSTEM, email="a@example.org", password="correct horse battery", display_name="A"
        )
        session.add(Erasure(id=new_id(), member_id=member.id, due_at=now()))
        enqueue(session, SYSTEM, erase.JOB)
    while run_next(platform.database):
        pass
    with platform.unit_of_work() as session:
        found = session.get_one(Member, member.id)
        assert (found.status, found.email, found.display_name) == ("closed", None, f"erased-{member.id.hex[-8:]}")
        assert erase.is_erased(session, member.id)
