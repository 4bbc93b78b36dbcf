"""Saved views: a list's address under a name, for oneself or for all; and the columns one wants to see."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from core.lists.models import SavedView
from core.lists.state import ListState
from core.platform import Platform
from tests.core.doors import Person
from tests.core.lists.conftest import LIST, LISTS, titles, write


def heads(answer: Any) -> list[str]:
    found = re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', answer.text)
    return [text.strip() for text in found]


def tabs(answer: Any) -> list[str]:
    [bar] = re.findall(r'<nav class="gh-tabs" aria-label="Saved views">(.*?)</nav>', answer.text, re.DOTALL)
    return re.findall(r"<a [^>]*>([^<]+)", bar)


def save(person: Person, name: str, query: str, **options: str) -> str:
    """Save a view; returns its id."""
    answer = person.send(f"{LISTS}/views", name=name, query=query, **options)
    assert answer.status_code == 303, answer.text[:2000]
    found = re.search(r"view=([0-9a-f-]{36})", answer.location)
    assert found, answer.location
    return found[1]


def test_a_view_is_an_address_with_a_name(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "new one", shelf=shelf)
    write(site, admin, "used one", shelf=shelf, state="used")
    key = save(admin, "Used here", f"_flt_2_shelf={shelf}&_flt_0_state=used&cols=title,shelf")
    answer = admin.get(f"{LIST}?view={key}")
    assert answer.status_code == 302
    shown = admin.get(answer.location)
    assert titles(shown) == ["used one"]
    assert heads(shown) == ["Title", "Shelf"]
    assert tabs(shown) == ["All", "Used here"]


def test_what_opens_first_is_ones_own_choice(site: Platform, admin: Person, shelf: int) -> None:
    key = save(admin, "Mine", f"_flt_2_shelf={shelf}", first="1")
    assert f"view={key}" in admin.get(LIST).location
    assert admin.get(f"{LIST}?view=all").status_code == 200
    assert admin.send(f"{LISTS}/views/none/first").status_code == 303
    assert admin.get(LIST).status_code == 200


def test_a_shared_view_is_seen_by_all_and_changed_by_its_owner(
    people: Callable[..., Person], admin: Person, shelf: int
) -> None:
    other = people("Moderator", browser=True)
    key = save(admin, f"Shared {shelf}", f"_flt_2_shelf={shelf}", shared="1")
    hidden = save(admin, f"Own {shelf}", f"_flt_2_shelf={shelf}")
    shown = tabs(other.get(f"{LIST}?view=all"))
    assert f"Shared {shelf}" in shown and f"Own {shelf}" not in shown
    assert other.send(f"{LISTS}/views/{key}", name="Stolen").status_code == 404
    assert other.send(f"{LISTS}/views/{key}/delete").status_code == 404
    assert other.send(f"{LISTS}/views/{hidden}/first").status_code == 404
    assert other.send(f"{LISTS}/views/{key}/first").status_code == 303
    assert admin.send(f"{LISTS}/views/{key}", shared="no").status_code == 303
    assert f"Shared {shelf}" not in tabs(other.get(f"{LIST}?view=all"))
    assert other.get(LIST).status_code == 200  # what opened first is no longer theirs to see


def test_sharing_takes_a_permission(people: Callable[..., Person]) -> None:
    moderator = people("Moderator", browser=True)
    assert moderator.send(f"{LISTS}/views", name="For all", query="", shared="1").status_code == 303
    assert "For all" not in tabs(moderator.get(f"{LIST}?view=all"))
    key = save(moderator, "For me", "_flt_0_state=used")
    assert moderator.send(f"{LISTS}/views/{key}", shared="yes").status_code == 303
    assert "shared" not in moderator.get(f"{LIST}?view=all").text.split("</nav>")[0]


def test_a_view_is_renamed_updated_and_deleted(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "new one", shelf=shelf)
    key = save(admin, "First name", f"_flt_2_shelf={shelf}&_flt_0_state=lost")
    admin.send(f"{LISTS}/views/{key}", name="Second name")
    admin.send(f"{LISTS}/views/{key}", query=f"_flt_2_shelf={shelf}&_flt_0_state=new")
    shown = admin.get(admin.get(f"{LIST}?view={key}").location)
    assert titles(shown) == ["new one"] and tabs(shown) == ["All", "Second name"]
    admin.send(f"{LISTS}/views/{key}/delete")
    assert tabs(admin.get(f"{LIST}?view={key}")) == ["All"]


def test_a_changed_state_says_so(admin: Person, shelf: int) -> None:
    key = save(admin, "Mine", f"_flt_2_shelf={shelf}&cols=title")
    as_saved = admin.get(admin.get(f"{LIST}?view={key}").location).text
    changed = admin.get(f"{LIST}?_flt_2_shelf={shelf}&_flt_0_state=new&cols=title&view={key}").text
    assert "Update view" not in as_saved and "Update view" in changed


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "\x00"])
def test_a_view_takes_a_name(admin: Person, name: str) -> None:
    answer = admin.send(f"{LISTS}/views", name=name, query="q=a")
    assert answer.status_code == 303 and "view=" not in answer.location


def test_a_name_is_taken_once_by_whoever_comes_first(site: Platform, admin: Person) -> None:
    assert admin.csrf

    def make(number: int) -> int:
        browser = Person(admin.http.application, admin.member)
        browser.http, browser._csrf = admin.http.application.test_client(), admin.csrf
        with admin.http.session_transaction() as cookie:
            kept = dict(cookie)
        with browser.http.session_transaction() as mine:
            mine.update(kept)
        return int(browser.send(f"{LISTS}/views", name="Once", query=f"_flt_2_shelf={number}").status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(make, range(16))) == {303}
    with site.unit_of_work() as session:
        own = sa.select(sa.func.count()).where(SavedView.member_id == admin.id, SavedView.name == "Once")
        assert session.scalar(own) == 1


def test_columns_are_kept_until_they_are_reset(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "a", shelf=shelf)
    before = heads(admin.get(f"{LIST}?_flt_2_shelf={shelf}"))
    admin.send(f"{LISTS}/columns", column=["shelf", "title", "copies"], dense="yes")
    answer = admin.get(f"{LIST}?_flt_2_shelf={shelf}")
    assert heads(answer) == ["Shelf", "Title", "Copies"] and "gh-table is-dense" in answer.text
    admin.send(f"{LISTS}/columns", column=["password_hash", "owner_id.email"])
    assert heads(admin.get(f"{LIST}?_flt_2_shelf={shelf}")) == ["Shelf", "Title", "Copies"]
    admin.send(f"{LISTS}/columns/reset")
    assert heads(admin.get(f"{LIST}?_flt_2_shelf={shelf}")) == before


def test_what_a_list_no_longer_has_is_passed_over_and_told(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "a", shelf=shelf)
    answer = admin.get(f"{LIST}?_flt_2_shelf={shelf}&_flt_0_gone=x&cols=title,gone,user.password")
    assert heads(answer) == ["Title"] and titles(answer) == ["a"]
    assert "no longer has (gone)" in answer.text


def test_a_state_says_the_same_again(site: Platform) -> None:
    bound = site.registry.resources["library.book"]
    query = (
        "_flt_0_state=new&_flt_0_state=used&_flt_0_lent_at=7days&q=ab&_oc_LibraryBookView=shelf&_od_LibraryBookView=asc"
    )
    state = ListState.of(bound, f"{query}&cols=title%2Cshelf&page_LibraryBookView=3&unheard=of")
    again = ListState.of(bound, state.query)
    assert again.query == state.query and set(again.filters) == set(state.filters)
    assert "page" not in state.query and "unheard" not in state.query


def test_the_palette_finds_views(people: Callable[..., Person], admin: Person, shelf: int) -> None:
    key = save(admin, f"Zebra {shelf}", f"_flt_2_shelf={shelf}")
    hits = admin.get("/admin/search?q=zebra").json
    assert [hit["url"] for hit in hits if hit["label"] == f"Zebra {shelf}"] == [f"{LIST}?view={key}"]
    assert not [
        hit for hit in people("Moderator", browser=True).get("/admin/search?q=zebra").json if str(shelf) in hit["label"]
    ]


def test_who_may_not_open_a_list_reaches_nothing_behind_it(people: Callable[..., Person]) -> None:
    user = people("User", browser=True)
    home = "/admin/lists/library.author"
    for path in ("/views", "/columns", "/columns/reset", "/bulk"):
        assert user.send(home + path, name="x", what="delete", column="name").status_code == 403
    assert user.get(f"{home}/export").status_code == 403
    assert user.get("/admin/lists/unheard.of/export").status_code == 404
    assert user.send(f"{LISTS}/views", name="Own", query="q=a").status_code == 303  # their own books they may list
    assert user.get(f"{LISTS}/export").status_code == 403
