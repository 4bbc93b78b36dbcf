"""Admins come from the networks that the settings name, by every door; nobody locks themselves out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core import settings
from core.actor import Actor
from core.errors import Invalid
from core.members import api_keys, sessions
from core.members.models import MemberSession
from core.platform import Platform
from core.platform_settings import PlatformSettings
from tests.core.doors import Person

SYSTEM = Actor.system("test")
OFFICE, HOME = "203.0.113.7", "198.51.100.1"


@pytest.fixture
def allow(site: Platform) -> Iterator[Callable[[str], None]]:
    def change(addresses: str) -> None:
        with site.unit_of_work(SYSTEM) as session:
            settings.write(session, SYSTEM, PlatformSettings, {"admin_addresses": addresses})
        site.registry.cache.looked_at = float("-inf")

    yield change
    change("")


def ask(person: Person, path: str, ip: str, **options: Any) -> Any:
    return person.get(path, environ_overrides={"REMOTE_ADDR": ip}, **options)


def test_an_admin_from_elsewhere_is_refused_by_pages_clients_and_keys(
    people: Callable[..., Person], allow: Callable[[str], None], site: Platform
) -> None:
    browser, client, amina = people("Admin", browser=True), people("Admin"), people("User")
    with site.unit_of_work(SYSTEM) as session:
        row = session.scalars(select(MemberSession).where(MemberSession.member_id == UUID(client.id))).one()
        actor = sessions.actor_of(session, session_id=row.id)
        key = {"X-API-Key": api_keys.create(session, actor, name="robot", scopes=["core:read"])[1]}
    allow("203.0.113.0/24")
    robot = people()
    for ip, status in ((OFFICE, 200), (HOME, 403), ("::ffff:203.0.113.9", 200), ("", 403)):
        assert ask(browser, "/admin/core/member/list/", ip).status_code == status, ip
        assert ask(client, "/api/v1/core/me", ip).status_code == status, ip
        assert ask(robot, "/api/v1/core/me", ip, headers=key).status_code == status, ip
        assert ask(amina, "/api/v1/core/me", ip).status_code == 200, ip
    told = ask(client, "/api/v1/core/me", HOME).json["error"]
    assert (told["code"], HOME in told["message"]) == ("ADMIN_ADDRESS_REFUSED", True)
    page = ask(browser, "/profile", HOME)
    assert page.status_code == 403 and "Audit trail" not in page.text


def test_acting_as_a_member_is_no_way_around(people: Callable[..., Person], allow: Callable[[str], None]) -> None:
    admin, amina = people("Admin", browser=True), people("User")
    admin.send(f"/admin/members/{amina.id}/impersonate", reason="x")
    allow("203.0.113.0/24 2001:db8::/32")
    assert ask(admin, "/profile", HOME).status_code == 403
    assert ask(admin, "/profile", "2001:db8::1").status_code == 200


def test_a_rule_that_shuts_out_who_saves_it_is_refused(people: Callable[..., Person], site: Platform) -> None:
    admin = people("Admin", browser=True)
    refused = admin.send("/admin/settings/core", admin_addresses="203.0.113.0/24")
    assert refused.status_code == 422
    assert "This would lock you out" in refused.text
    with site.unit_of_work(SYSTEM) as session:
        assert settings._stored(session, PlatformSettings, "core").admin_addresses == ""


@pytest.mark.parametrize("wrong", ["everywhere", "203.0.113.7/24", "1.2.3.4/33", "10.0.0.0/8;", "::1/129"])
def test_what_is_no_network_is_refused(session: Any, wrong: str) -> None:
    with pytest.raises(Invalid):
        settings.write(session, SYSTEM, PlatformSettings, {"admin_addresses": wrong})


@pytest.mark.parametrize("given", ["203.0.113.7, 10.0.0.0/8", "203.0.113.7 10.0.0.0/8  203.0.113.7/32"])
def test_networks_are_kept_in_one_form(session: Any, given: str) -> None:
    kept = settings.write(session, SYSTEM, PlatformSettings, {"admin_addresses": given})
    assert kept.admin_addresses == "203.0.113.7/32 10.0.0.0/8"
