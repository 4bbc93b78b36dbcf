"""Two people with the same form open: nobody's work is lost unseen. And what a form is opened with."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.fab.test_record_forms import book_of, form_of, traces
from tests.core.fab.test_record_history import changed, made
from tests.core.library import Author, Book

BASE = "/admin/library/book"


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True, name="Ada Adams")


@pytest.fixture
def other(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True, name="Bo Berg")


def test_who_saves_second_sees_what_the_first_one_did_and_loses_nothing(
    site: Platform, admin: Person, other: Person
) -> None:
    key = made(admin, price="1000", about="old")
    mine = form_of(admin, f"{BASE}/edit/{key}") | {"title": "My title", "price": "1500"}
    changed(other, key, title="Their title", about="theirs")
    page = admin.post(f"{BASE}/edit/{key}", data=mine)
    assert page.status_code == 200 and "was changed while you had it open" in page.text
    assert "Bo Berg" in page.text and "Their title" in page.text
    assert (book_of(site, key).title, book_of(site, key).price) == ("Their title", 1000)
    again = sent_back(page)
    assert (again["title"], again["price"], again["about"]) == ("My title", "1500", "theirs")
    assert admin.post(f"{BASE}/edit/{key}", data=again).status_code == 302
    book = book_of(site, key)
    assert (book.title, book.price, book.about) == ("My title", 1500, "theirs")


def sent_back(page: Any) -> dict[str, str]:
    class Shown:
        status_code = 200
        text = page.text

    class Once:
        def get(self, _path: str) -> Any:
            return Shown

    return form_of(Once(), "")  # type: ignore[arg-type]


def test_the_same_form_sent_twice_is_saved_once_and_is_no_conflict(site: Platform, admin: Person) -> None:
    key = made(admin)
    mine = form_of(admin, f"{BASE}/edit/{key}") | {"title": "Twice"}
    assert [admin.post(f"{BASE}/edit/{key}", data=mine).status_code for _ in range(2)] == [302, 302]
    assert traces(site, key)[0].count("library.book.updated") == 1


def test_of_many_who_save_at_once_one_saves_and_all_others_are_shown_it(
    site: Platform, people: Callable[..., Person], admin: Person
) -> None:
    key = made(admin)
    everybody = [people("Admin", browser=True, name=f"Admin {number}") for number in range(8)]
    forms = [form_of(one, f"{BASE}/edit/{key}") | {"title": f"Title {number}"} for number, one in enumerate(everybody)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one, form: one.post(f"{BASE}/edit/{key}", data=form), everybody, forms))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [302]
    [first] = [number for number, answer in enumerate(answers) if answer.status_code == 302]
    assert book_of(site, key).title == f"Title {first}"


@pytest.mark.parametrize("token", ["", "x", "W10=", "bnVsbA==", "WzEsIDJd", "9" * 5000])
def test_a_forged_note_of_what_was_seen_breaks_nothing(admin: Person, token: str) -> None:
    key = made(admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"title": "Mine", "_seen": token}
    assert admin.post(f"{BASE}/edit/{key}", data=sent).status_code in (200, 302)


def test_errors_stand_at_the_field_and_on_top_with_a_link(admin: Person) -> None:
    key = made(admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"title": "", "price": "x"}
    page = admin.post(f"{BASE}/edit/{key}", data=sent).text
    assert "2 fields need your attention" in page
    assert 'href="#title"' in page and 'href="#price"' in page
    assert re.search(r'<input[^>]*id="title"[^>]*aria-invalid="true"', page)


def test_related_records_have_a_tab_with_a_way_to_add_one(site: Platform, admin: Person) -> None:
    with site.unit_of_work() as session:
        session.add(author := Author(name=f"Ursula {new_id().hex[-6:]}"))
        session.flush()
        written = {"owner_id": admin.id, "author_id": author.id}
        session.add_all([Book(**written, title=f"Volume {number}", shelf=number) for number in range(22)])
    page = admin.get(f"/admin/library/author/show/{author.id}").text
    related = f"/admin/library/author/related/{author.id}/0"
    assert f'href="{related}"' in page
    rows = admin.get(related).text
    assert "Volume 21" in rows and "Volume 1<" not in rows  # in the order of their list, twenty of them
    add = re.search(r'href="(/admin/library/book/add\?author_id=[^"]+)"', rows)
    assert add
    form = form_of(admin, html.unescape(add[1]))
    assert form["author_id"] == str(author.id)
    assert admin.get(f"/admin/library/author/related/{author.id}/7").status_code == 404


def test_a_form_is_filled_by_its_address_with_what_it_can_read(admin: Person) -> None:
    form = form_of(admin, f"{BASE}/add?title=Given&copies=x&author_id=nobody&state=lost&owner_id=x")
    assert (form["title"], form["author_id"], form["state"]) == ("Given", "", "lost")
