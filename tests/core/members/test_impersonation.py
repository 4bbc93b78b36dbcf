"""An admin acts as another member: seen by everybody who looks, within limits, and not for long."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from core import access, roles, settings
from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.seal import verify
from core.audit.trail import digest
from core.clock import now
from core.errors import DomainError, SessionRequired
from core.events.models import EventRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members import impersonation, sessions, standing
from core.members.models import Impersonation, Member, MemberSession
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.privacy import erase
from tests.core.doors import Person

SYSTEM = Actor.system("test")
ME = "/api/v1/core/me"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True, name="Root")


@pytest.fixture
def amina(people: Callable[..., Person]) -> Person:
    return people("User")


def act_as(admin: Person, other: Person, **form: Any) -> Any:
    answer = admin.send(f"/admin/members/{other.id}/impersonate", **{"reason": "Ticket 7", **form})
    admin._csrf = ""  # forms from before are void
    return answer


def who(person: Person) -> str:
    return str(person.get(ME).json["data"]["id"])


def end(admin: Person) -> Any:
    return admin.send("/impersonation/end")


@pytest.fixture
def acts(site: Platform) -> Callable[[Person], list[Any]]:
    def read(person: Person) -> list[Any]:
        with site.unit_of_work(SYSTEM) as session:
            query = select(AuditRow).where(AuditRow.impersonator_id == UUID(person.id)).order_by(AuditRow.id)
            return list(session.scalars(query))

    return read


def test_an_admin_sees_what_the_member_sees_and_the_page_says_so(admin: Person, amina: Person) -> None:
    assert admin.get("/admin/audit").status_code == 200
    begun = act_as(admin, amina)
    assert (begun.status_code, begun.location) == (303, "/")
    assert who(admin) == amina.id
    assert admin.get("/admin/audit").status_code == 403
    page = admin.get("/profile").text
    assert "You act as Amina until" in page and "/impersonation/end" in page
    assert end(admin).location == f"/admin/members/{amina.id}"
    assert who(admin) == admin.id
    assert admin.get("/admin/audit").status_code == 200
    assert "You act as Amina" not in admin.get("/profile").text


def test_looking_around_changes_nothing(admin: Person, amina: Person) -> None:
    act_as(admin, amina)
    assert admin.send("/profile", bio="I was here").status_code == 403
    headers = {"X-CSRFToken": admin.csrf}
    refused = admin.patch(ME, {"bio": "I was here"}, headers=headers)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "IMPERSONATION_READ_ONLY")
    assert amina.get(ME).json["data"]["profile"]["bio"] == ""


def test_the_database_itself_is_read_only_for_who_looks_around(
    admin: Person, amina: Person, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that writes on a mere GET is refused as well, whatever its author thought."""

    def writes() -> str:
        from flask import g

        g.session.execute(update(Member).where(Member.id == UUID(amina.id)).values(display_name="Changed"))
        return "done"

    act_as(admin, amina)
    monkeypatch.setitem(web.view_functions, "account.profile", writes)
    assert admin.get("/profile").status_code == 403
    assert amina.get(ME).json["data"]["display_name"] == "Amina"


