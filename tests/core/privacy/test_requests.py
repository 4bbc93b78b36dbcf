"""Members ask for a copy of their data and for their erasure; admins do it for them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core import hooks
from core.actor import Actor
from core.clock import frozen, now
from core.errors import Invalid, StepUpRequired
from core.events.models import EventRow
from core.ids import new_id
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members.models import Member, MemberSession
from core.platform import Platform
from core.privacy import erase, export
from core.privacy.errors import AlreadyErased, ErasureOver, ErasureWaiting, ExportWaiting
from core.privacy.models import Erasure
from core.roles import LastAdmin
from tests.core.files.test_files_over_http import send

SYSTEM = Actor.system("test")
DATA = "/profile/data"


def work(site: Platform) -> None:
    while run_next(site.database):
        pass


def acting(person: Any, *permissions: str) -> Actor:
    return Actor(
        kind="member",
        name="somebody",
        member_id=person.member.id,
        session_id=person.member.id,
        permissions=frozenset(permissions),
        stepped_up_at=now(),
        roles=("Admin",) if permissions else (),
    )


def member(site: Platform, person: Any) -> Member:
    with site.unit_of_work() as session:
        return session.get_one(Member, person.member.id)


def job(site: Platform, kind: str) -> JobRow:
    with site.unit_of_work() as session:
        query = select(JobRow).where(JobRow.kind == kind).order_by(JobRow.id.desc()).limit(1)
        return session.scalars(query).one()


@pytest.fixture
def broken(site: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A plugin whose part of the matter fails."""

    def implementations(session: Any, name: str, arguments: Any) -> Any:
        def fail() -> None:
            raise RuntimeError("a mistake of the plugin")

        return [("wallet", fail, True)]

    monkeypatch.setattr(hooks, "_implementations", implementations)
    return


def test_a_copy_is_asked_for_made_told_of_and_fetched_by_a_link_that_ends(site: Platform, people: Any) -> None:
    ada = people("User", browser=True, name="Ada Copied")
    assert "Make a copy" in ada.get(DATA).text
    assert ada.send(f"{DATA}/export").status_code == 303
    assert "Being made" in ada.get(DATA).text
    with site.unit_of_work() as session, pytest.raises(ExportWaiting):
        export.ask(session, acting(ada), ada.member.id)
    work(site)
    assert "Fetch the copy" in ada.get(DATA).text
    with site.unit_of_work() as session:
        row = export.latest(session, ada.member.id)
        assert row is not None
        told = session.scalars(select(EventRow).where(EventRow.name == "core.member.export_ready")).all()
        assert str(row.id) in {one.payload["export_id"] for one in told}
    answer = ada.get(f"{DATA}/export/{row.id}")
    link = answer.headers["Location"]
    assert answer.status_code == 303 and link.startswith("/files/")
    fetched = people().get(link)
    assert fetched.headers["Content-Type"] == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(fetched.data))
    assert json.loads(packed.read("about.json"))["missing"] == []
    assert json.loads(packed.read("json/core_member.json"))[0]["display_name"] == "Ada Copied"
    assert "csv/core_session.csv" in packed.namelist()
    with frozen(now() + timedelta(days=1)):
        assert people().get(link).status_code == 410
    other = people("User", browser=True)
    assert other.get(f"{DATA}/export/{row.id}").status_code == 404
    with frozen(now() + timedelta(days=8)), site.unit_of_work() as session:
        enqueue(session, SYSTEM, "core.sweep_exports")
    with frozen(now() + timedelta(days=8)):
        work(site)
    assert people().get(link).status_code == 404


def test_a_plugin_that_fails_is_named_in_the_copy(site: Platform, people: Any, broken: None, tmp_path: Any) -> None:
    ada = people("User")
    with site.unit_of_work(SYSTEM) as session:
        missing = export.write(session, ada.member.id, tmp_path / "copy.zip")
    assert missing == ["wallet: what it holds beyond its tables could not be read."]
    packed = zipfile.ZipFile(tmp_path / "copy.zip")
    assert json.loads(packed.read("about.json"))["missing"] == missing
    assert "json/core_member.json" in packed.namelist()


