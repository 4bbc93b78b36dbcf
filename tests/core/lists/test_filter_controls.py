"""The filters of a list page: what they offer, what they say is active, and how each is taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape

import pytest

from core.lists.conditions import SPANS, typed_value
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Author, Book
from tests.core.lists.conftest import LIST, LISTS, titles, write


def pills(text: str) -> dict[str, str]:
    """What each active filter says, and the address that takes it away."""
    found = re.findall(r'<span class="gh-pill is-on">.*?<b>(.*?)</b>.*?<a href="([^"]+)"', text, re.DOTALL)
    return {unescape(said): unescape(address) for said, address in found}


def test_an_active_filter_says_so_and_is_taken_away_alone(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "a", shelf=shelf)
    write(site, admin, "b", shelf=shelf, state="lost")
    sort = "_oc_LibraryBookView=shelf&_od_LibraryBookView=asc"
    query = f"_flt_2_shelf={shelf}&_flt_0_state=used&_flt_0_state=lost&q=b&{sort}"
    shown = admin.get(f"{LIST}?{query}")
    active = pills(shown.text)
    assert set(active) == {str(shelf), "Used, Lost"}
    less = admin.get(active["Used, Lost"])
    assert titles(less) == ["b"] and set(pills(less.text)) == {str(shelf)}
    assert "_od_LibraryBookView=asc" in active["Used, Lost"] and "q=b" in active["Used, Lost"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("_flt_0_lent_at=7days", "7 days"),
        ("_flt_0_lent_at=2024-01-01&_flt_1_lent_at=2024-02-01", "from Jan 1, 2024, before Feb 1, 2024"),
        ("_flt_0_copies=3&_flt_1_copies=7", "at least 3, at most 7"),
        ("_flt_0_lent=n", "No"),
        ("_flt_3_price=y", "is empty"),
        ("_flt_1_state=used", "is not Used"),
        ("_flt_0_title=ab", "starts with ab"),
    ],
)
def test_a_filter_is_told_in_words(admin: Person, query: str, said: str) -> None:
    assert said in pills(admin.get(f"{LIST}?{query}").text)


def test_what_a_control_cannot_show_is_carried_along(admin: Person) -> None:
    text = admin.get(f"{LIST}?_flt_1_state=used").text
    assert '<input type="hidden" name="_flt_1_state" value="used">' in text


def test_spans_begin_at_midnight_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.lists.conditions.now", lambda: datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    began = {word: typed_value(Book.lent_at, word) for word in SPANS}
    assert began == {
        "today": datetime(2026, 3, 9, tzinfo=UTC),
        "7days": datetime(2026, 3, 3, tzinfo=UTC),
        "month": datetime(2026, 3, 1, tzinfo=UTC),
    }


def test_a_reference_is_searched_by_two_letters_and_by_permission(
    site: Platform, people: Callable[..., Person], admin: Person, shelf: int
) -> None:
    with site.unit_of_work() as session:
        author = Author(name=f"Quill {shelf}")
        session.add(author)
        session.flush()
        session.add(Book(owner_id=admin.id, title="by quill", shelf=shelf, author_id=author.id))
    find = f"{LISTS}/lookup/author_id"
    assert admin.get(f"{find}?q=q").json == []
    assert admin.get(f"{find}?q=quill {shelf}").json == [{"value": str(author.id), "text": f"Quill {shelf}"}]
    assert admin.get(f"{find}?q=%00%25").json == []
    shown = admin.get(f"{LIST}?_flt_0_author_id={author.id}")
    assert titles(shown) == ["by quill"] and f"Quill {shelf}" in pills(shown.text)
    reader = people("User", browser=True)  # may list their own books, and no authors
    assert reader.get(f"{find}?q=quill").status_code == 404
    assert f"Quill {shelf}" not in reader.get(f"{LIST}?_flt_0_author_id={author.id}").text
    assert admin.get(f"{LISTS}/lookup/title?q=ab").status_code == 404
    assert admin.get(f"{LISTS}/lookup/unheard?q=ab").status_code == 404


def test_members_are_found_for_who_may_list_them(site: Platform, people: Callable[..., Person], admin: Person) -> None:
    find = "/admin/lists/contributions.contribution/lookup/member_id"
    name = f"Xerxes {admin.id[-6:]}"
    other = people("User", name=name)
    found = admin.get(f"{find}?q={name[:12]}").json
    assert {"value": other.id, "text": name} in found
    assert people("User", browser=True).get(f"{find}?q=xerxes").status_code == 404


def test_an_empty_list_offers_two_ways_on(admin: Person) -> None:
    text = admin.get(f"{LIST}?_flt_2_copies=987654").text
    [shown] = re.findall(r'<div class="gh-empty-actions">(.*?)</div>', text, re.DOTALL)
    assert re.findall(r"<span>([^<]+)</span>", shown) == ["Clear filters", "Add"]
