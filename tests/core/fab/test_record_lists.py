"""Generated lists: quick, filtered by the address, and broken by nothing in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from core.ids import new_id
from core.lists.columns import sorts
from core.lists.reading import COUNT_CAP
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import FILTERS, Author, Book

LIST = "/admin/library/book/list/"
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def shelf() -> int:
    return new_id().int >> 70


@contextmanager
def counted(site: Platform) -> Iterator[list[str]]:
    """The SQL statements that are sent meanwhile."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(site.database.engine, "before_cursor_execute", note)


def write(site: Platform, owner: Person, *titles: str, **values: Any) -> None:
    with site.unit_of_work() as session:
        session.add_all(Book(owner_id=owner.id, title=title, **values) for title in titles)


def titles(answer: Any) -> list[str]:
    """What the first column of a list shows."""
    assert answer.status_code == 200
    return re.findall(r'<a class="gh-row-link"[^>]*>\s*([^<]*?)\s*</a>', answer.text)


def test_a_list_of_many_with_a_relation_takes_six_statements(
    site: Platform, people: Callable[..., Person], shelf: int
) -> None:
    admin = people("Admin", browser=True)
    with site.unit_of_work() as session:
        for number in range(200):
            author = Author(name=f"{shelf}-{number}")
            session.add(Book(owner_id=admin.id, title=f"b{number}", shelf=shelf, author=author))
    admin.get(LIST)
    with counted(site) as statements:
        answer = admin.get(f"{LIST}?_flt_2_shelf={shelf}&psize_LibraryBookView=100")
    assert len(titles(answer)) == 100
    assert f"{shelf}-199" in answer.text
    assert len(statements) <= 6, "\n".join(statements)