def test_files_are_in_the_copy_and_go_with_the_member(site: Platform, web: Any, people: Any, tmp_path: Any) -> None:
    ada, admin = people("User"), people("Admin")
    made = send(ada).json["data"]
    link = ada.get(f"/api/v1/core/files/{made['id']}/url").json["data"]["url"]
    with site.unit_of_work(SYSTEM) as session:
        export.write(session, ada.member.id, tmp_path / "copy.zip")
    assert f"files/{made['id']}-proof.txt" in zipfile.ZipFile(tmp_path / "copy.zip").namelist()
    with site.unit_of_work(SYSTEM) as session:
        who = acting(admin, "core:member:erase")
        erase.order(session, who, ada.member.id, reason="asked by mail", typed="Amina")
    work(site)
    assert people().get(link).status_code == 404
    assert not list(site.config.home.glob(f"files/*/{made['sha256']}"))


def test_a_member_changes_their_mind_within_the_days_of_grace(site: Platform, people: Any) -> None:
    people("Admin")
    ada = people("User", browser=True, name="Ada Withdrawing")
    ada.send(f"{DATA}/erase")
    with site.unit_of_work() as session, pytest.raises(ErasureWaiting):
        erase.ask(session, acting(ada))
    work(site)
    assert member(site, ada).status == "active"
    assert "Withdraw" in ada.get(DATA).text
    ada.send(f"{DATA}/erase/withdraw")
    with frozen(now() + timedelta(days=15)):
        with site.unit_of_work() as session:
            enqueue(session, SYSTEM, "core.erase")
        work(site)
    assert member(site, ada).display_name == "Ada Withdrawing"
    with site.unit_of_work() as session, pytest.raises(ErasureOver):
        erase.withdraw(session, acting(ada), ada.member.id)


def test_after_the_days_of_grace_it_is_done_once(site: Platform, people: Any) -> None:
    people("Admin")
    ada = people("User", browser=True)
    ada.send(f"{DATA}/erase")
    for _turn in range(2):
        with frozen(now() + timedelta(days=15)):
            with site.unit_of_work() as session:
                enqueue(session, SYSTEM, "core.erase")
            work(site)
    found = member(site, ada)
    assert (found.status, found.email) == ("closed", None)
    assert ada.get(DATA, headers={"Accept": "text/html"}).status_code in (302, 303, 401)
    with site.unit_of_work() as session:
        told = session.scalars(select(EventRow).where(EventRow.name == "core.member.erased")).all()
        assert [one.payload["member_id"] for one in told].count(ada.id) == 1
        with pytest.raises(AlreadyErased):
            erase._ask(session, SYSTEM, ada.member.id, timedelta(0), None)


def test_an_admin_types_the_name_says_why_and_proves_who_they_are(site: Platform, people: Any) -> None:
    admin, ada = people("Admin"), people("User", name="Ada Typed")
    who = acting(admin, "core:member:erase")
    asked: dict[str, Any] = {"reason": "asked by mail", "typed": "Ada Typed"}
    for wrong, expected in (({"typed": "Ada"}, Invalid), ({"reason": " "}, Invalid)):
        with site.unit_of_work() as session, pytest.raises(expected):
            erase.order(session, who, ada.member.id, **{**asked, **wrong})
    stale = Actor(kind="member", name="x", member_id=admin.member.id, permissions=who.permissions)
    with site.unit_of_work() as session, pytest.raises(StepUpRequired):
        erase.order(session, stale, ada.member.id, **asked)
    with site.unit_of_work(who) as session:
        erase.order(session, who, ada.member.id, **asked)
    assert member(site, ada).status == "closed"
    assert ada.get("/api/v1/core/me/sessions").status_code == 401
    work(site)
    assert member(site, ada).display_name == f"erased-{ada.member.id.hex[-8:]}"


def test_the_last_admin_is_not_erased(platform: Platform, clients: Any) -> None:
    clients("Admin")
    with platform.unit_of_work() as session:
        last = session.scalars(select(Member)).one()
        who = Actor(kind="member", name="x", member_id=last.id, session_id=last.id, stepped_up_at=now())
        with pytest.raises(LastAdmin):
            erase.ask(session, who)


