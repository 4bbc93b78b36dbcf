"""Imports as jobs: killed, stopped, switched off and raced, and no record is lost, doubled or overwritten unseen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from core import lifecycle
from core.actor import Actor
from core.audit.models import AuditRow
from core.events.models import EventRow
from core.imports import run, service, undoing
from core.imports.models import ImportRow
from core.jobs.models import JobRow
from core.jobs.run import Running, run_next
from core.platform import Platform
from tests.core.doors import Person
from tests.core.fab.test_record_lists import counted
from tests.core.imports.conftest import BOOKS, Desk, written
from tests.core.library import Author, Book


def die_in_the_second_chunk(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the job that is due until just before the commit of its second chunk."""

    class Killed(BaseException):
        pass

    kept, chunks = Running.save, []

    def save(self: Running, session: Any, **state: Any) -> None:
        kept(self, session, **state)
        chunks.append(state)
        if len(chunks) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Running, "save", save)
        with pytest.raises(Killed):
            run_next(site.database)


def test_a_job_that_was_killed_goes_on_without_doing_anything_twice(
    site: Platform, desk: Desk, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 3)
    key = desk.tried(written(["name"], *([f"{mark} {number}"] for number in range(10))))
    desk.act(service.start, key)

    die_in_the_second_chunk(site, monkeypatch)
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 3
    with site.unit_of_work() as session:  # its lease ends
        job = session.get_one(JobRow, desk.row(key).job_id)
        assert job.lease_until is not None
        job.lease_until = job.lease_until.replace(year=2000)
    desk.work()
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 10
    assert desk.figures(key) == {"rows": 10, "created": 10}
    with site.unit_of_work() as session:
        assert session.scalar(select(func.count()).where(ImportRow.import_id == key)) == 10


def test_it_can_be_stopped_gone_on_with_and_undone_half_way(
    site: Platform, desk: Desk, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 3)
    key = desk.tried(written(["name"], *([f"{mark} {number}"] for number in range(9))))
    desk.act(service.start, key)
    progress, seen = Running.progress, []

    def stop(self: Running, done: int, total: int | None = None) -> None:
        seen.append(done)
        if done == 3:
            desk.act(service.cancel, key)
        progress(self, done, total)

    with monkeypatch.context() as patch:
        patch.setattr(Running, "progress", stop)
        desk.work()
    assert desk.row(key).state == "running" and len(desk.all(Author, Author.name.like(f"{mark}%"))) == 3
    desk.act(service.go_on, key)
    with monkeypatch.context() as patch:
        patch.setattr(Running, "progress", lambda self, done, total=None: stop(self, done - 3, total))
        desk.work()
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 6
    desk.undo(key)
    assert desk.all(Author, Author.name.like(f"{mark}%")) == []
    assert desk.figures(key, "undone") == {"deleted": 6}


def test_it_stops_while_the_plugin_is_off_and_goes_on_after(
    site: Platform, admin: Person, desk: Desk, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CHUNK", 2)
    key = desk.tried(written(["name"], *([f"{mark} {number}"] for number in range(4))))
    desk.act(service.start, key)
    progress = Running.progress

    def turn(on: bool) -> None:
        with site.unit_of_work(Actor.system("test")) as session:
            lifecycle.set_enabled(session, Actor.system("test"), "library", on)
        site.registry.cache.looked_at = float("-inf")

    def off(self: Running, done: int, total: int | None = None) -> None:
        progress(self, done, total)
        if done == 2:
            turn(False)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Running, "progress", off)
            run_next(site.database)
    finally:
        turn(True)
    with site.unit_of_work() as session:
        job = session.get_one(JobRow, desk.row(key).job_id)
        assert "turned off" in (job.error or "")
        job.state, job.finished_at = "failed", job.created_at
    page = admin.get(f"/admin/imports/{key}").text
    assert "It has failed: The plugin of these records is turned off." in page and "Go on" in page
    desk.act(service.go_on, key)
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 2
    desk.work()
    assert desk.figures(key) == {"rows": 4, "created": 4}


def test_imports_of_the_same_keys_at_once_write_each_record_once(site: Platform, desk: Desk, mark: str) -> None:
    names = [f"{mark} {number:02}" for number in range(12)]
    keys = [
        desk.tried(written(["name"], *([name] for name in (names if turn % 2 else reversed(names)))))
        for turn in range(16)
    ]
    for key in keys:
        desk.act(service.start, key)
    gate = threading.Barrier(8)

    def work(_number: int) -> None:
        gate.wait()
        desk.work()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 12
    figures = [desk.figures(key) for key in keys]
    assert sum(one.get("created", 0) for one in figures) == 12
    assert all(one.get("created", 0) + one.get("left", 0) == 12 for one in figures)