def test_a_page_is_no_longer_than_it_may_be(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin", browser=True)
    write(site, admin, *(f"b{number}" for number in range(110)), shelf=shelf)
    assert len(titles(admin.get(f"{LIST}?_flt_2_shelf={shelf}&psize_LibraryBookView=1000000"))) == 100


def test_pages_of_a_list_show_every_row_once(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin", browser=True)
    write(site, admin, *(f"b{number:02}" for number in range(30)), shelf=shelf)
    address = f"{LIST}?_flt_2_shelf={shelf}&psize_LibraryBookView=10&page_LibraryBookView="
    seen = [title for page in range(3) for title in titles(admin.get(address + str(page)))]
    assert sorted(seen) == [f"b{number:02}" for number in range(30)]


def test_a_sorted_list_is_in_the_order_of_an_index(site: Platform, people: Callable[..., Person]) -> None:
    admin = people("Admin", browser=True)
    with counted(site) as statements:
        admin.get(f"{LIST}?_oc_LibraryBookView=shelf&_od_LibraryBookView=desc")
    [sent] = [one for one in statements if "FROM library_book" in one]
    assert re.search(r"ORDER BY library_book.shelf DESC, library_book.id DESC\s+LIMIT", sent)


def test_sorting_by_a_common_value_goes_on_by_the_index_that_begins_with_it(site: Platform) -> None:
    found = sorts(site.registry.resources["contributions.contribution"])
    assert found["type"] == ("type", "occurred_at", "id")
    assert "points" not in found


def test_no_page_lies_further_than_the_rows_that_are_counted(
    site: Platform, people: Callable[..., Person], shelf: int
) -> None:
    admin, sent = people("Admin", browser=True), []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if "OFFSET" in statement:
            sent.append(parameters)

    write(site, admin, "b", shelf=shelf)
    sa.event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        answer = admin.get(f"{LIST}?_flt_2_shelf={shelf}&page_LibraryBookView=999999")
    finally:
        sa.event.remove(site.database.engine, "before_cursor_execute", note)
    assert titles(answer) == []
    [given] = [{value for value in one.values() if isinstance(value, int)} for one in sent]
    assert max(given - {shelf}) == COUNT_CAP + 1  # the bound of the count
    assert COUNT_CAP in given


def test_two_people_who_filter_at_once_see_their_own_rows(
    site: Platform, people: Callable[..., Person], shelf: int
) -> None:
    visitors = [people("Admin", browser=True) for _ in range(2)]
    for number, visitor in enumerate(visitors):
        write(site, visitor, *([f"shelf {number}"] * 5), shelf=shelf + number)

    def look(turn: int) -> set[str]:
        number = turn % 2
        browser = people("Admin", browser=True) if turn < 2 else browsers[turn % 4]
        shown = set(titles(browser.get(f"{LIST}?_flt_2_shelf={shelf + number}")))
        return shown - {f"shelf {number}"} or (set() if shown else {"nothing"})

    browsers = [people("Admin", browser=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        foreign = [rows for rows in pool.map(look, range(4, 84)) if rows]
    assert foreign == []


@pytest.mark.parametrize(
    "value",
    ["", "x", "-1", "9" * 30, "9" * 5000, "1e400", "NaN", "%00", "%F0%9F%92%A5", "2024-13-45", "'; --", "1,5", "٣"],
)
def test_no_filter_value_breaks_a_list(people: Callable[..., Person], value: str) -> None:
    admin = people("Admin")
    for operator in range(4):
        query = "&".join(f"_flt_{operator}_{column}={value}" for column in FILTERS)
        assert admin.get(f"{LIST}?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "_flt_9_title=x",
        "_flt_99_title=x",
        "_flt_-1_title=x",
        "_flt_x_title=x",
        "_flt_0_unheard_of=x",
        "_flt_0_about=x",
        "_flt_0_=x",
        "_flt_0_author=x",
        "_flt_0___class__=x",
        "_flt_0_title=a&_flt_0_title=b&_flt_1_title=c",
        "_oc_LibraryBookView=unheard_of&_od_LibraryBookView=asc",
        "_oc_LibraryBookView=about&_od_LibraryBookView=asc",
        "_oc_LibraryBookView=__class__&_od_LibraryBookView=desc",
        "_oc_LibraryBookView=author.name&_od_LibraryBookView=desc",
        "_oc_LibraryBookView=shelf&_od_LibraryBookView=sideways",
        "_oc_LibraryBookView=shelf;drop&_od_LibraryBookView=asc",
        "page_LibraryBookView=abc",
        "page_LibraryBookView=-1",
        "page_LibraryBookView=" + "9" * 40,
        "page_LibraryBookView=٣",
        "page_Other=abc",
        "psize_LibraryBookView=abc",
        "psize_LibraryBookView=0",
        "psize_LibraryBookView=-5",
        "psize_LibraryBookView=" + "9" * 40,
        "psize_Other=abc",
        "q=%00",
        "q=%25_%5C",
        "q=" + "x" * 5000,
        "=&&=x&%00=%00",
    ],
)
def test_no_address_breaks_a_list(people: Callable[..., Person], query: str) -> None:
    assert people("Admin").get(f"{LIST}?{query}").status_code == 200


def test_every_bundled_list_opens_whatever_the_address(site: Platform, people: Callable[..., Person]) -> None:
    admin, broken = people("Admin"), {}
    for key, bound in site.registry.resources.items():
        path = f"/admin/{bound.plugin.replace('_', '-')}/{bound.name.replace('_', '-')}/list/"
        queries = ["", "q=x", *(f"_flt_{operator}_{name}=x" for name in bound.resource.filters for operator in (0, 1))]
        broken |= {f"{key} {q}": a.status for q in queries if (a := admin.get(f"{path}?{q}")).status_code != 200}
    assert broken == {}


def test_a_value_that_cannot_be_finds_nothing(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin")
    write(site, admin, "here", shelf=shelf)
    assert titles(admin.get(f"{LIST}?_flt_2_shelf={shelf}&_flt_2_copies=many")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_flt_0_title=100%25", {"100% wool"}),
        ("_flt_0_title=A", {"a", "Ab"}),
        ("_flt_1_title=a", {"a"}),
        ("_flt_0_state=used", {"Ab"}),
        ("_flt_1_state=used", {"a", "100% wool"}),
        ("_flt_0_lent=y", {"a"}),
        ("_flt_0_price=500", {"Ab"}),
        ("_flt_1_price=499", set()),
        ("_flt_0_printed_on=2001-01-01", {"a"}),
        ("_flt_1_printed_on=2001-01-01", set()),
        ("_flt_0_lent_at=2024-01-01", {"a"}),
        ("_flt_0_lent_at=2024-01-02", set()),
        ("_flt_0_lent_at=2024-01-01T11:00", {"a"}),
        ("_flt_0_weight=1.5", {"Ab"}),
        ("q=aB", {"Ab"}),
        ("_flt_0_state=used&_flt_0_state=lost", {"Ab"}),
        ("_flt_0_state=used&_flt_0_state=new", {"a", "Ab", "100% wool"}),
        ("_flt_0_lent=n", {"Ab", "100% wool"}),
        ("_flt_3_price=y", {"a", "100% wool"}),
        ("_flt_3_price=n", {"Ab"}),
        ("_flt_2_lent_at=y", {"Ab", "100% wool"}),
        ("_flt_0_lent_at=2024-01-01&_flt_1_lent_at=2024-01-02", {"a"}),
        ("_flt_0_lent_at=today", set()),
        ("_flt_1_lent_at=month", {"a"}),
        ("_flt_1_author_id=y", {"a", "Ab", "100% wool"}),
    ],
)
def test_filters_find_what_they_say(
    site: Platform, people: Callable[..., Person], shelf: int, query: str, found: set[str]
) -> None:
    from datetime import UTC, date, datetime
    from decimal import Decimal

    admin = people("Admin")
    write(
        site,
        admin,
        "a",
        shelf=shelf,
        lent=True,
        printed_on=date(2001, 9, 9),
        lent_at=datetime(2024, 1, 1, 12, tzinfo=UTC),
    )
    write(site, admin, "Ab", shelf=shelf, state="used", price=500, weight=Decimal("1.5"))
    write(site, admin, "100% wool", shelf=shelf)
    assert set(titles(admin.get(f"{LIST}?_flt_2_shelf={shelf}&{query}"))) == found


def test_a_column_with_an_index_sorts(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin")
    for number in range(3):
        write(site, admin, f"b{number}", shelf=shelf + number, copies=77)
    address = f"{LIST}?_flt_0_shelf={shelf}&_flt_1_shelf={shelf + 2}&_oc_LibraryBookView=shelf&_od_LibraryBookView="
    assert titles(admin.get(address + "asc")) == ["b0", "b1", "b2"]
    assert titles(admin.get(address + "desc")) == ["b2", "b1", "b0"]


def test_a_hostile_value_is_shown_as_text(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin", browser=True)
    with site.unit_of_work() as session:
        author = Author(name=HOSTILE + str(shelf))
        book = Book(
            owner_id=admin.id, title=HOSTILE, about=HOSTILE, shelf=shelf, author=author, extras={HOSTILE: HOSTILE}
        )
        session.add(book)
    pages = [f"{LIST}?_flt_2_shelf={shelf}", f"{LIST}?q={HOSTILE}", f"{LIST}?_flt_0_title={HOSTILE}"]
    pages += [f"/admin/library/book/{page}/{book.id}" for page in ("show", "edit")]
    for page in pages:
        answer = admin.get(page)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text and "alert(1)" in answer.text


def test_who_may_not_sees_no_list(people: Callable[..., Person]) -> None:
    assert people("User").get("/admin/library/author/list/").status_code == 403
    assert people().get(LIST).location.startswith("/login?next=/admin/library/book/list/")
