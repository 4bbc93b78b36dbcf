"""A plugin that is off is nowhere to be seen, and comes back whole."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from core.platform import Platform
from tests.core.doors import Person

Switch = Callable[[str, bool], None]
PATHS = ("/api/v1/library/books", "/admin/library/book/list/", "/admin/library/stamps", "/admin/library/book/add")


@pytest.mark.parametrize("path", PATHS)
def test_its_addresses_are_not_found_until_it_is_on_again(
    people: Callable[..., Person], switch: Switch, path: str
) -> None:
    admin = people("Admin")
    assert admin.get(path).status_code == 200
    switch("library", False)
    assert admin.get(path).status_code == 404
    switch("library", True)
    assert admin.get(path).status_code == 200


def test_not_even_who_may_not_hears_that_it_is_there(people: Callable[..., Person], switch: Switch) -> None:
    switch("library", False)
    assert people("").get("/admin/library/book/list/").status_code == 404
    assert people().get("/api/v1/library/books").status_code == 404


def test_its_entries_leave_the_sidebar_and_return(people: Callable[..., Person], switch: Switch) -> None:
    admin = people("Admin", browser=True)
    shown = re.compile(r'href="/admin/library/(?:stamps|book/list/)"')
    assert len(set(shown.findall(admin.get("/admin/plugins").text))) == 2
    switch("library", False)
    assert not shown.search(admin.get("/admin/plugins").text)
    switch("library", True)
    assert shown.search(admin.get("/admin/plugins").text)


def test_its_widgets_leave_the_dashboard(people: Callable[..., Person], switch: Switch) -> None:
    admin = people("Admin", browser=True)
    assert "/admin/widgets/library/broken" in admin.get("/").text
    switch("library", False)
    assert "/admin/widgets/library/broken" not in admin.get("/").text
    assert admin.get("/admin/widgets/library/broken").status_code == 404


def test_an_admin_turns_it_off_by_the_form(site: Platform, people: Callable[..., Person], switch: Switch) -> None:
    admin = people("Admin", browser=True)
    switch("library", True)
    assert admin.send("/admin/plugins/library/toggle", enabled="no", reason="stocktaking").status_code == 303
    site.registry.cache.looked_at = float("-inf")
    try:
        assert admin.get(PATHS[0]).status_code == 404
    finally:
        switch("library", True)


def test_a_broken_widget_is_a_card_that_says_so(people: Callable[..., Person]) -> None:
    answer = people("Admin", browser=True).get("/admin/widgets/library/broken")
    assert answer.status_code == 200 and "the message of the exception" not in answer.text


def test_the_sidebar_shows_what_one_may_open(people: Callable[..., Person]) -> None:
    page = people("User", browser=True).get("/profile").text
    assert 'href="/admin/library/stamps"' in page
    assert 'href="/admin/library/book/list/"' not in page and 'href="/admin/audit"' not in page
