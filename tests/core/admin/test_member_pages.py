"""The admin's page of a member: made, suspended, let back in, with the mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core import access
from core.actor import Actor
from core.audit.trail import record
from core.events.models import EventRow
from core.members.models import Credential, Member
from core.platform import Platform
from tests.core.doors import Person

SYSTEM = Actor.system("test")


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    people("Admin")  # another one, so that nobody is the last
    return people("Admin", browser=True)


def names(site: Platform, member_id: str) -> list[str]:
    with site.unit_of_work(SYSTEM) as session:
        query = select(EventRow.name).where(EventRow.payload["member_id"].astext == member_id).order_by(EventRow.id)
        return list(session.scalars(query))


def test_a_member_is_made_and_invited(admin: Person, site: Platform) -> None:
    assert 'href="/admin/members/new"' in admin.get("/admin/core/member/list/").text
    email = f"zoe-{admin.id}@example.org"
    made = admin.send("/admin/members/new", display_name="Zoë", email=email, role=["User", "Moderator"])
    member_id = made.location.rsplit("/", 1)[1]
    assert names(site, member_id) == ["core.member.registered", "core.member.verification_requested"]
    assert "is mailed a link" in admin.get(made.location).text
    with site.unit_of_work(SYSTEM) as session:
        member = session.get_one(Member, UUID(member_id))
        assert access.roles_of(session, member.user_id or 0) == ("Moderator", "User")
        assert session.get(Credential, member.id) is None
    again = admin.send("/admin/members/new", display_name="Zoë", email=email.upper(), role="User")
    assert again.status_code == 409
    assert "There is already an account" in again.text and email.upper() in again.text


def test_a_member_without_an_address_gets_no_mail(admin: Person, site: Platform) -> None:
    made = admin.send("/admin/members/new", display_name="Wallet only", email=" ", role="User")
    assert names(site, made.location.rsplit("/", 1)[1]) == ["core.member.registered"]
    page = admin.get(made.location).text
    assert "there is no link to be sent" in page and "Send a link to a password" not in page


@pytest.mark.parametrize("wrong", [{"display_name": ""}, {"email": "nobody"}, {"role": "Emperor"}])
def test_what_is_wrong_is_said_at_its_field(admin: Person, wrong: dict[str, Any]) -> None:
    refused = admin.send("/admin/members/new", **{"display_name": "Zoë", "email": "", "role": "User", **wrong})
    assert refused.status_code == 422
    assert 'class="invalid-feedback' in refused.text or 'aria-invalid="true"' in refused.text


def test_who_may_not_does_not(people: Callable[..., Person]) -> None:
    moderator, amina = people("User", "Moderator", browser=True), people("User")
    home = f"/admin/members/{amina.id}"
    assert moderator.get("/admin/members/new").status_code == 403
    for path in ("/status/suspended", "/link", "/sessions/revoke", "/two-factor/reset", "/impersonate"):
        assert moderator.send(home + path, reason="x").status_code == 403, path
    page = moderator.get(home).text
    assert page and 'data-dialog="status-suspended"' not in page and 'data-dialog="impersonate"' not in page


def test_a_member_is_suspended_and_let_back_in(admin: Person, people: Callable[..., Person], site: Platform) -> None:
    amina = people("User")
    home = f"/admin/members/{amina.id}"
    admin.send(f"{home}/status/suspended", reason="")
    assert "Say why; it stands in the audit trail." in admin.get(home).text
    admin.send(f"{home}/status/suspended", reason="Spam in <b>chat</b>")
    page = admin.get(home).text
    assert "Spam in &lt;b&gt;chat&lt;/b&gt;" in page and 'data-dialog="status-active"' in page
    assert amina.get("/api/v1/core/me").status_code == 401
    admin.send(f"{home}/status/active", reason="Sorry")
    assert names(site, amina.id) == ["core.member.suspended", "core.member.reactivated"]
    admin.send(f"{home}/link")
    assert "A mail with a link" in admin.get(home).text
    assert admin.send(f"{home}/status/asleep", reason="x").status_code == 404


def test_one_session_is_ended(admin: Person, people: Callable[..., Person], site: Platform) -> None:
    amina = people("User", browser=True)
    home = f"/admin/members/{amina.id}"
    page = admin.get(f"{home}/access").text
    [one] = {part.split("/revoke")[0] for part in page.split(f"{home}/sessions/")[1:] if not part.startswith("revoke")}
    admin.send(f"{home}/sessions/{one}/revoke")
    assert amina.get("/api/v1/core/me").status_code == 401


def test_roles_are_changed_with_a_reason(admin: Person, people: Callable[..., Person]) -> None:
    amina = people("User")
    admin.send(f"/admin/access/members/{amina.id}", role=["User", "Moderator"], reason="Helps on Fridays")
    trail = admin.get(f"/admin/audit?subject_id=core.member+{amina.id}").text
    assert "core.member.roles_changed" in trail


def test_a_form_that_was_sent_too_late_leads_back_to_its_page(people: Callable[..., Person], web: Any) -> None:
    """Where the session has ended, signing in leads to the form's page, not to an address that takes POST alone."""
    amina = people("User", browser=True)
    csrf = amina.csrf
    with amina.http.session_transaction() as cookie:
        cookie["sid"] = "ended"
    sent = {"csrf_token": csrf, "reason": "x"}
    page = {"Referer": "http://localhost/profile?tab=1"}
    late = amina.http.post("/profile/sessions/revoke-others", data=sent, headers=page)
    assert late.location == "/login?next=/profile"
    for referrer in ("http://elsewhere.example/profile", "http://localhost/profile/sessions/revoke-others", ""):
        again = amina.http.post("/profile/sessions/revoke-others", data=sent, headers={"Referer": referrer})
        assert again.location == "/login?next=/", referrer
    assert amina.http.get("/profile?tab=1").location == "/login?next=/profile?tab%3D1"


def test_the_trail_tells_members_in_changes_by_name_to_who_may_see_them(
    admin: Person, site: Platform, people: Callable[..., Person]
) -> None:
    amina = people("User", name="Amina Diallo")
    with site.unit_of_work(SYSTEM) as session:
        changes = {"author_id": [None, str(amina.id)], "note": [None, "01a1fb4b"], "id": [None, str(amina.id)]}
        record(session, SYSTEM, "core.test", subject_type="core.test", subject_id=amina.id, changes=changes)
    page = admin.get(f"/admin/audit?subject_id={amina.id}").text
    assert "<b>Amina Diallo</b>" in page
    assert f"<b>{amina.id}</b>" not in page
