"""REST that is made from a declared model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from core.audit.models import AuditRow
from core.events.models import EventRow
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Book

BOOKS = "/api/v1/library/books"
AUTHORS = "/api/v1/library/authors"


@pytest.fixture
def shelf() -> int:
    """A shelf that no other test fills."""
    return new_id().int >> 70


def write(site: Platform, owner: Person, *titles: str, **values: Any) -> None:
    with site.unit_of_work() as session:
        session.add_all(Book(owner_id=owner.id, title=title, **values) for title in titles)


def pages_of(person: Person, query: str, between: Callable[[], None] = lambda: None) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        answer = person.get(f"{BOOKS}?{query}&cursor={cursor}").json
        pages.append(answer["data"])
        cursor = answer["meta"]["page"]["next_cursor"]
        if cursor is None:
            return pages
        between()


def test_a_record_is_created_shown_changed_and_deleted(people: Callable[..., Person]) -> None:
    admin = people("Admin")
    made = admin.post(BOOKS, {"title": "Nāgārjuna", "price": "1250", "extras": {"a": [1, None]}, "weight": "1.250"})
    assert made.status_code == 201
    book = made.json["data"]
    assert (book["price"], book["extras"], book["weight"], book["state"]) == ("1250", {"a": [1, None]}, "1.250", "new")
    assert admin.get(f"{BOOKS}/{book['id']}").json["data"] == book
    changed = admin.patch(f"{BOOKS}/{book['id']}", {"state": "used"})
    assert changed.json["data"] == {**book, "state": "used"}
    gone = admin.delete(f"{BOOKS}/{book['id']}")
    assert (gone.status_code, gone.data) == (204, b"")
    assert admin.get(f"{BOOKS}/{book['id']}").status_code == 404


def test_what_is_shown_is_what_was_written(people: Callable[..., Person]) -> None:
    admin = people("Admin")
    moment = "2024-02-29T23:59:59.123456+05:30"
    made = admin.post(BOOKS, {"title": "t", "lent_at": moment, "printed_on": "0476-09-04"}).json["data"]
    assert made["lent_at"] == "2024-02-29T18:29:59.123456Z"
    assert admin.get(f"{BOOKS}/{made['id']}").json["data"] == made


def test_every_write_is_in_the_trail_and_published(site: Platform, people: Callable[..., Person]) -> None:
    admin = people("Admin")
    key = admin.post(BOOKS, {"title": "Seen"}).json["data"]["id"]
    admin.patch(f"{BOOKS}/{key}", {"title": "Seen twice"})
    admin.patch(f"{BOOKS}/{key}", {"title": "Seen twice"})
    admin.delete(f"{BOOKS}/{key}")
    with site.unit_of_work() as session:
        acts = session.scalars(select(AuditRow.action).where(AuditRow.subject_id == key).order_by(AuditRow.id)).all()
        said = session.scalars(
            select(EventRow.name).where(EventRow.payload["id"].astext == key).order_by(EventRow.id)
        ).all()
    assert acts == [f"library.book.{verb}" for verb in ("created", "updated", "deleted")]
    assert said == acts


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_paging_over_ties_shows_every_row_once(
    site: Platform, people: Callable[..., Person], shelf: int, limit: int
) -> None:
    admin = people("Admin")
    write(site, admin, *(f"b{number}" for number in range(10)), shelf=shelf)
    seen = [book["title"] for page in pages_of(admin, f"shelf={shelf}&limit={limit}") for book in page]
    assert sorted(seen) == sorted(f"b{number}" for number in range(10))


def test_paging_shows_every_row_once_while_others_are_written(
    site: Platform, people: Callable[..., Person], shelf: int
) -> None:
    admin = people("Admin")
    write(site, admin, *(f"b{number}" for number in range(10)), shelf=shelf)
    pages = pages_of(admin, f"shelf={shelf}&limit=3", lambda: write(site, admin, "late", shelf=shelf))
    seen = [book["id"] for page in pages for book in page]
    assert len(seen) == len(set(seen))
    assert {f"b{number}" for number in range(10)} <= {book["title"] for page in pages for book in page}


def test_the_last_page_of_full_length_is_the_last(site: Platform, people: Callable[..., Person], shelf: int) -> None:
    admin = people("Admin")
    write(site, admin, "a", "b", shelf=shelf)
    assert [len(page) for page in pages_of(admin, f"shelf={shelf}&limit=2")] == [2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=used", {"used"}),
        ("lent=true", {"lent"}),
        ("price=500", {"dear"}),
        ("weight=1.5", {"heavy"}),
        ("printed_on=2001-09-09", {"old"}),
        ("lent_at=2024-01-01T02:00:00%2B02:00", {"away"}),
        ("copies=3&state=new", {"many"}),
        ("copies=3&state=used", set()),
        ("state=used,lost", {"used"}),
        ("price_from=400&price_to=500", {"dear"}),
        ("price_to=499", set()),
        ("copies_from=2", {"many"}),
        ("lent_at_from=2024-01-01T00:00:00Z&lent_at_to=2024-01-02T00:00:00Z", {"away"}),
        ("lent_at_to=2024-01-01T00:00:00Z", set()),
        ("printed_on_from=2001-09-09&printed_on_to=2001-09-10", {"old"}),
    ],
)
def test_filters_by_columns_of_every_kind(
    site: Platform, people: Callable[..., Person], shelf: int, query: str, found: set[str]
) -> None:
    admin = people("Admin")
    for title, values in {
        "used": {"state": "used"},
        "lent": {"lent": True},
        "dear": {"price": "500"},
        "heavy": {"weight": "1.5"},
        "old": {"printed_on": "2001-09-09"},
        "away": {"lent_at": "2024-01-01T00:00:00Z"},
        "many": {"copies": 3},
    }.items():
        assert admin.post(BOOKS, {"title": title, "shelf": shelf, **values}).status_code == 201
    assert {book["title"] for book in admin.get(f"{BOOKS}?shelf={shelf}&{query}").json["data"]} == found


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("100", {"100% wool", "100_days", "1000"}),
        ("100%", {"100% wool"}),
        ("100_", {"100_days"}),
        ("%", set()),
        ("_", set()),
        ("a\\", {"a\\b"}),
        ("\\", set()),
        ("ÉCOLE", {"école"}),
        ("Ж", {"жук"}),
        ("日本", {"日本語"}),
        ("'; --", set()),
        ("/", {"/etc"}),
    ],
)
def test_search_by_the_beginning_takes_every_character_as_itself(
    site: Platform, people: Callable[..., Person], shelf: int, term: str, found: set[str]
) -> None:
    admin = people("Admin")
    write(site, admin, "100% wool", "100_days", "1000", "a\\b", "école", "жук", "日本語", "/etc", shelf=shelf)
    answer = admin.get(BOOKS, query_string={"shelf": shelf, "q": term})
    assert {book["title"] for book in answer.json["data"]} == found


def test_a_member_sees_their_own_alone(people: Callable[..., Person]) -> None:
    amina, ben = people("User"), people("User")
    key = amina.post(BOOKS, {"title": "Mine"}).json["data"]["id"]
    ben.post(BOOKS, {"title": "His"})
    assert [book["title"] for book in amina.get(BOOKS).json["data"]] == ["Mine"]
    assert amina.get(f"{BOOKS}/{key}").status_code == 200
    assert ben.get(f"{BOOKS}/{key}").status_code == 404


def test_somebody_elses_record_is_answered_as_one_that_is_not(people: Callable[..., Person]) -> None:
    amina, ben = people("User"), people("User")
    key = amina.post(BOOKS, {"title": "Mine"}).json["data"]["id"]
    hidden, missing = ben.get(f"{BOOKS}/{key}"), ben.get(f"{BOOKS}/{new_id()}")
    assert (hidden.status_code, hidden.json["error"]) == (missing.status_code, missing.json["error"])
    assert hidden.status_code == 404


def test_no_filter_reaches_beyond_ones_own(people: Callable[..., Person], shelf: int) -> None:
    amina, ben = people("User"), people("User")
    amina.post(BOOKS, {"title": "Mine", "shelf": shelf})
    assert ben.get(f"{BOOKS}?shelf={shelf}&q=Mine").json["data"] == []


def test_an_owner_without_the_permission_changes_nothing(people: Callable[..., Person]) -> None:
    amina = people("User")
    key = amina.post(BOOKS, {"title": "Mine"}).json["data"]["id"]
    assert amina.patch(f"{BOOKS}/{key}", {"title": "Other"}).status_code == 403
    assert amina.delete(f"{BOOKS}/{key}").status_code == 403


def test_who_may_list_sees_everybodys(people: Callable[..., Person], shelf: int) -> None:
    people("User").post(BOOKS, {"title": "Hers", "shelf": shelf})
    assert [book["title"] for book in people("Moderator").get(f"{BOOKS}?shelf={shelf}").json["data"]] == ["Hers"]


def test_a_second_one_of_a_unique_value_is_a_conflict(people: Callable[..., Person]) -> None:
    admin, name = people("Admin"), str(new_id())
    assert admin.post(AUTHORS, {"name": name}).status_code == 201
    answer = admin.post(AUTHORS, {"name": name})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "ALREADY_EXISTS")
    assert "name" in answer.json["error"]["message"]


def test_what_others_depend_on_is_not_deleted(people: Callable[..., Person]) -> None:
    admin = people("Admin")
    author = admin.post(AUTHORS, {"name": str(new_id())}).json["data"]["id"]
    assert admin.post(BOOKS, {"title": "t", "author_id": author}).status_code == 201
    answer = admin.delete(f"{AUTHORS}/{author}")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "IN_USE")
    assert admin.get(f"{AUTHORS}/{author}").status_code == 200


def test_a_reference_to_nothing_is_refused(people: Callable[..., Person]) -> None:
    answer = people("Admin").post(BOOKS, {"title": "t", "author_id": str(new_id())})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "INVALID")
    assert list(answer.json["error"]["details"]) == ["author_id"]


@pytest.mark.parametrize(
    "key", ["x", "1", "%00", "%F0%9F%92%A5", "null", "a" * 3000, "11111111-1111-1111-1111-11111111111"]
)
@pytest.mark.parametrize(
    "path", [BOOKS, "/api/v1/library/notes", "/api/v1/core/members", "/api/v1/contributions/types"]
)
def test_a_key_that_cannot_be_is_not_found(people: Callable[..., Person], path: str, key: str) -> None:
    assert people("Admin").get(f"{path}/{key}").status_code == 404


def test_a_resource_may_have_a_key_of_text(people: Callable[..., Person]) -> None:
    admin, key = people("Admin"), f"k-{new_id()}"
    assert admin.post("/api/v1/library/notes", {"key": key, "body": "b"}).status_code == 201
    assert admin.get(f"/api/v1/library/notes/{key}").json["data"] == {"key": key, "body": "b"}