def test_an_erasure_that_fails_half_way_leaves_nothing_and_goes_on_later(
    site: Platform, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    people("Admin")
    ada, bo = people("User", name="Ada Failing"), people("User", name="Bo")
    with site.unit_of_work(SYSTEM) as session:
        for person in (ada, bo):
            session.add(Erasure(member_id=person.member.id, due_at=now()))
        enqueue(session, SYSTEM, "core.erase")
    destroy = erase.member_keys.destroy

    def fail(session: Any, member_id: Any) -> None:
        if member_id == ada.member.id:
            raise RuntimeError("the worker is lost")
        destroy(session, member_id)

    with monkeypatch.context() as patch:
        patch.setattr(erase.member_keys, "destroy", fail)
        assert run_next(site.database)
    assert member(site, ada).display_name == "Ada Failing"
    assert member(site, bo).display_name.startswith("erased-")
    assert "could not be erased" in (job(site, "core.erase").error or "")
    with frozen(now() + timedelta(hours=2)):
        work(site)
    assert member(site, ada).display_name.startswith("erased-")


def test_a_plugin_that_cannot_erase_stops_the_erasure(site: Platform, people: Any, broken: None) -> None:
    people("Admin")
    ada = people("User", name="Ada Kept")
    with site.unit_of_work(SYSTEM) as session:
        row = Erasure(member_id=ada.member.id, due_at=now() + timedelta(days=900))
        session.add(row)
    with pytest.raises(RuntimeError), site.unit_of_work(SYSTEM) as session:
        erase.erase(session, SYSTEM, row.id)
    assert member(site, ada).display_name == "Ada Kept"


def test_pages_of_others_take_their_permission(people: Any) -> None:
    ada, bo = people("User", browser=True), people("User", browser=True)
    page = f"/admin/members/{bo.id}/data"
    assert ada.get(page).status_code == 403
    for act in ("export", "erase", "erase/withdraw"):
        assert ada.send(f"{page}/{act}", typed="Amina", reason="x").status_code == 403
    assert people().get(DATA, headers={"Accept": "text/html"}).status_code in (302, 303, 401)


def test_clients_ask_for_copy_and_erasure_too(site: Platform, people: Any) -> None:
    people("Admin")
    ada, other, home = people("User"), people("User"), "/api/v1/core/me/data"
    assert ada.get(home).json["data"] == {"copy": None, "erasure": None, "erased": False}
    asked = ada.post(f"{home}/copies")
    assert (asked.status_code, asked.json["data"]["state"]) == (202, "waiting")
    assert ada.post(f"{home}/copies").json["error"]["code"] == "EXPORT_WAITING"
    url = f"{home}/copies/{asked.json['data']['id']}/url"
    assert ada.get(url).json["error"]["code"] == "EXPORT_NOT_READY"
    work(site)
    assert people().get(ada.get(url).json["data"]["url"]).headers["Content-Type"] == "application/zip"
    assert other.get(url).status_code == 404
    assert ada.post(f"{home}/erasure").status_code == 202
    assert ada.get(home).json["data"]["erasure"]["due_at"]
    assert ada.delete(f"{home}/erasure").status_code == 204
    assert ada.delete(f"{home}/erasure").json["error"]["code"] == "ERASURE_OVER"
    with site.unit_of_work(SYSTEM) as session:
        stale = update(MemberSession).where(MemberSession.member_id == ada.member.id)
        session.execute(stale.values(stepped_up_at=now() - timedelta(hours=1)))
    for method, path in (("POST", "copies"), ("POST", "erasure"), ("GET", f"copies/{new_id()}/url")):
        assert ada.open(method, f"{home}/{path}").json["error"]["code"] == "STEP_UP_REQUIRED"


def test_clients_of_admins_have_a_member_copied_and_erased(site: Platform, people: Any) -> None:
    admin, ada, bo = people("Admin"), people("User", name="Ada Typed"), people("User")
    home = f"/api/v1/core/members/{ada.id}/data"
    made = admin.post(f"{home}/copies").json["data"]
    work(site)
    assert admin.get(home).json["data"]["copy"]["state"] == "ready"
    assert admin.get(f"{home}/copies/{made['id']}/url").json["data"]["url"].startswith("/files/")
    assert admin.get(f"/api/v1/core/members/{bo.id}/data/copies/{made['id']}/url").status_code == 404
    for method, path in (("GET", ""), ("POST", "/copies"), ("POST", "/erasure"), ("DELETE", "/erasure")):
        assert bo.open(method, f"{home}{path}").status_code == 403
    reason = "asked by mail"
    assert admin.post(f"{home}/erasure", {"reason": reason, "typed": "Ada"}).status_code == 422
    assert admin.post(f"{home}/erasure", {"reason": reason, "typed": "Ada Typed"}).status_code == 202
    assert ada.get("/api/v1/core/me").status_code == 401
    work(site)
    assert admin.get(home).json["data"]["erased"] is True
    assert admin.post(f"{home}/copies").json["error"]["code"] == "ALREADY_ERASED"
    assert admin.get(f"/api/v1/core/members/{new_id()}/data").status_code == 404
