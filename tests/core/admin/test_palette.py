"""The command palette finds what a person may open, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.actor import Actor
from core.ids import new_id
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Book

WORD = "Zymurgy"


@pytest.fixture
def book(site: Platform, people: Callable[..., Person]) -> Book:
    """A book of somebody's."""
    owner = people("User")
    with site.unit_of_work(Actor.system("test")) as session:
        made = Book(title=f"{WORD} {new_id()}", owner_id=owner.id)
        session.add(made)
    return made


def found(person: Person, text: str) -> list[str]:
    answer = person.get("/admin/search", query_string={"q": text})
    assert answer.status_code == 200
    return [hit["label"] for hit in answer.json]


def test_a_record_is_found_by_its_beginning_and_by_its_id(people: Callable[..., Person], book: Book) -> None:
    moderator = people("Moderator", browser=True)
    assert book.title in found(moderator, book.title[:30].upper())
    [hit] = moderator.get("/admin/search", query_string={"q": str(book.id)}).json
    assert hit["label"] == book.title
    assert book.title in moderator.get(hit["url"]).text


def test_who_may_not_see_a_record_does_not_find_it(people: Callable[..., Person], book: Book) -> None:
    stranger = people("User", browser=True)
    assert found(stranger, book.title) == []
    assert found(stranger, str(book.id)) == []
    assert people().get("/admin/search?q=Zymurgy").status_code in (302, 303, 401)


def test_records_of_a_disabled_plugin_are_not_found(
    people: Callable[..., Person], book: Book, switch: Callable[[str, bool], None]
) -> None:
    admin = people("Admin", browser=True)
    switch("library", False)
    assert found(admin, book.title) == []


def test_it_names_what_can_be_made(people: Callable[..., Person]) -> None:
    assert "New: Book" in found(people("User", browser=True), "new")
    assert "New: Author" not in found(people("User", browser=True), "new")


@pytest.mark.parametrize("text", ["", " ", "a", "\x00\x00", "%%", "__", "'; --", "\\", "x" * 5000, "🦉🦉"])
def test_any_text_is_answered(people: Callable[..., Person], text: str) -> None:
    assert isinstance(found(people("Admin", browser=True), text), list)