def test_an_undo_and_somebody_who_edits_do_not_lose_each_others_work(site: Platform, desk: Desk, mark: str) -> None:
    key = desk.done(written(["isbn", "title"], *([f"{number}-{mark}"[:20], "Old"] for number in range(20))), BOOKS)
    books = desk.all(Book, Book.isbn.like(f"%{mark[:5]}%"), Book.title == "Old")
    desk.act(service.undo, key, reason="The wrong file.")

    def edit(one: Book) -> bool:
        with site.unit_of_work() as session:
            found = session.get(Book, one.id, with_for_update=True)
            if found is not None:
                found.about = "mine"
            return found is not None

    with ThreadPoolExecutor(4) as pool:
        worked = pool.submit(desk.work)
        edited = list(pool.map(edit, books))
        worked.result()
    left = desk.all(Book, Book.id.in_([one.id for one in books]))
    assert [one.about for one in left] == ["mine"] * sum(edited)
    assert desk.figures(key, "undone").get("left", 0) == len(left)


def test_an_undo_that_was_killed_goes_on_and_takes_nothing_back_twice(
    site: Platform, desk: Desk, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{mark} {number:02}" for number in range(10)]
    key = desk.done(written(["name"], *([name] for name in names)))
    monkeypatch.setattr(undoing, "CHUNK", 3)
    with site.unit_of_work() as session:
        found = {one.name: one for one in session.scalars(select(Author).where(Author.name.in_(names)))}
        found[names[1]].name = f"{mark} changed since"
    desk.act(service.undo, key, reason="The wrong file.")

    die_in_the_second_chunk(site, monkeypatch)
    assert len(desk.all(Author, Author.name.like(f"{mark}%"))) == 7
    with site.unit_of_work() as session:  # its lease ends
        job = session.get_one(JobRow, desk.row(key).job_id)
        assert job.lease_until is not None and job.done == 3
        job.lease_until = job.lease_until.replace(year=2000)
    desk.work()
    assert [one.name for one in desk.all(Author, Author.name.like(f"{mark}%"))] == [f"{mark} changed since"]
    assert (desk.figures(key, "undone"), desk.problems(key)) == (
        {"deleted": 9, "left": 1},
        [(3, "", "CHANGED_SINCE")],
    )
    with site.unit_of_work() as session:
        gone = select(AuditRow.reason).where(
            AuditRow.correlation_id == key, AuditRow.action == "library.author.deleted"
        )
        assert list(session.scalars(gone)) == ["The wrong file."] * 9
        told = select(EventRow.payload).where(EventRow.correlation_id == key, EventRow.name == "library.author.deleted")
        assert {one["id"] for one in session.scalars(told)} == {
            str(found[name].id) for name in names if name != names[1]
        }


def test_an_undo_takes_few_statements_also_where_a_record_is_in_use(
    site: Platform, desk: Desk, admin: Person, mark: str
) -> None:
    names = [f"{mark} {number:03}" for number in range(400)]
    key = desk.done(written(["name"], *([name] for name in names)))
    with site.unit_of_work() as session:
        held = session.scalar(select(Author.id).where(Author.name == names[200]))
        session.add(Book(title="x", owner_id=UUID(admin.id), author_id=held))
    with counted(site) as statements:
        desk.undo(key)
    assert (desk.figures(key, "undone"), desk.problems(key)) == ({"deleted": 399, "left": 1}, [(202, "", "IN_USE")])
    assert len(statements) < 200, len(statements)  # a row by itself took ten


def test_undos_and_imports_of_the_same_records_at_once_end_with_each_row_told(
    site: Platform, desk: Desk, mark: str
) -> None:
    head, names = ["isbn", "title", "copies"], [f"{number}-{mark}"[:20] for number in range(30)]
    desk.done(written(head, *([name, "Old", 1] for name in names)), BOOKS)
    second = desk.done(written(head, *([name, "New", 2] for name in names)), BOOKS)
    third = desk.tried(written(head, *([name, "Newest", 3] for name in reversed(names))), BOOKS)
    desk.act(service.undo, second, reason="The wrong file.")
    desk.act(service.start, third)
    threads = [threading.Thread(target=desk.work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [desk.row(key).state for key in (second, third)] == ["undone", "done"]
    undone = desk.figures(second, "undone")
    assert sum(undone.values()) == 30 and len(desk.problems(second)) == undone.get("left", 0)
    assert {one.title for one in desk.all(Book, Book.isbn.in_(names))} == {"Newest"}
