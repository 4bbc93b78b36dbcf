"""Suspension, closing and coming back; and that an active admin is always left, whoever tries at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from core import roles
from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import DomainError, Invalid, NotFound, Unauthenticated, WhileImpersonating
from core.events.models import EventRow
from core.ids import new_id
from core.members import accounts, api_keys, service, sessions, standing, tokens
from core.members.models import Member, StatusChange
from core.platform import Platform
from tests.core.doors import Person

PASSWORD = "correct horse battery"
SYSTEM = Actor.system("test")


def member(session: Session, *given: str, email: str | None = None, password: str | None = None) -> Member:
    email = email or f"{new_id()}@example.org"
    return service.register(
        session, SYSTEM, email=email, password=password, display_name="Amina", roles=given or ("User",)
    )


def events(session: Session, member_id: UUID) -> list[str]:
    query = select(EventRow.name).where(EventRow.payload["member_id"].astext == str(member_id)).order_by(EventRow.id)
    return list(session.scalars(query))


def test_each_step_keeps_its_reason_and_says_so(session: Session, system: Actor) -> None:
    amina = member(session)
    standing.suspend(session, system, amina.id, reason="  Spam,\n again ")
    standing.reactivate(session, system, amina.id, reason="A mistake")
    standing.close(session, system, amina.id, reason="Asked for it")
    told = [(one.status, one.reason) for one, _by in standing.history(session, amina.id)]
    assert sorted(told) == [("active", "A mistake"), ("closed", "Asked for it"), ("suspended", "Spam, again")]
    assert events(session, amina.id)[1:] == [f"core.member.{what}" for what in ("suspended", "reactivated", "closed")]
    session.flush()
    rows = session.scalars(select(AuditRow).where(AuditRow.subject_id == str(amina.id)).order_by(AuditRow.id)).all()
    assert [row.action for row in rows][-3:] == events(session, amina.id)[1:]
    assert rows[-1].changes == {"status": ["active", "closed"]}


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501, "a\x00b", "\ud800"])
def test_a_reason_is_asked_for(session: Session, system: Actor, reason: str) -> None:
    amina = member(session)
    with pytest.raises(Invalid):
        standing.suspend(session, system, amina.id, reason=reason)
    assert standing.history(session, amina.id) == []


def test_what_is_so_already_is_refused(session: Session, system: Actor) -> None:
    amina = member(session)
    with pytest.raises(standing.StatusUnchanged, match="active already"):
        standing.reactivate(session, system, amina.id, reason="x")
    with pytest.raises(NotFound):
        standing.suspend(session, system, new_id(), reason="x")


def test_sessions_tokens_and_keys_end_at_once_and_stay_ended(session: Session, system: Actor) -> None:
    amina = member(session, "Admin")
    member(session, "Admin")
    row, cookie = sessions.start(session, amina, kind="cookie", ip=None, device=None)
    actor = sessions.actor_of(session, session_id=row.id)
    pair = tokens.issue(session, actor)
    _row, key = api_keys.create(session, actor, name="robot", scopes=["core:read"])
    standing.suspend(session, system, amina.id, reason="x")
    standing.reactivate(session, system, amina.id, reason="y")
    for attempt in (
        lambda: sessions.actor_of(session, token=cookie),
        lambda: sessions.actor_of(session, session_id=tokens.session_of(session, pair["access_token"])),
        lambda: api_keys.actor_of(session, key),
    ):
        with pytest.raises(Unauthenticated):
            attempt()


def test_a_stranger_is_not_told_that_a_suspended_account_exists(session: Session, system: Actor) -> None:
    amina = member(session, password=PASSWORD)
    standing.suspend(session, system, amina.id, reason="x")
    answers = []
    for email in (amina.email or "", f"{new_id()}@example.org"):
        with pytest.raises(service.SignInRefused) as refused:
            service.authenticate(session, system, email=email, password="wrong horse battery")
        answers.append((refused.value.code, refused.value.message))
    assert answers[0] == answers[1]
    with pytest.raises(service.MemberSuspended):  # who has the password is no stranger
        service.authenticate(session, system, email=amina.email or "", password=PASSWORD)
    with pytest.raises(accounts.CannotBeMailed):
        accounts.send_way_in(session, system, amina.id)


@pytest.mark.parametrize("change", [standing.suspend, standing.close])
def test_the_last_active_admin_stays(session: Session, system: Actor, change: Callable[..., Any]) -> None:
    only = member(session, "Admin")
    everybody = select(Member.id).where(Member.id != only.id)
    session.execute(update(Member).where(Member.id.in_(everybody)).values(status="closed"))
    for attempt in (
        lambda: change(session, system, only.id, reason="x"),
        lambda: roles.assign(session, system, only.id, ["User"]),
    ):
        with pytest.raises(roles.LastAdmin), session.begin_nested():
            attempt()
    second = member(session, "Admin")
    change(session, system, only.id, reason="x")
    with pytest.raises(roles.LastAdmin), session.begin_nested():
        change(session, system, second.id, reason="x")


def test_only_an_admin_shuts_out_an_admin(session: Session) -> None:
    admin, amina = member(session, "Admin"), member(session)
    warden = Actor(kind="member", name="Warden", member_id=member(session).id, roles=("Moderator",))
    for attempt in (
        lambda: standing.suspend(session, warden, admin.id, reason="x"),
        lambda: standing.end_sessions(session, warden, admin.id),
        lambda: standing.reset_two_factor(session, warden, admin.id, reason="x"),
    ):
        with pytest.raises(roles.AdminsOnly):
            attempt()
    assert standing.suspend(session, warden, amina.id, reason="x").status == "suspended"


def test_nobody_does_it_in_anothers_name(session: Session) -> None:
    amina = member(session)
    acting = Actor(kind="member", name="Zoe", member_id=new_id(), roles=("Admin",), impersonator=new_id())
    for attempt in (
        lambda: standing.suspend(session, acting, amina.id, reason="x"),
        lambda: roles.assign(session, acting, amina.id, ["Admin"]),
        lambda: roles.create(session, acting, "Auditor"),
        lambda: roles.grant(session, acting, "User", []),
        lambda: service.set_password(session, acting, amina.id, PASSWORD),
        lambda: accounts.send_way_in(session, acting, amina.id),
        lambda: accounts.invite(session, acting, email=None, display_name="Ben", roles=("User",)),
        lambda: acting.require_step_up(),
    ):
        with pytest.raises(WhileImpersonating):
            attempt()


def test_of_admins_who_put_each_other_out_at_once_one_is_left(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        session.execute(update(Member).values(status="closed"))
        admins = [member(session, "Admin").id for _number in range(8)]

    def put_out(number: int) -> str:
        actor = Actor(kind="member", name="Admin", member_id=admins[number], roles=("Admin",))
        victim = admins[(number + 1) % len(admins)]
        try:
            with platform.unit_of_work(actor) as session:
                if number % 3 == 0:
                    roles.assign(session, actor, victim, [])
                elif number % 3 == 1:
                    standing.suspend(session, actor, victim, reason="race")
                else:
                    standing.close(session, actor, victim, reason="race")
        except DomainError as problem:
            return problem.code
        return "done"

    with ThreadPoolExecutor(len(admins)) as threads:
        outcomes = list(threads.map(put_out, range(len(admins))))
    assert sorted(outcomes) == ["LAST_ADMIN", *["done"] * 7]
    with platform.unit_of_work(SYSTEM) as session:
        assert roles._active_admins(session) == 1


def test_of_many_who_suspend_one_member_at_once_one_does(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        amina = member(session).id

    def suspend(_number: int) -> str:
        try:
            with platform.unit_of_work(SYSTEM) as session:
                standing.suspend(session, SYSTEM, amina, reason="race")
        except DomainError as problem:
            return problem.code
        return "done"

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(suspend, range(16)))
    assert sorted(outcomes) == [*["STATUS_UNCHANGED"] * 15, "done"]
    with platform.unit_of_work(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(StatusChange)) == 1


def test_no_other_door_changes_a_status(people: Callable[..., Person]) -> None:
    admin, amina = people("Admin"), people("User")
    patched = admin.patch(f"/api/v1/core/members/{amina.id}", {"status": "suspended"})
    assert (patched.status_code, list(patched.json["error"]["details"])) == (422, ["status"])
    browser = people("Admin", browser=True)
    browser.send(f"/admin/core/member/edit/{amina.id}", status="suspended", display_name="Amina", tier="free")
    assert admin.get(f"/api/v1/core/members/{amina.id}").json["data"]["status"] == "active"


def test_clients_do_it_all(people: Callable[..., Person]) -> None:
    admin, amina = people("Admin"), people("User")
    home = f"/api/v1/core/members/{amina.id}"
    assert admin.post(f"{home}/suspend", {}).status_code == 422
    assert amina.post(f"{home}/suspend", {"reason": "x"}).status_code == 403
    assert len(admin.get(f"{home}/sessions").json["data"]) == 1
    assert admin.delete(f"{home}/sessions/{new_id()}").status_code == 404
    assert admin.delete(f"{home}/sessions").status_code == 204
    assert amina.get("/api/v1/core/me").status_code == 401
    assert admin.post(f"{home}/suspend", {"reason": "Spam"}).json["data"]["status"] == "suspended"
    assert admin.post(f"{home}/suspend", {"reason": "Spam"}).json["error"]["code"] == "STATUS_UNCHANGED"
    assert admin.post(f"{home}/reactivate", {"reason": "Sorry"}).json["data"]["status"] == "active"
    assert admin.post(f"{home}/send-link").status_code == 202
    given = admin.open("PUT", f"{home}/roles", {"roles": ["User", "Moderator"], "reason": "Helps"})
    assert given.json["data"] == {"roles": ["Moderator", "User"]}
    assert admin.post(f"{home}/reset-two-factor", {"reason": "Lost"}).json["error"]["code"] == "TWO_FACTOR_OFF"
    assert admin.post(f"{home}/close", {"reason": "Left"}).json["data"]["status"] == "closed"
    made = admin.post("/api/v1/core/members", {"display_name": "Without mail"})
    assert (made.status_code, made.json["data"]["email"]) == (201, None)


def test_a_role_change_keeps_its_reason(session: Session, system: Actor) -> None:
    amina = member(session)
    roles.assign(session, system, amina.id, ["User", "Moderator"], reason="Helps on Fridays")
    session.flush()
    query = text("SELECT count(*) FROM core_audit WHERE subject_id = :id AND action = 'core.member.roles_changed'")
    assert session.scalar(query.params(id=str(amina.id))) == 1
