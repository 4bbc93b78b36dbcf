"""The member page in tabs: each loads on its own with few statements, and shows what the reader may see."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event as sa_event

from core.actor import Actor
from core.hookspecs import Panel
from core.members import standing
from core.members.timeline import by_cause, of
from core.platform import Platform
from core.reviews import service as reviews
from plugins.contributions import service as contributions
from tests.core.doors import Person

SYSTEM = Actor.system("test")


@pytest.fixture
def amina(people: Callable[..., Person]) -> Person:
    return people("User", name="Amina Aziz")


def tabs_of(person: Person, path: str) -> dict[str, str]:
    page = person.get(path)
    assert page.status_code == 200, page.text
    bar = re.search(
        r'<nav class="gh-tabs" aria-label="Parts of the (?:member page|record)">(.*?)</nav>', page.text, re.S
    )
    assert bar
    return {
        re.sub("<[^>]+>.*", "", label): url for url, label in re.findall(r'<a href="([^"]+)"[^>]*>(.*?)</a>', bar[1])
    }


def test_an_admin_has_every_tab_and_each_opens(people: Callable[..., Person], amina: Person) -> None:
    admin = people("Admin", browser=True)
    tabs = tabs_of(admin, f"/admin/members/{amina.id}")
    expected = {"Overview", "Progress", "Badges", "Wallet", "Timeline", "Sign-in and access", "Reviews"}
    assert expected | {"Comments", "History", "Personal data"} <= set(tabs)
    for label, url in tabs.items():
        page = admin.get(url)
        assert page.status_code == 200, url
        assert re.search(rf'aria-current="page">{label}', page.text), url
    assert admin.get(f"/admin/members/{amina.id}/nothing").status_code == 404
    assert admin.get("/admin/members/01900000-0000-7000-8000-000000000000/timeline").status_code == 404


def test_a_moderator_sees_only_what_a_moderator_may(
    site: Platform, people: Callable[..., Person], amina: Person
) -> None:
    moderator, admin = people("Moderator", browser=True), people("Admin", browser=True)
    with site.unit_of_work(SYSTEM) as session:
        standing.suspend(session, SYSTEM, UUID(amina.id), reason="Wrote to everybody at night")
    home = f"/admin/members/{amina.id}"
    tabs = tabs_of(moderator, home)
    assert "Personal data" not in tabs and {"Comments", "Timeline", "Reviews"} <= set(tabs)
    assert moderator.get(f"{home}/data").status_code == 403
    access = moderator.get(f"{home}/access").text
    assert (
        "Latest sessions" not in access
        and "Save roles" not in access
        and "Latest sessions" in admin.get(f"{home}/access").text
    )
    for page in (home, f"{home}/timeline"):
        assert "at night" not in moderator.get(page).text
        assert "at night" in admin.get(page).text
    told = moderator.get(f"{home}/timeline").text
    assert "Member suspended" in told  # the event they may see, not the trail


def test_who_sees_no_members_opens_no_tab(people: Callable[..., Person], amina: Person) -> None:
    user, home = people("User", browser=True), f"/admin/members/{amina.id}"
    for part in ("", "/timeline", "/access", "/reviews", "/wallet", "/data"):
        assert user.get(home + part).status_code == 403, part
    assert user.get(f"/admin/core/member/comments/{amina.id}").status_code == 403


def test_ones_own_page_has_no_comments(people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    assert "Comments" not in tabs_of(admin, f"/admin/members/{admin.id}")
    assert admin.get(f"/admin/core/member/comments/{admin.id}").status_code == 403


def test_comments_on_a_member_are_counted_at_the_tab(people: Callable[..., Person], amina: Person) -> None:
    admin = people("Admin", browser=True)
    place = f"/admin/core/member/comments/{amina.id}"
    assert admin.send(place, text="Wrote twice about a lost badge").location == place
    assert re.search(r'Comments<b class="gh-count">1</b>', admin.get(f"/admin/members/{amina.id}").text)


def test_cases_about_the_member_stand_in_their_tab(
    site: Platform, people: Callable[..., Person], amina: Person
) -> None:
    with site.unit_of_work(SYSTEM) as session:
        key = UUID(amina.id)
        reviews.open_review(session, SYSTEM, "library.loan", subject_id=key, title="Lend the atlas", member_id=key)
    assert "Lend the atlas" in people("Admin", browser=True).get(f"/admin/members/{amina.id}/reviews").text


def test_the_timeline_joins_events_and_the_trail_of_one_cause(site: Platform, amina: Person) -> None:
    with site.unit_of_work(SYSTEM) as session:
        standing.suspend(session, Actor.system("first"), UUID(amina.id), reason="One")
        standing.reactivate(session, Actor.system("second"), UUID(amina.id), reason="Two")
    with site.unit_of_work(SYSTEM) as session:
        told = of(session, SYSTEM, UUID(amina.id), limit=50)
        groups = by_cause(told)
        assert [{one.source for one in group} for group in groups[:2]] == [{"event", "audit"}] * 2
        assert groups[0][0].correlation_id != groups[1][0].correlation_id
        rest = of(session, SYSTEM, UUID(amina.id), limit=50, before=told[1].id)
        assert [one.id for one in told[2:]] == [one.id for one in rest]
        assert all(one.event_id for one in told[:4])


MOST = 6
PARTS = ("", "contributions", "badges", "wallet", "timeline", "access", "reviews")


@pytest.mark.parametrize("part", PARTS)
def test_a_tab_asks_little_of_the_database(
    site: Platform, people: Callable[..., Person], amina: Person, part: str
) -> None:
    """Statements of a tab beyond those of a page about nobody, of a member who has done something."""
    with site.unit_of_work(SYSTEM) as session:
        for code in ("git.commit", "challenge.win"):
            contributions.record(session, SYSTEM, member_id=UUID(amina.id), type=code)
    admin = people("Admin", browser=True)
    asked: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    def statements(path: str) -> list[str]:
        admin.get(path)
        asked.clear()
        sa_event.listen(site.database.engine, "before_cursor_execute", count)
        try:
            assert admin.get(path).status_code == 200
        finally:
            sa_event.remove(site.database.engine, "before_cursor_execute", count)
        return list(asked)

    frame = statements("/admin/members/new")
    tab = statements(f"/admin/members/{amina.id}/{part}".rstrip("/"))
    more = [one for one in tab if one not in frame and not one.startswith(("SAVEPOINT", "RELEASE"))]
    assert len(more) <= MOST, "\n".join(more)


def test_a_panel_reads_nothing_before_its_tab_is_opened(
    people: Callable[..., Person], amina: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def load() -> dict[str, Any]:
        read.append("read")
        return {}

    from core.admin import member_tabs

    panel = Panel(title="Late", template="guildhall/missing.html", load=load)
    monkeypatch.setattr(member_tabs, "panels", lambda *_arguments: {"late": [panel]})
    admin = people("Admin", browser=True)
    assert "Late" in tabs_of(admin, f"/admin/members/{amina.id}") and read == []
    assert "This could not be shown" in admin.get(f"/admin/members/{amina.id}/late").text and read == ["read"]