def test_writing_takes_the_choice_and_stands_under_both_names(
    admin: Person, amina: Person, site: Platform, acts: Callable[..., list[Any]]
) -> None:
    act_as(admin, amina, may_write="1")
    assert "You may change things." in admin.get("/profile").text
    assert admin.send("/profile", bio="Helped", location="Lyon").status_code == 303
    assert amina.get(ME).json["data"]["profile"]["bio"] == "Helped"
    changed = [row for row in acts(admin) if row.action == "core.profile.changed"]
    assert [(str(row.actor_id), digest(row) == row.digest) for row in changed] == [(amina.id, True)]
    with site.unit_of_work(SYSTEM) as session:
        query = select(EventRow).where(EventRow.name == "core.profile.completed")
        event = session.scalars(query.where(EventRow.actor_id == UUID(amina.id))).one()
        assert str(event.impersonator_id) == admin.id
        forged = session.get_one(AuditRow, changed[0].id)
        session.expunge(forged)
        forged.impersonator_id = None
        assert digest(forged) != forged.digest
        assert not verify(session).problems


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/profile/password"),
        ("POST", "/profile/two-factor"),
        ("GET", "/profile/two-factor"),
        ("POST", "/profile/two-factor/recovery-codes"),
        ("POST", "/profile/two-factor/disable"),
        ("POST", "/confirm"),
        ("POST", "/api/v1/core/me/two-factor"),
        ("POST", "/api/v1/core/auth/step-up"),
        ("POST", "/api/v1/wallet/transfer"),
    ],
)
def test_what_is_the_members_own_is_refused_even_to_who_may_write(
    admin: Person, amina: Person, people: Callable[..., Person], method: str, path: str
) -> None:
    act_as(admin, amina, may_write="1")
    form = {"csrf_token": admin.csrf, "current": "correct horse battery", "password": "another horse battery"}
    body: dict[str, Any] = {"data": form}
    if path.startswith("/api"):
        transfer = {"to": people("User").id, "amount": {"amount": "1", "asset": "points"}}
        body = {"json": transfer if "wallet" in path else {"password": "correct horse battery"}}
    headers = {"X-CSRFToken": admin.csrf, "Idempotency-Key": "k"}
    answer = admin.http.open(path, method=method, headers=headers, **body)
    if "wallet" in path:
        assert answer.status_code in (403, 422)
    else:
        assert (answer.status_code, "/confirm?" in answer.headers.get("Location", "")) == (403, False)


def test_value_does_not_move(site: Platform, amina: Person) -> None:
    from plugins.wallet.service import transfers

    acting = Actor(kind="member", name="Amina", member_id=UUID(amina.id), impersonator=UUID(amina.id))
    with site.unit_of_work(SYSTEM) as session, pytest.raises(DomainError) as refused:
        any_id = UUID(amina.id)
        transfers.transfer(session, acting, source=any_id, destination=UUID(int=1), amount=1, kind="transfer")
    assert refused.value.code == "WHILE_IMPERSONATING"


def test_the_trail_and_the_event_name_both(admin: Person, amina: Person, people: Callable[..., Person]) -> None:
    act_as(admin, amina, may_write="1")
    admin.send("/profile", bio="Helped", location="Lyon")
    auditor = people("Admin", browser=True)
    trail = auditor.get(f"/admin/audit?actor_name={admin.id}&action=core.profile").text
    assert "by Root, acting as them" in trail
    event = re.findall(r"/admin/events/[0-9a-f-]{36}", auditor.get("/admin/events?name=core.profile.completed").text)[0]
    assert "by Root, acting as them" in auditor.get(event).text


def test_it_is_never_nested(admin: Person, people: Callable[..., Person]) -> None:
    other, third = people("Admin"), people("User")
    act_as(admin, other, may_write="1")
    assert who(admin) == other.id
    assert act_as(admin, third).status_code in (303, 403)
    assert who(admin) == other.id


def test_who_is_no_admin_cannot_become_more_than_they_are(
    site: Platform, people: Callable[..., Person], amina: Person
) -> None:
    with site.unit_of_work(SYSTEM) as session:
        name = f"Support {amina.id[-8:]}"
        session.execute(insert(access.role).values(name=name))
        ids, key = (
            access._permission_ids(session),
            session.scalar(select(access.role.c.id).where(access.role.c.name == name)),
        )
        rows = [
            {"role_id": key, "permission_view_id": ids[one]} for one in (impersonation.PERMISSION, "core:member:show")
        ]
        session.execute(insert(access.permission_view_role).values(rows))
    support = people("User", name, browser=True)
    for above in (people("Admin"), people("User", "Moderator")):
        act_as(support, above)
        assert who(support) == support.id
        assert "You cannot act as this member" in support.get("/profile").text
    act_as(support, amina, may_write="1")
    assert who(support) == support.id  # writing has a permission of its own
    act_as(support, amina)
    assert who(support) == amina.id
    with site.unit_of_work(SYSTEM) as session:
        roles.grant(session, SYSTEM, name, ())
    assert who(support) == support.id  # the permission is gone, and so is the identity


