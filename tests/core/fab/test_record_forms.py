"""Generated forms: what is entered is kept whole, or not at all and said where."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import shown
from core.events.models import EventRow
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Author, Book

BASE = "/admin/library/book"
WHOLE = {
    "title": "A whole book",
    "shelf": 7,
    "copies": 2,
    "price": 10**30,
    "weight": Decimal("1.125"),
    "state": "used",
    "printed_on": date(476, 9, 4),
    "lent_at": datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=UTC),
    "about": "one\ntwo\n",
    "extras": {"b": [1, None, "ü"], "a": {"deep": 1.5}},
}


def form_of(person: Person, path: str) -> dict[str, str]:
    """What a browser would send back of a form as it was shown."""
    page = person.get(path)
    assert page.status_code == 200
    body = re.search(r'<form class="card gh-form".*?</form>', page.text, re.S)
    assert body
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", body[0]):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and not ('type="checkbox"' in tag and "checked" not in tag):
            sent[name[1]] = html.unescape(value[1]) if value else "y"
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', body[0], re.S):
        sent[name] = html.unescape(text).replace("\r\n", "\n").removeprefix("\n").replace("\n", "\r\n")
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', body[0], re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        sent[name] = chosen[1] if chosen else ""
    return sent


def book_of(site: Platform, key: Any) -> Book:
    with site.unit_of_work() as session:
        return session.get_one(Book, UUID(str(key)))


def written(site: Platform, person: Person, **values: Any) -> str:
    with site.unit_of_work() as session:
        book = Book(owner_id=person.id, **{**WHOLE, **values})
        session.add(book)
    return str(book.id)


def traces(site: Platform, key: str) -> tuple[list[str], list[str]]:
    """What the trail and the stream say that people did to a record; the test itself is nobody."""
    with site.unit_of_work() as session:
        people = AuditRow.subject_id == key, AuditRow.actor_name != "unknown"
        trail = select(AuditRow.action).where(*people).order_by(AuditRow.id)
        stream = select(EventRow.name).where(EventRow.payload["id"].astext == key).order_by(EventRow.id)
        return list(session.scalars(trail)), list(session.scalars(stream))


def rows(site: Platform, title: str) -> int:
    with site.unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(Book).where(Book.title == title)) or 0


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


def error_at(page: Any, field: str) -> str:
    """The error shown at a field; the form was shown again, and nothing was saved."""
    assert page.status_code == 200
    found = re.search(rf'id="{field}[-_]error"[^>]*>(.*?)</', page.text, re.S)
    marked = re.search(
        rf'<(?:input|textarea|select)[^>]*(?:name="{field}"[^>]*aria-invalid|aria-invalid[^>]*name="{field}")',
        page.text,
    )
    assert found or marked, f"nothing is said at {field}"
    return html.unescape(found[1]).strip() if found else ""


def test_a_form_creates_a_record_and_shows_it(site: Platform, admin: Person) -> None:
    sent = form_of(admin, f"{BASE}/add") | {"title": "By form", "price": "1250", "extras": '{"a": [1, null]}'}
    answer = admin.post(f"{BASE}/add", data=sent)
    assert answer.status_code == 302
    book = book_of(site, answer.location.rsplit("/", 1)[1])
    assert (book.title, book.price, book.extras, str(book.owner_id)) == ("By form", 1250, {"a": [1, None]}, admin.id)
    assert (book.copies, book.state, book.lent) == (1, "new", False)
    assert "By form" in admin.get(answer.location).text


def test_a_form_changes_what_was_changed_alone(site: Platform, admin: Person) -> None:
    key = written(site, admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"title": "Another title"}
    assert admin.post(f"{BASE}/edit/{key}", data=sent).status_code == 302
    book = book_of(site, key)
    assert {name: getattr(book, name) for name in WHOLE} == {**WHOLE, "title": "Another title"}
    with site.unit_of_work() as session:
        by_people = AuditRow.subject_id == key, AuditRow.actor_name != "unknown"
        rows = session.scalars(select(AuditRow).where(*by_people)).all()
        changes = [row.changes for row in shown(session, Actor.system("test"), rows)]
        fields = session.scalars(select(EventRow.payload).where(EventRow.payload["id"].astext == key)).all()
    assert changes == [{"title": ["A whole book", "Another title"]}]
    assert [one["fields"] for one in fields] == [["title"]]


def test_a_form_sent_back_as_it_was_changes_nothing(site: Platform, admin: Person) -> None:
    key = written(site, admin)
    before = book_of(site, key)
    assert admin.post(f"{BASE}/edit/{key}", data=form_of(admin, f"{BASE}/edit/{key}")).status_code == 302
    after = book_of(site, key)
    assert {name: getattr(after, name) for name in WHOLE} == {name: getattr(before, name) for name in WHOLE}
    assert traces(site, key) == ([], [])


def test_an_amount_of_38_digits_is_shown_with_all_of_them(site: Platform, admin: Person) -> None:
    key = written(site, admin, price=10**38 - 1, title=str(new_id()))
    for path in (f"{BASE}/show/{key}", f"{BASE}/list/"):
        assert ",".join(["99", *["999"] * 12]) in admin.get(path, query_string={"_flt_2_price": 10**38 - 1}).text


def test_a_form_can_empty_what_may_be_empty(site: Platform, admin: Person) -> None:
    key = written(site, admin, isbn=f"i-{new_id()}"[:20])
    empty = ("isbn", "price", "weight", "printed_on", "lent_at", "about", "author_id")
    sent = form_of(admin, f"{BASE}/edit/{key}") | dict.fromkeys(empty, "")
    assert admin.post(f"{BASE}/edit/{key}", data=sent).status_code == 302
    book = book_of(site, key)
    assert [getattr(book, name) for name in empty] == [None] * len(empty)


def test_a_box_is_ticked_and_cleared(site: Platform, admin: Person) -> None:
    key = written(site, admin)
    sent = form_of(admin, f"{BASE}/edit/{key}")
    admin.post(f"{BASE}/edit/{key}", data={**sent, "lent": "y"})
    assert book_of(site, key).lent is True
    sent = form_of(admin, f"{BASE}/edit/{key}")
    sent.pop("lent")
    admin.post(f"{BASE}/edit/{key}", data=sent)
    assert book_of(site, key).lent is False


def test_a_form_names_another_record(site: Platform, admin: Person) -> None:
    with site.unit_of_work() as session:
        author = Author(name=str(new_id()))
        session.add(author)
    key = written(site, admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"author_id": str(author.id)}
    assert admin.post(f"{BASE}/edit/{key}", data=sent).status_code == 302
    assert book_of(site, key).author_id == author.id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 121),
        ("title", "a\x00b"),
        ("about", "a\x00b"),
        ("shelf", "ten"),
        ("shelf", "9" * 30),
        ("shelf", "9" * 5000),
        ("copies", str(2**31)),
        ("price", "1.5"),
        ("price", "9" * 39),
        ("weight", "heavy"),
        ("weight", "NaN"),
        ("weight", "-Infinity"),
        ("state", "burnt"),
        ("printed_on", "yesterday"),
        ("lent_at", "2024-13-45T00:00"),
        ("author_id", "somebody"),
        ("author_id", str(UUID(int=1))),
        ("extras", "{"),
        ("extras", "[" * 100_000),
        ("extras", "[" * 500 + "]" * 500),
        ("extras", '{"a": "\\u0000"}'),
        ("extras", '{"a": "\\ud800"}'),
    ],
)
def test_a_value_that_cannot_be_is_told_at_its_field(site: Platform, admin: Person, field: str, value: str) -> None:
    title = str(new_id())
    sent = form_of(admin, f"{BASE}/add") | {"title": title, field: value}
    error_at(admin.post(f"{BASE}/add", data=sent), field)
    assert rows(site, title) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", "9" * 30),
        ("extras", '{"a": NaN}'),
    ],
)
def test_what_only_the_table_refuses_is_told_on_the_form(site: Platform, admin: Person, field: str, value: str) -> None:
    title = str(new_id())
    sent = form_of(admin, f"{BASE}/add") | {"title": title, field: value}
    answer = admin.post(f"{BASE}/add", data=sent)
    assert answer.status_code == 200 and title in answer.text
    assert rows(site, title) == 0


@pytest.mark.parametrize("key", ["<img src=x onerror=alert(1)>", "%d %s %(x)s %", "&lt;b&gt;"])
def test_what_an_error_quotes_is_text_and_no_markup(admin: Person, key: str) -> None:
    sent = form_of(admin, f"{BASE}/add") | {"title": "A book", "extras": f'{{"{key}": 1, "{key}": 2}}'}
    answer = admin.post(f"{BASE}/add", data=sent)
    [told] = re.findall(r'id="extras[-_]error"[^>]*>(.*?)</p>', answer.text, re.S)
    assert key in html.unescape(told)
    assert "<img src=x" not in answer.text


def test_a_second_one_of_a_unique_value_is_told_and_nothing_is_saved(site: Platform, admin: Person) -> None:
    isbn = f"i-{new_id()}"[-20:]
    written(site, admin, isbn=isbn)
    key = written(site, admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"title": "Not saved", "isbn": isbn}
    answer = admin.post(f"{BASE}/edit/{key}", data=sent)
    assert answer.status_code == 200
    assert "already one with the same isbn" in answer.text
    assert "Not saved" in answer.text, "what was entered is still there"
    assert (book_of(site, key).title, traces(site, key)) == ("A whole book", ([], []))


def test_a_form_writes_record_trail_and_event_together(site: Platform, admin: Person) -> None:
    sent = form_of(admin, f"{BASE}/add") | {"title": "Together"}
    key = admin.post(f"{BASE}/add", data=sent).location.rsplit("/", 1)[1]
    assert traces(site, key) == (["library.book.created"], ["library.book.created"])
    with site.unit_of_work() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.subject_id == key)).one()
        said = session.scalars(select(EventRow).where(EventRow.payload["id"].astext == key)).one()
        assert str(row.actor_id) == str(said.actor_id) == admin.id
        assert row.correlation_id == said.correlation_id


def test_a_record_is_deleted_by_a_form(site: Platform, admin: Person) -> None:
    key = written(site, admin)
    answer = admin.send(f"{BASE}/delete/{key}", reason="Torn")
    assert (answer.status_code, answer.location) == (302, f"{BASE}/list/")
    assert admin.get(f"{BASE}/show/{key}").status_code == 404
    assert traces(site, key) == (["library.book.deleted"], ["library.book.deleted"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_is_deleted_but_by_post(site: Platform, admin: Person, method: str) -> None:
    key = written(site, admin)
    assert admin.open(method, f"{BASE}/delete/{key}", headers={"X-CSRFToken": admin.csrf}).status_code == 405
    assert book_of(site, key)


def test_what_others_depend_on_is_not_deleted_and_that_is_said(site: Platform, admin: Person) -> None:
    with site.unit_of_work() as session:
        author = Author(name=str(new_id()))
        session.add(author)
    written(site, admin, author_id=author.id)
    answer = admin.send(f"/admin/library/author/delete/{author.id}", reason="Wrong")
    assert answer.status_code == 302
    assert "Other records depend on this one" in admin.get(answer.location).text
    assert traces(site, str(author.id)) == ([], [])


@pytest.mark.parametrize("page", ["add", "edit", "delete"])
def test_no_form_works_without_its_token(site: Platform, admin: Person, page: str) -> None:
    key = written(site, admin)
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"title": "Forged"}
    sent.pop("csrf_token")
    assert admin.post(f"{BASE}/{page}" + ("" if page == "add" else f"/{key}"), data=sent).status_code == 400
    assert (book_of(site, key).title, rows(site, "Forged")) == ("A whole book", 0)


@pytest.mark.parametrize("key", [str(UUID(int=7)), "x", "0", "%00", "9" * 40, "a" * 3000, "None"])
@pytest.mark.parametrize("kind", ["book", "note"])
def test_an_unknown_record_is_a_page_not_found(admin: Person, kind: str, key: str) -> None:
    for page in ("show", "edit"):
        assert admin.get(f"/admin/library/{kind}/{page}/{key}").status_code == 404
    assert admin.send(f"/admin/library/{kind}/delete/{key}").status_code == 404


@pytest.mark.parametrize(
    ("method", "page"), [("GET", "add"), ("GET", "edit"), ("POST", "add"), ("POST", "edit"), ("POST", "delete")]
)
def test_who_may_only_look_changes_nothing(
    site: Platform, people: Callable[..., Person], method: str, page: str
) -> None:
    moderator = people("Moderator", browser=True)
    key = written(site, moderator)
    path = f"{BASE}/{page}" + ("" if page == "add" else f"/{key}")
    answer = moderator.open(method, path, headers={"X-CSRFToken": moderator.csrf})
    assert answer.status_code == 403
    assert moderator.get(f"{BASE}/show/{key}").status_code == 200


def test_a_field_that_the_form_does_not_have_is_passed_over(site: Platform, admin: Person) -> None:
    key, other = written(site, admin), str(new_id())
    sent = form_of(admin, f"{BASE}/edit/{key}") | {"owner_id": other, "id": other, "title": "Mine still"}
    assert admin.post(f"{BASE}/edit/{key}", data=sent).status_code == 302
    assert (str(book_of(site, key).owner_id), book_of(site, key).title) == (admin.id, "Mine still")


def test_going_back_leads_to_the_list_one_came_from(site: Platform, admin: Person) -> None:
    admin.get(f"{BASE}/list/?q=whole")
    admin.get(f"{BASE}/list/?q=book")
    assert admin.get("/back").location.endswith(f"{BASE}/list/?q=whole")


def test_going_back_from_nowhere_leads_home(people: Callable[..., Person]) -> None:
    assert people("Admin", browser=True).get("/back").location == "/"
