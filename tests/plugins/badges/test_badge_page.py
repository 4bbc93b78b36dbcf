"""The page of a badge: who holds it, who is nearest, what its criteria were."""

from __future__ import annotations

from typing import Any

import pytest

from core.platform import Platform
from guildhall import Actor
from plugins.badges import service
from plugins.badges.differences import differences
from plugins.badges.nearest import nearest_members

from .conftest import count, held, points


@pytest.fixture
def admin(clients: Any) -> Any:
    return clients("Admin")


def test_the_nearest_are_told_with_what_they_miss(
    platform: Platform, system: Actor, people: Any, badge: Any, contribute: Any, drain: Any, admin: Any
) -> None:
    none, one, three, done = people(4)
    badge("five", count("git.commit", 4))
    for member, number in ((one, 1), (three, 3), (done, 4)):
        for _ in range(number):
            contribute(member, "git.commit")
    drain()
    with platform.unit_of_work(system) as session:
        found = nearest_members(session, service.find(session, "five"))
        assert [member.id for member, _tree in found] == [three, one]
        assert [tree.progress for _member, tree in found] == [7500, 2500]
    page = admin.get("/admin/badges/gallery/five").text
    assert "3 of 4" in page
    assert "of type Commit" in page, "types are told by name"
    assert str(none) not in page


def test_a_needed_badge_is_told_by_name(admin: Any, badge: Any) -> None:
    badge("over", held("winner"), name="Over")
    page = admin.get("/admin/badges/gallery/over").text
    assert "Winner" in page
    tree = admin.get("/admin/badges/tree").text
    assert ">Winner</a>" in tree
    assert ">winner</a>" not in tree


def test_the_history_says_what_each_version_changed(admin: Any, badge: Any) -> None:
    badge("grows", points(10))
    admin.patch("/api/v1/badges/badges/grows", {"criteria": points(20)})
    page = admin.get("/admin/badges/gallery/grows").text
    assert "Version 2" in page
    assert '<span class="gh-diff is-minus">-   &#34;value&#34;: 10' in page
    assert '<span class="gh-diff is-plus">+   &#34;value&#34;: 20' in page
    assert "As it began" in page


def test_differences_leave_out_what_stays() -> None:
    assert differences(None, points(1)) == []
    assert differences(points(1), points(1)) == []
    long = {"all": [points(n) for n in range(20)]}
    marks = [mark for mark, _line in differences(long, {"all": [*long["all"][:19], points(99)]})]
    assert marks.count("+") == marks.count("-") == 1
    assert len(marks) < 12


def test_an_award_says_the_whole_and_the_names(people: Any, contribute: Any, drain: Any, admin: Any) -> None:
    [member] = people()
    contribute(member, "challenge.win")
    drain()
    [award] = [
        one for one in admin.get(f"/api/v1/badges/members/{member}/badges").json["data"] if one["badge"] == "winner"
    ]
    page = admin.get(f"/admin/badges/award/show/{award['id']}").text
    assert "the whole: 1" in page
    assert "Winner of Member 0" in page
