"""Records that come in by files: tried, written as REST would take them, told row by row, and undone."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from core import access
from core.actor import Actor
from core.audit.models import AuditRow
from core.errors import Conflict, NotFound, PermissionMissing
from core.events.models import EventRow
from core.imports import failed, run, service
from core.imports.models import Import, ImportRow
from core.imports.plan import schemas
from core.jobs.models import JobRow
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.members.models import Member
from core.platform import Platform
from core.resources.transition import Transition
from tests.core.doors import Person
from tests.core.imports.conftest import BOOKS, Desk, written
from tests.core.library import Author, Book, Letter, Note


@pytest.fixture
def service_of(site: Platform) -> Iterator[Callable[..., None]]:
    """Gives a resource services of its own, or something else, until the end of the test."""
    changed: list[tuple[Any, str, Any]] = []

    def change(key: str, **values: Any) -> None:
        resource = site.registry.resources[key].resource
        for name, value in values.items():
            changed.append((resource, name, getattr(resource, name)))
            object.__setattr__(resource, name, value)

    yield change
    for resource, name, value in reversed(changed):
        object.__setattr__(resource, name, value)


def test_rows_become_records_with_every_kind_of_value(desk: Desk, admin: Person, mark: str) -> None:
    desk.done(written(["Name"], [f"Ada {mark}"]))
    head = ["Title", "ISBN", "Author", "Shelf", "price", "weight", "Lent", "State", "Printed on", "Lent at", "extras"]
    first = [f"One {mark}", f"i{mark}", f"Ada {mark}", "1 000", "12", "1,5", "yes", "Used", "31.5.2026"]
    first += ["2026-05-31 14:30", '{"a": 1}']
    key = desk.done(written(head, first, [f"Two {mark}", *[""] * 10], separator=";"), BOOKS)
    assert desk.figures(key, "tried") == desk.figures(key) == {"rows": 2, "created": 2}
    one, two = desk.all(Book, Book.title.in_([f"One {mark}", f"Two {mark}"]))
    [author] = desk.all(Author, Author.name == f"Ada {mark}")
    assert (one.author_id, one.shelf, one.price, one.weight) == (author.id, 1000, 12, Decimal("1.5"))
    assert (one.lent, one.state, one.printed_on) == (True, "used", date(2026, 5, 31))
    assert (one.lent_at, one.extras) == (datetime(2026, 5, 31, 14, 30, tzinfo=UTC), {"a": 1})
    assert (two.copies, two.lent, two.state, two.author_id) == (1, False, "new", None)
    assert {str(one.owner_id), str(two.owner_id)} == {admin.id}
    assert desk.row(key).file_id is None  # all of it is in, so nobody needs the file


def test_a_workbook_comes_in_with_its_types(desk: Desk, mark: str) -> None:
    book = Workbook()
    for row in (["title", "copies", "printed_on", "lent"], [f"One {mark}", 3.0, date(2026, 5, 31), True]):
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    key = desk.done(kept.getvalue(), BOOKS, name="books.xlsx")
    [one] = desk.all(Book, Book.title == f"One {mark}")
    assert (desk.figures(key), one.copies, one.printed_on, one.lent) == (
        {"rows": 1, "created": 1},
        3,
        date(2026, 5, 31),
        True,
    )


def test_each_field_says_what_is_wrong_and_the_dry_run_leaves_nothing(desk: Desk, mark: str) -> None:
    head = ["title", "copies", "state", "printed_on", "author_id", "isbn"]
    bad = ["", "many", "eaten", "31/31/31", f"nobody {mark}", "x" * 30]
    key = desk.tried(written(head, [f"Good {mark}", "2", "", "", "", ""], bad, ["t" * 200, *[""] * 5]), BOOKS)
    assert desk.figures(key, "tried") == {"rows": 3, "created": 1, "failed": 2}
    assert desk.problems(key) == [
        (3, "author_id", "NO_REFERENCE"),
        (3, "copies", "INVALID"),
        (3, "isbn", "INVALID"),
        (3, "printed_on", "INVALID"),
        (3, "state", "INVALID"),
        (4, "title", "INVALID"),
    ]
    assert desk.all(Book, Book.title == f"Good {mark}") == []
    desk.start(key)
    assert desk.figures(key) == {"rows": 3, "created": 1, "failed": 2}


def test_what_a_new_record_lacks_is_told(desk: Desk, mark: str) -> None:
    key = desk.tried(written(["isbn", "title"], [f"i{mark}", ""]), BOOKS)
    assert desk.problems(key) == [(2, "title", "REQUIRED")]


def test_records_that_are_there_are_updated_left_or_refused(desk: Desk, mark: str) -> None:
    content = written(["isbn", "title", "copies"], [f"i{mark}", f"One {mark}", 1], [f"j{mark}", f"Two {mark}", 1])
    desk.done(content, BOOKS)
    more = written(["isbn", "title", "copies"], [f"i{mark}", "", 5], [f"j{mark}", f"Two {mark}", 1])
    updated = desk.done(more, BOOKS)
    assert desk.figures(updated) == {"rows": 2, "updated": 1, "left": 1}
    assert [(one.title, one.copies) for one in desk.all(Book, Book.isbn == f"i{mark}")] == [(f"One {mark}", 5)]
    assert desk.figures(desk.done(more, BOOKS, existing="leave")) == {"rows": 2, "left": 2}
    refused = desk.tried(more, BOOKS, existing="refuse")
    assert [code for _line, _field, code in desk.problems(refused)] == ["ALREADY_EXISTS"] * 2


def test_an_empty_cell_clears_a_field_only_where_that_is_asked_for(desk: Desk, mark: str) -> None:
    desk.done(written(["isbn", "title", "about"], [f"i{mark}", "One", "long"]), BOOKS)
    desk.done(written(["isbn", "title", "about"], [f"i{mark}", "", ""]), BOOKS)
    assert [one.about for one in desk.all(Book, Book.isbn == f"i{mark}")] == ["long"]
    desk.done(written(["isbn", "title", "about"], [f"i{mark}", "", ""]), BOOKS, blank="clear")
    assert [(one.title, one.about) for one in desk.all(Book, Book.isbn == f"i{mark}")] == [("One", None)]


def test_an_export_that_was_edited_finds_its_records_by_id(desk: Desk, mark: str) -> None:
    desk.done(written(["title"], [f"One {mark}"]), BOOKS)
    [book] = desk.all(Book, Book.title == f"One {mark}")
    unknown = "0190a3c2-0000-7000-8000-000000000000"
    rows = [["id", "title"], [book.id, f"Uno {mark}"], ["", f"New {mark}"], [unknown, "x"], ["no id", "x"]]
    key = desk.done(written(*rows), BOOKS)
    assert desk.figures(key) == {"rows": 4, "created": 1, "updated": 1, "failed": 2}
    assert [(line, code) for line, _field, code in desk.problems(key)] == [(4, "ROW_NOT_FOUND"), (5, "INVALID")]


def test_the_same_key_twice_in_a_file_is_refused_across_chunks(
    desk: Desk, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 2)
    names = [f"{mark} {number}" for number in (1, 2, 3, 1)]
    key = desk.done(written(["name"], *([name] for name in names)))
    assert (desk.figures(key), desk.problems(key)) == (
        {"rows": 4, "created": 3, "failed": 1},
        [(5, "", "ROW_TWICE")],
    )


def test_a_unique_constraint_costs_only_the_row_that_breaks_it(desk: Desk, mark: str) -> None:
    desk.done(written(["isbn", "title"], [f"i{mark}", "One"]), BOOKS)
    rows = [["isbn", "title"], [f"j{mark}", "Two"], [f"i{mark}", "Three"], [f"k{mark}", "Four"]]
    key = desk.done(written(*rows), BOOKS, keys=[])
    assert (desk.figures(key), desk.problems(key)) == (
        {"rows": 3, "created": 2, "failed": 1},
        [(3, "", "ALREADY_EXISTS")],
    )


def test_a_chosen_key_that_several_records_have_is_refused(desk: Desk, mark: str) -> None:
    desk.done(written(["title"], [f"One {mark}"], [f"One {mark}"]), BOOKS)
    key = desk.tried(written(["title", "copies"], [f"One {mark}", 2]), BOOKS, keys=["title"])
    assert desk.problems(key) == [(2, "", "ROW_AMBIGUOUS")]


def test_a_resource_whose_key_is_text_is_written_by_it(desk: Desk, mark: str) -> None:
    desk.done(written(["key", "body"], [mark, "one"]), "library.note")
    key = desk.done(written(["key", "body"], [mark, "two"], [f"{mark}2", "new"]), "library.note")
    assert desk.figures(key) == {"rows": 2, "created": 1, "updated": 1}
    with desk.site.unit_of_work() as session:
        assert session.get_one(Note, mark).body == "two"


def test_what_the_file_lacks_can_be_the_same_in_every_row(desk: Desk, mark: str) -> None:
    desk.done(written(["title"], [f"One {mark}"], [f"Two {mark}"]), BOOKS, constants={"state": "Lost", "shelf": "7"})
    assert [(one.state, one.shelf) for one in desk.all(Book, Book.title.like(f"%{mark}"))] == [("lost", 7)] * 2


def test_the_services_of_a_resource_are_called_row_by_row(
    desk: Desk, mark: str, service_of: Callable[..., None]
) -> None:
    class Torn(Conflict):
        code = "LIBRARY_TORN"
        sentence = "The book {title} is torn."

    def create(session: Any, actor: Actor, values: dict[str, Any]) -> Book:
        if "torn" in values["title"]:
            raise Torn(title="one")
        if "broken" in values["title"]:
            raise RuntimeError("nobody expects it")
        book = Book(**{**values, "copies": 9})
        session.add(book)
        return book

    service_of(BOOKS, create=create)
    key = desk.done(written(["title"], [f"One {mark}"], ["torn"], ["broken"], [f"Two {mark}"]), BOOKS)
    assert desk.figures(key) == {"rows": 4, "created": 2, "failed": 2}
    assert desk.problems(key) == [(3, "", "LIBRARY_TORN"), (4, "", "INTERNAL")]
    assert [one.copies for one in desk.all(Book, Book.title.like(f"%{mark}"))] == [9, 9]


def test_one_event_tells_a_chunk_and_each_record_has_its_audit_row(site: Platform, desk: Desk, mark: str) -> None:
    desk.done(written(["name"], [f"{mark} 0"]))
    key = desk.done(written(["name"], [f"{mark} 0"], [f"{mark} 1"], [f"{mark} 2"]))
    with site.unit_of_work() as session:
        events = session.scalars(select(EventRow).where(EventRow.correlation_id == key)).all()
        trail = select(AuditRow.action, func.count()).where(AuditRow.correlation_id == key).group_by(AuditRow.action)
        told = dict(session.execute(trail).tuples().all())
    assert [one.name for one in events] == ["library.author.imported"]
    assert (len(events[0].payload["created"]), events[0].payload["import_id"]) == (2, str(key))
    assert told == {"core.import.started": 1, "library.author.created": 2, "core.file.deleted": 1}


def test_an_import_is_undone_but_for_what_changed_since(site: Platform, desk: Desk, mark: str) -> None:
    desk.done(written(["isbn", "title", "copies"], *([f"{one}{mark}", "Old", 1] for one in "ab")), BOOKS)
    rows = [[f"{one}{mark}", "New", 2] for one in "abcde"]
    key = desk.done(written(["isbn", "title", "copies"], *rows), BOOKS)
    assert desk.figures(key) == {"rows": 5, "created": 3, "updated": 2}
    with site.unit_of_work() as session:
        found = {one.isbn[0]: one for one in session.scalars(select(Book).where(Book.isbn.like(f"%{mark}")))}
        found["b"].copies, found["c"].about = 7, "read since"
        session.delete(found["d"])
    desk.undo(key)
    left = {one.isbn[0]: (one.title, one.copies) for one in desk.all(Book, Book.isbn.like(f"%{mark}"))}
    assert left == {"a": ("Old", 1), "b": ("New", 7), "c": ("New", 2)}
    assert desk.figures(key, "undone") == {"deleted": 1, "restored": 1, "left": 3}
    assert desk.problems(key) == [(3, "", "CHANGED_SINCE"), (4, "", "CHANGED_SINCE"), (5, "", "GONE")]
    assert desk.row(key).state == "undone"


def test_a_record_that_others_refer_to_by_now_stays(site: Platform, desk: Desk, admin: Person, mark: str) -> None:
    key = desk.done(written(["name"], [f"Ada {mark}"], [f"Bo {mark}"]))
    ada = desk.all(Author, Author.name == f"Ada {mark}")[0].id
    with site.unit_of_work() as session:
        session.add(Book(title="x", owner_id=UUID(admin.id), author_id=ada))
    desk.undo(key)
    assert (desk.figures(key, "undone"), desk.problems(key)) == ({"deleted": 1, "left": 1}, [(2, "", "IN_USE")])


def test_the_failed_rows_come_back_as_a_file_that_can_be_mended(site: Platform, desk: Desk, mark: str) -> None:
    head = ["title", "isbn", "copies", "about"]
    rows = [[f"One {mark}", f"i{mark}", "x", "=cmd()"], [f"Two {mark}", f"j{mark}", "2", ""]]
    key = desk.done(written(head, *rows, separator=";"), BOOKS)

    def file_of(key: UUID) -> str:
        with site.unit_of_work() as session:
            row = desk.row(key)
            return "".join(failed.failed_lines(session, row, service.resource_of(session, row.resource), str))

    text = file_of(key)
    assert text.splitlines() == [
        "\ufefftitle;isbn;copies;about;Problem",
        f"One {mark};i{mark};x;'=cmd();Copies: Write a whole number.",
    ]
    again = desk.done(text.encode(), BOOKS)
    assert file_of(again).splitlines()[0] == "\ufefftitle;isbn;copies;about;Problem"
    mended = desk.done(text.replace(";x;", ";3;").encode(), BOOKS)
    assert desk.figures(mended) == {"rows": 1, "created": 1}
    assert [one.about for one in desk.all(Book, Book.isbn == f"i{mark}")] == ["=cmd()"]


def test_references_tell_nobody_of_records_they_may_not_see(
    site: Platform, people: Callable[..., Person], granted: Any, desk: Desk, mark: str, service_of: Callable[..., None]
) -> None:
    ada = people("User", name="Ada")
    service_of("library.letter", fields=("owner_id", "subject"), owner=None)
    email = ada.member.email.upper() if ada.member and ada.member.email else ""
    content = written(["owner_id", "subject"], [email, f"One {mark}"], ["nobody@example.org", f"Two {mark}"])
    anew(site, "library.letter")
    try:
        key = desk.done(content, "library.letter")
        assert (desk.figures(key), desk.problems(key)) == (
            {"rows": 2, "created": 1, "failed": 1},
            [(3, "owner_id", "NO_REFERENCE")],
        )
        assert [str(one.owner_id) for one in desk.all(Letter, Letter.subject == f"One {mark}")] == [ada.id]
        blind = Desk(site, granted("library:letter:*", "core:record:import"))
        assert blind.problems(blind.tried(content, "library.letter")) == [
            (2, "owner_id", "NO_REFERENCE"),
            (3, "owner_id", "NO_REFERENCE"),
        ]
    finally:
        anew(site, "library.letter")


def anew(site: Platform, key: str) -> None:
    """Forget what was worked out once of a resource whose declaration a test changes."""
    for name in ("writable", "initial_states"):
        site.registry.resources[key].resource.__dict__.pop(name, None)
    schemas.cache_clear()


def test_who_may_not_see_a_record_does_not_change_it(site: Platform, desk: Desk, granted: Any, mark: str) -> None:
    desk.done(written(["subject", "sealed"], [f"Open {mark}", "no"], [f"Sealed {mark}", "yes"]), "library.letter")
    clerk = Desk(site, granted("library:letter:*", "core:record:import"))
    rows = [["subject", "sealed"], [f"Open {mark}", ""], [f"Sealed {mark}", ""], [f"Mine {mark}", "yes"]]
    key = clerk.done(written(*rows), "library.letter", keys=["subject"], constants={})
    assert clerk.figures(key) == {"rows": 3, "created": 1, "left": 1, "failed": 1}
    assert clerk.problems(key) == [(4, "", "OUT_OF_REACH")]
    with site.unit_of_work() as session, pytest.raises(NotFound):  # nor does anybody read what others sent
        service.find(session, clerk.actor(session), desk.tried(written(["subject"], ["x"]), "library.letter"))


def test_only_who_may_make_such_records_brings_them_in(site: Platform, granted: Any, mark: str) -> None:
    content = written(["name"], [mark])
    for grants in (["library:author:*"], ["core:record:import"], ["core:record:import", "library:author:update"]):
        with pytest.raises(PermissionMissing):
            Desk(site, granted(*grants)).send(content)
    maker = Desk(site, granted("core:record:import", "library:author:create", "library:author:list"))
    with pytest.raises(PermissionMissing):
        maker.tried(content, existing="update")
    key = maker.done(content)
    assert maker.figures(key) == {"rows": 1, "created": 1}
    with pytest.raises(PermissionMissing):
        maker.undo(key)


def test_permission_is_asked_for_again_by_the_job(site: Platform, granted: Any, mark: str) -> None:
    clerk = granted("core:record:import", "library:author:*")
    desk = Desk(site, clerk)
    key = desk.tried(written(["name"], [mark]))
    desk.act(service.start, key)
    with site.unit_of_work() as session:
        access.assign(session, session.get_one(Member, UUID(clerk.id)).user_id or 0, [])
    run_next(site.database)
    with site.unit_of_work() as session:
        assert "core:record:import" in (session.get_one(JobRow, desk.row(key).job_id).error or "")
        service.jobs.cancel(session, desk.row(key).job_id)
    assert desk.all(Author, Author.name == mark) == []


def test_states_change_by_the_transitions_of_the_resource_alone(
    desk: Desk, mark: str, service_of: Callable[..., None], site: Platform
) -> None:
    anew(site, BOOKS)
    service_of(BOOKS, transitions=(Transition("state", "new", "used"), Transition("state", "used", "lost")))
    try:
        rows = [[f"i{mark}", "One", "new"], [f"j{mark}", "Two", "lost"], [f"k{mark}", "Three", ""]]
        key = desk.done(written(["isbn", "title", "state"], *rows), BOOKS)
        assert (desk.figures(key), {code for _line, _field, code in desk.problems(key)}) == (
            {"rows": 3, "created": 2, "failed": 1},
            {"STATE_NOT_INITIAL"},
        )
        key = desk.done(written(["isbn", "state"], [f"i{mark}", "used"], [f"k{mark}", "lost"]), BOOKS)
        assert desk.figures(key) == {"rows": 2, "updated": 1, "failed": 1}
        assert desk.problems(key) == [(3, "", "TRANSITION_REFUSED")]
    finally:
        anew(site, BOOKS)


def test_reports_are_kept_as_long_as_jobs(site: Platform, desk: Desk, mark: str) -> None:
    old, new = (desk.done(written(["name"], [f"{mark} {number}"])) for number in range(2))
    with site.unit_of_work() as session:
        row = session.get_one(Import, old)
        row.ended_at = row.created_at.replace(year=2020)
        session.delete(session.get_one(JobRow, row.job_id))
        enqueue(session, Actor.system("test"), "core.sweep_events")
    desk.work()
    with site.unit_of_work() as session:
        assert session.get(Import, old) is None and session.get(Import, new) is not None
        assert session.scalar(select(func.count()).where(ImportRow.import_id == old)) == 0
