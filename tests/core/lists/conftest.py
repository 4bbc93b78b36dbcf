"""Books of the library to list, and the forms that an admin sends about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from core.ids import new_id
from core.jobs.run import run_next
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Book

LISTS = "/admin/lists/library.book"
LIST = "/admin/library/book/list/"


@pytest.fixture
def shelf() -> int:
    """A shelf that no other test uses."""
    return new_id().int >> 70


@pytest.fixture
def admin(people: Callable[..., Person]) -> Person:
    return people("Admin", browser=True)


def write(site: Platform, owner: Person, *titles: str, **values: Any) -> list[str]:
    """Put books on a shelf; returns their ids, in the order of the titles."""
    with site.unit_of_work() as session:
        books = [Book(owner_id=owner.id, title=title, **values) for title in titles]
        session.add_all(books)
        session.flush()
        return [str(book.id) for book in books]


def books(site: Platform, ids: list[str]) -> list[Book | None]:
    """The books as they are now."""
    with site.unit_of_work() as session:
        return [session.get(Book, key) for key in ids]


def titles(answer: Any) -> list[str]:
    """What the first column of a list shows."""
    assert answer.status_code == 200, answer.text[:2000]
    return re.findall(r'<a class="gh-row-link"[^>]*>\s*([^<]*?)\s*</a>', answer.text)


def work_off(site: Platform) -> None:
    """Do what waits in the background."""
    while run_next(site.database):
        pass