def test_a_reason_and_a_fresh_proof_are_asked_for(admin: Person, amina: Person, site: Platform) -> None:
    act_as(admin, amina, reason=" ")
    assert who(admin) == admin.id
    act_as(admin, admin)
    assert who(admin) == admin.id
    with site.unit_of_work(SYSTEM) as session:
        own = MemberSession.member_id == UUID(admin.id)
        session.execute(update(MemberSession).where(own).values(stepped_up_at=now() - timedelta(hours=1)))
    assert act_as(admin, amina).location.startswith("/confirm?next=")


def test_when_the_time_is_over_no_form_is_sent_as_the_admin(admin: Person, amina: Person, site: Platform) -> None:
    act_as(admin, amina, may_write="1")
    stale = re.findall(r'name="csrf_token" value="([^"]+)"', admin.get("/profile").text)[0]
    with site.unit_of_work(SYSTEM) as session:
        mine = Impersonation.by_member_id == UUID(admin.id)
        session.execute(update(Impersonation).where(mine).values(expires_at=now() - timedelta(seconds=1)))
    late = admin.post("/profile", data={"csrf_token": stale, "bio": "Meant for Amina"})
    assert late.status_code == 400
    assert admin.get(ME).json["data"]["profile"]["bio"] == ""
    assert who(admin) == admin.id
    act_as(admin, amina)  # the one that is over does not stand in the way
    assert who(admin) == amina.id


def test_how_long_is_a_setting(admin: Person, amina: Person, site: Platform) -> None:
    with site.unit_of_work(SYSTEM) as session:
        settings.write(session, SYSTEM, PlatformSettings, {"impersonation_minutes": 5})
    site.registry.cache.looked_at = float("-inf")
    act_as(admin, amina)
    with site.unit_of_work(SYSTEM) as session:
        row = session.scalars(select(Impersonation).where(Impersonation.by_member_id == UUID(admin.id))).one()
        assert row.expires_at - row.started_at == timedelta(minutes=5)
        settings.write(session, SYSTEM, PlatformSettings, {"impersonation_minutes": 30})
    site.registry.cache.looked_at = float("-inf")


def test_the_end_of_the_session_is_the_end(admin: Person, amina: Person, site: Platform) -> None:
    act_as(admin, amina)
    with site.unit_of_work(SYSTEM) as session:
        sessions.revoke_all(session, UUID(admin.id))
    assert admin.get(ME).status_code == 401


@pytest.mark.parametrize("which", ["member", "admin"])
def test_suspending_either_ends_it(
    admin: Person, amina: Person, people: Callable[..., Person], site: Platform, which: str
) -> None:
    people("Admin")
    act_as(admin, amina)
    with site.unit_of_work(SYSTEM) as session:
        standing.suspend(session, SYSTEM, UUID(amina.id if which == "member" else admin.id), reason="x")
        standing.reactivate(session, SYSTEM, UUID(amina.id if which == "member" else admin.id), reason="y")
    with site.unit_of_work(SYSTEM) as session:
        assert ends(session, amina) == ["suspended"]
    assert admin.get(ME).status_code == (200 if which == "member" else 401)
    if which == "member":
        assert who(admin) == admin.id


