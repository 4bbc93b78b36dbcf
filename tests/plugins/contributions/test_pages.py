"""Pages and widgets show what the queries say."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core.platform import Platform
from guildhall import Actor, Member
from plugins.contributions import service

PASSWORD = "correct horse battery"


@pytest.fixture
def page(clients: Any, app: Any) -> Any:
    """Reads a page as a signed-in admin: ``page(url)`` returns its HTML."""
    clients("Admin")
    browser = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert token
    form = {"email": "admin0@example.org", "password": PASSWORD, "csrf_token": token[1]}
    signed = browser.post("/login", data=form)
    assert signed.status_code in (302, 303), signed.text

    def read(url: str) -> str:
        answer = browser.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:2000]}"
        return str(answer.text)

    return read


@pytest.fixture
def made(platform: Platform, system: Actor, page: Any) -> tuple[UUID, UUID]:
    """The admin's id and a contribution of theirs."""
    with platform.unit_of_work(system) as session:
        member_id = session.scalars(select(Member.id)).one()
        found = service.record(
            session, system, member_id=member_id, type="challenge.win", event_key="final", details={"place": 1}
        )
        return member_id, found.id


def test_the_leaderboard_page(page: Any, made: tuple[UUID, UUID]) -> None:
    for query in ("", "?period=month", "?period=week&at=nonsense", "?period=decade"):
        text = page(f"/admin/contributions/leaderboard{query}")
        assert "You are at rank 1 with 100 points." in text
    assert "Nobody has points in this period." in page("/admin/contributions/leaderboard?period=week&at=2001-01-01")


def test_the_list_shows_members_by_name_and_the_record_its_story(page: Any, made: tuple[UUID, UUID]) -> None:
    text = page("/admin/contributions/contribution/list/")
    assert "admin0" in text
    assert "Won a challenge" in text
    text = page(f"/admin/contributions/contribution/{made[1]}")
    for part in (
        "How the points came about",
        "Base",
        "Total",
        "Reported",
        "Progress updated",
        "Milestone reached",
        "place",
        "Won a challenge",
    ):
        assert part in text, part


def test_types_and_milestones_are_listed(page: Any) -> None:
    assert "git.commit" in page("/admin/contributions/type/list/")
    assert "5,000 points" in page("/admin/contributions/milestone/list/")
    assert "/admin/contributions/type/add" in page("/admin/contributions/type/list/")


@pytest.mark.parametrize("name", ["recent", "days", "top"])
def test_widgets_show_with_and_without_contributions(page: Any, platform: Platform, system: Actor, name: str) -> None:
    empty = page(f"/admin/widgets/contributions/{name}")
    assert "could not" not in empty
    with platform.unit_of_work(system) as session:
        member_id = session.scalars(select(Member.id)).one()
        service.record(session, system, member_id=member_id, type="git.commit")
    assert page(f"/admin/widgets/contributions/{name}") != empty


def test_the_member_page_has_our_panel(page: Any, made: tuple[UUID, UUID]) -> None:
    text = page(f"/admin/members/{made[0]}/contributions")
    assert "Best streak, in days" in text
    assert f"/admin/contributions/contribution/{made[1]}" in text
