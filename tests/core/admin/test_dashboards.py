"""Everybody arranges the dashboard for themselves; a widget that fails costs nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from core.platform import Platform
from tests.core.doors import Person

RETENTION = "report:contributions.retention"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


@pytest.fixture
def roles(site: Platform) -> Iterator[None]:
    yield
    with site.unit_of_work() as session:
        session.execute(text("DELETE FROM core_dashboard WHERE role IS NOT NULL"))


def fetched(person: Person) -> list[str]:
    """The widgets that the dashboard fetches, in order."""
    return [one.replace("&amp;", "&") for one in re.findall(r'hx-get="([^"]+)"', person.get("/").text)]


def arrange(person: Person, *widgets: tuple[str, str, str], **more: str) -> None:
    form = {name: [one[place] for one in widgets] for place, name in enumerate(("key", "size", "period"))}
    assert person.send("/admin/dashboard", **form, **more).status_code == 303


def test_it_begins_with_every_plugins_widgets_and_no_report(admin: Person) -> None:
    assert "/admin/widgets/core/members" in fetched(admin) and "/report/" not in "".join(fetched(admin))


def test_widgets_are_ordered_sized_added_removed_and_reset(admin: Person) -> None:
    first = fetched(admin)
    arrange(admin, (RETENTION, "full", "last_year"), ("core.deliveries", "full", ""), ("core.members", "kpi", ""))
    assert fetched(admin) == [
        "/admin/widgets/report/contributions/retention?size=full&period=last_year",
        "/admin/widgets/core/deliveries",
        "/admin/widgets/core/members",
    ]
    assert 'class="gh-dash-item is-full"' in admin.get("/").text
    admin.send("/admin/dashboard/reset")
    assert fetched(admin) == first


def test_it_is_each_ones_own(admin: Person, people: Callable[..., Person]) -> None:
    arrange(admin, ("core.members", "kpi", ""))
    assert len(fetched(people("Admin", browser=True))) > 1


def test_what_is_added_stays_among_the_others(admin: Person) -> None:
    arrange(admin, ("core.members", "kpi", ""), add=RETENTION)
    page = admin.get("/admin/dashboard").text
    assert re.findall(r'name="key" value="([^"]+)"', page) == ["core.members", RETENTION]


def test_nonsense_is_left_out(admin: Person) -> None:
    arrange(
        admin,
        ("nobody.knows", "half", ""),
        ("report:core.nothing", "half", ""),
        (RETENTION, "huge", "eternity"),
        ("core.members", "full", "x"),
    )
    assert fetched(admin) == [
        "/admin/widgets/report/contributions/retention?size=half&period=30_days",
        "/admin/widgets/core/members",
    ]


def test_too_many_are_refused(admin: Person) -> None:
    arrange(admin, *[(RETENTION, "half", "")] * 41)
    assert "holds at most 40 widgets" in admin.get("/admin/dashboard").text
    assert len(fetched(admin)) < 40


def test_a_role_begins_with_what_it_is_given_until_its_members_arrange_their_own(
    admin: Person, people: Callable[..., Person], roles: None
) -> None:
    arrange(admin, ("core.members", "kpi", ""), (RETENTION, "half", "90_days"), role="Moderator")
    moderator = people("Moderator", browser=True)
    assert fetched(moderator) == [
        "/admin/widgets/core/members",
        "/admin/widgets/report/contributions/retention?size=half&period=90_days",
    ]
    arrange(moderator, ("core.deliveries", "half", ""))
    assert fetched(moderator) == ["/admin/widgets/core/deliveries"]
    assert moderator.send("/admin/dashboard", key="core.members", size="kpi", role="User").status_code == 403


def test_a_report_is_pinned_from_its_page(admin: Person) -> None:
    assert admin.send("/admin/reports/core/new_members/pin", period="90_days").status_code == 303
    url = "/admin/widgets/report/core/new_members?size=half&period=90_days"
    assert fetched(admin)[-1] == url
    assert "data-chart" in admin.get(url).text
    figure = admin.get("/admin/widgets/report/core/new_members?size=kpi&period=7_days").text
    assert "New members · Joined" in figure and "gh-kpi-value" in figure


def test_an_error_stays_with_its_widget(admin: Person) -> None:
    answer = admin.get("/admin/widgets/library/broken")
    assert answer.status_code == 200 and "This could not be loaded." in answer.text
    assert admin.get("/").status_code == 200


def test_a_widget_that_may_not_be_seen_is_not_there(people: Callable[..., Person]) -> None:
    moderator = people("Moderator", browser=True)
    assert moderator.get("/admin/widgets/nobody/knows").status_code == 404
    assert moderator.get("/admin/widgets/report/nobody/knows").status_code == 404
    assert people("User", browser=True).get("/admin/dashboard").status_code == 403