@pytest.mark.parametrize("how", ["closed", "erased", "ended"])
def test_the_event_says_why_it_ended(admin: Person, amina: Person, site: Platform, how: str) -> None:
    act_as(admin, amina)
    with site.unit_of_work(SYSTEM) as session:
        if how == "closed":
            standing.close(session, SYSTEM, UUID(amina.id), reason="x")
        elif how == "erased":
            erase.erase(session, SYSTEM, erase._ask(session, SYSTEM, UUID(amina.id), timedelta(0), "x").id)
    if how == "ended":
        end(admin)
    with site.unit_of_work(SYSTEM) as session:
        assert ends(session, amina) == [how]


def ends(session: Session, member: Person) -> list[str]:
    """Why each impersonation of a member ended, as it was published."""
    query = select(EventRow.payload["why"].astext).where(EventRow.name == "core.impersonation.ended")
    return list(session.scalars(query.where(EventRow.payload["member_id"].astext == member.id)))


def test_another_admin_sees_it_and_ends_it(admin: Person, amina: Person, people: Callable[..., Person]) -> None:
    act_as(admin, amina)
    other = people("Admin")
    mine = [one for one in other.get("/api/v1/core/impersonations").json["data"] if one["by_member_id"] == admin.id]
    assert [(one["member_id"], one["reason"], one["may_write"]) for one in mine] == [(amina.id, "Ticket 7", False)]
    browser = people("Admin", browser=True)
    page = browser.get("/admin/impersonations").text
    assert "Ticket 7" in page and "Going on" in page
    assert other.delete(f"/api/v1/core/impersonations/{mine[0]['id']}").status_code == 204
    assert other.delete(f"/api/v1/core/impersonations/{mine[0]['id']}").status_code == 404
    assert amina.get("/api/v1/core/impersonations").status_code == 403
    assert who(admin) == admin.id


def test_it_begins_in_a_browser_only(site: Platform, people: Callable[..., Person], amina: Person) -> None:
    client = people("Admin")
    with site.unit_of_work(SYSTEM) as session:
        row = session.scalars(select(MemberSession).where(MemberSession.member_id == UUID(client.id))).one()
        actor = sessions.actor_of(session, session_id=row.id)
        with pytest.raises(SessionRequired):
            impersonation.start(session, actor, UUID(amina.id), reason="x")


def test_of_many_beginnings_in_one_session_one_holds(site: Platform, admin: Person, amina: Person) -> None:
    with site.unit_of_work(SYSTEM) as session:
        row = session.scalars(select(MemberSession).where(MemberSession.member_id == UUID(admin.id))).one()
        actor = sessions.actor_of(session, session_id=row.id)

    def begin(_number: int) -> str:
        try:
            with site.unit_of_work(actor) as session:
                impersonation.start(session, actor, UUID(amina.id), reason="race")
        except DomainError as problem:
            return problem.code
        return "begun"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(begin, range(8)))
    assert sorted(outcomes) == [*["ALREADY_IMPERSONATING"] * 7, "begun"]


def test_signing_out_signs_the_admin_out(admin: Person, amina: Person) -> None:
    act_as(admin, amina)
    assert admin.send("/logout").status_code == 303
    assert admin.get(ME).status_code == 401


def test_one_whose_time_ran_out_is_told_of_once(admin: Person, amina: Person, site: Platform) -> None:
    act_as(admin, amina)
    mine = Impersonation.by_member_id == UUID(admin.id)
    with site.unit_of_work(SYSTEM) as session:
        session.execute(update(Impersonation).where(mine).values(expires_at=now() - timedelta(seconds=1)))
        enqueue(session, SYSTEM, "core.end_impersonations")
        enqueue(session, SYSTEM, "core.end_impersonations")
    while run_next(site.database):
        pass
    with site.unit_of_work(SYSTEM) as session:
        row = session.scalars(select(Impersonation).where(mine)).one()
        assert row.ended_at == row.expires_at
        told = select(EventRow.payload["impersonation_id"].astext).where(EventRow.name == "core.impersonation.ended")
        assert session.scalars(told).all().count(str(row.id)) == 1
        assert who(admin) == admin.id
