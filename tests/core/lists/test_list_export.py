"""A list as a file: its filters, columns and order; no formula, no secret, one line in the trail."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from core.audit.models import AuditRow
from core.lists import export, reading
from core.platform import Platform
from tests.core.doors import Person
from tests.core.library import Author, Book
from tests.core.lists.conftest import LISTS, write


def rows(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200, answer.text[:1000]
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True))))


def test_csv_holds_what_is_shown_in_its_order(site: Platform, admin: Person, shelf: int) -> None:
    lent_at = datetime(2024, 1, 1, 12, tzinfo=UTC)
    with site.unit_of_work() as session:
        session.add(
            Book(
                owner_id=admin.id, title="=1+1", shelf=shelf, copies=3, lent_at=lent_at, author=Author(name=f"A{shelf}")
            )
        )
    write(site, admin, "b", shelf=shelf + 1, lent=True)
    query = f"_flt_0_shelf={shelf}&_flt_1_shelf={shelf + 1}&_oc_LibraryBookView=shelf&_od_LibraryBookView=asc"
    head, *found = rows(admin.get(f"{LISTS}/export?{query}&cols=title,author,copies,lent,lent_at,owner_id&format=csv"))
    assert head == ["Id", "Title", "Author", "Copies", "Lent", "Lent at", "Owner"]
    assert [row[1:] for row in found] == [
        ["'=1+1", f"A{shelf}", "3", "false", "2024-01-01T12:00:00Z", "Amina"],
        ["b", "", "1", "true", "", "Amina"],
    ]


def test_xlsx_holds_the_same(site: Platform, admin: Person, shelf: int) -> None:
    write(site, admin, "=1+1", shelf=shelf, copies=3, lent_at=datetime(2024, 1, 1, 12, tzinfo=UTC))
    answer = admin.get(f"{LISTS}/export?_flt_2_shelf={shelf}&cols=title,copies,lent_at&format=xlsx")
    assert answer.status_code == 200
    sheet = load_workbook(io.BytesIO(answer.get_data())).active
    assert [[cell.value for cell in row][1:] for row in sheet.rows] == [
        ["Title", "Copies", "Lent at"],
        ["=1+1", 3, datetime(2024, 1, 1, 12)],
    ]
    assert sheet["B2"].data_type == "s"


@pytest.mark.parametrize("sort", ["-shelf", "shelf", "author_id", "-author_id"])
def test_every_row_comes_once_whatever_the_order(
    site: Platform, admin: Person, shelf: int, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of three rows, through equal and empty values."""
    monkeypatch.setattr(reading, "CHUNK", 3)
    with site.unit_of_work() as session:
        authors = [Author(name=f"{shelf} {number}") for number in range(2)]
        session.add_all(authors)
        session.flush()
        for number in range(14):
            author = None if number % 3 == 0 else authors[number % 2].id
            session.add(Book(owner_id=admin.id, title=f"b{number:02}", shelf=shelf + number % 2, author_id=author))
    turn = "desc" if sort.startswith("-") else "asc"
    query = f"_flt_0_shelf={shelf}&_flt_1_shelf={shelf + 1}&cols=title,author_id,shelf"
    query += f"&_oc_LibraryBookView={sort.lstrip('-')}&_od_LibraryBookView={turn}"
    _head, *found = rows(admin.get(f"{LISTS}/export?{query}"))
    assert sorted(row[1] for row in found) == [f"b{number:02}" for number in range(14)]
    with site.unit_of_work() as session:
        column = getattr(Book, sort.lstrip("-"))
        turned = [column.desc(), Book.id.desc()] if turn == "desc" else [column, Book.id]
        wanted = session.scalars(sa.select(Book.title).where(Book.shelf.in_([shelf, shelf + 1])).order_by(*turned))
        assert [row[1] for row in found] == list(wanted)


def test_it_takes_a_permission_and_is_told_in_the_trail(
    site: Platform, people: Callable[..., Person], admin: Person, shelf: int
) -> None:
    assert people("Moderator", browser=True).get(f"{LISTS}/export").status_code == 403
    rows(admin.get(f"{LISTS}/export?_flt_2_shelf={shelf}&format=csv"))
    with site.unit_of_work() as session:
        query = sa.select(AuditRow).where(AuditRow.action == "core.list.exported", AuditRow.actor_id == admin.id)
        [told] = session.scalars(query)
    assert told.subject_id == "library.book" and told.changes["_flt_2_shelf"] == [None, [str(shelf)]]


def test_a_sheet_that_would_be_too_long_is_refused_with_a_sentence(
    site: Platform, admin: Person, shelf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(site, admin, "a", "b", "c", shelf=shelf)
    monkeypatch.setattr(export, "SHEET", 2)
    answer = admin.get(f"{LISTS}/export?_flt_2_shelf={shelf}&format=xlsx", follow_redirects=True)
    assert "export it as CSV" in answer.text
    assert len(rows(admin.get(f"{LISTS}/export?_flt_2_shelf={shelf}&format=csv"))) == 4


def test_the_rows_one_may_not_know_of_are_in_no_file(site: Platform, people: Callable[..., Person]) -> None:
    from dataclasses import replace

    from core.actor import Actor
    from core.lists.state import ListState
    from tests.core.library import Letter

    owner = people("Admin")
    with site.unit_of_work() as session:
        session.add(Letter(owner_id=owner.id, subject=f"sealed {owner.id}", sealed=True))
    bound = site.registry.resources["library.letter"]
    actor = Actor(kind="member", name="", permissions=frozenset({"library:letter:list"}))
    wanted = ListState(bound)
    seen = [
        one.subject for some in reading.each(site.unit_of_work, actor, wanted, ("subject",)) for one in some.records
    ]
    assert f"sealed {owner.id}" not in seen
    all_seen = reading.each(site.unit_of_work, replace(actor, roles=("Admin",)), wanted, ("subject",))
    assert f"sealed {owner.id}" in [one.subject for some in all_seen for one in some.records]
